#include "bus_fixture.hpp"

#include "log/bus_log.hpp"
#include "logging/record_schema.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace tidings::test {
namespace {

using ::testing::IsEmpty;

/// What a run of these tests, in a process of its own, has logged. Each of them holds its records against the
/// schema, and fails if one is not as that says.
std::set<std::string> records_of_tests(const std::string& filter) {
  const std::string file = testing::TempDir() + "tidings_seen_records." + std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TIDINGS_SEEN_RECORDS", file.c_str(), 1);
    const std::string argument = "--gtest_filter=" + filter;
    ::execl("/proc/self/exe", "bus_tests", argument.c_str(), "--gtest_brief=1", nullptr);
    ::_exit(127);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::ifstream names(file);
  std::set<std::string> seen;
  for (std::string name; std::getline(names, name);) seen.insert(name);
  std::filesystem::remove(file);
  return seen;
}

const std::set<std::string> kElsewhere = {
    "transaction_waited",
    "transaction_held",  // deadletter: HandlerTransactionTest
    "log_configuration_ignored",
    "log_message",       // logging: RecordSchemaTest
    "log_records_lost",  // logging: LineQueueTest
    "telemetry_lost",
    "telemetry_receiver_warned",  // telemetry: ExporterFailureTest
    "telemetry_setting_ignored",  // telemetry: ExporterTest
    "audit_not_read"};            // nowhere: a database would have to fail just after a commit

class WrittenRecordsTest : public BusTest {};

TEST_F(WrittenRecordsTest, WhatFewTestsMakeIsAsDocumentedToo) {
  detail::BusLog log(capture_.logger(), clock_);
  log.waiting_for_handler({"shop", "orders.order_placed", "receipt"}, 5s);
  log.journal_lost("another bus has it");
  log.letters.spill_imported(SpillImport());
  log.letters.spill_imported({3, 1, "orders.db.spill.jsonl.bad", {}, false});
  log.letters.spill_waits("the database is read-only");
  log.counters_lost(3, "there are too many event types and handlers, or not enough memory");
  log.letters.redrive_unreadable({.id = 7, .problem = "its data is no JSON"});
  EXPECT_EQ(capture_.lines().size(), 7U);
}

TEST_F(WrittenRecordsTest, EveryRecordWithANameIsHeldAgainstTheSchemaByARunOfTheTests) {
  const std::set<std::string> seen = records_of_tests(
      "BusLogTest.*:ObserverTest.OneThat*:FileWatchTest.*:LetterWriterTest.What*:RedriveFailureTest.*:"
      "RedriveTest.ACanary*:"
      "DurablePublishTest.*:AtRestTest.WithoutTheKeySub*:RecoveryTest.*:LetterTest.*:WrittenRecordsTest."
      "What*");
  std::set<std::string> missing = RecordSchema().names();
  for (const std::string& name : seen) missing.erase(name);
  for (const std::string& name : kElsewhere) missing.erase(name);
  EXPECT_THAT(missing, IsEmpty()) << "no test of the filter above writes it";
}

}  // namespace
}  // namespace tidings::test
