#include "check_dead_letters/program.hpp"

#include "tools/database_fixture.hpp"
#include "tools/report_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::StartsWith;

/// The whole program but its printing, at a time that stands still: kNow.
class Program : public DatabaseTest {
 protected:
  static DeadLetter letter_before_now(std::chrono::seconds ago) {
    DeadLetter letter = letter_that_failed(ago);
    letter.failed_at = kNow - ago;
    return letter;
  }

  [[nodiscard]] Result run_at_now(std::vector<std::string> arguments) const {
    return run(arguments, nullptr, clock_);
  }

  ManualClock clock_;
};

TEST_F(Program, PrintsTheLineOfTheGuide) {
  std::vector<DeadLetter> letters(6);
  for (DeadLetter& letter : letters) letter = letter_before_now(minutes(5));
  letters.push_back(letter_before_now(minutes(42)));
  const std::string database = make_database("orders.db", letters);
  const Result result = run_at_now({"--db", database, "-c", "10"});
  EXPECT_EQ(result.output,
            "DEADLETTERS WARNING: 7 unresolved in the last 1h (oldest 42m); next: dead-letters --db " +
                database + " groups | unresolved=7;0;10;0 oldest=2520s;;\n");
  EXPECT_EQ(result.exit_status, 1);
}

TEST_F(Program, WindowBeginsExactlyThatLongAgo) {
  const std::string database =
      make_database("orders.db", {letter_before_now(hours(1)), letter_before_now(hours(1) + minutes(1))});
  EXPECT_EQ(
      run_at_now({"--db", database}).output,
      "DEADLETTERS WARNING: 1 unresolved in the last 1h (oldest 1h1m), 2 in all; next: dead-letters --db " +
          database + " groups | unresolved=1;0;;0 oldest=3660s;;\n");
}

TEST_F(Program, LetterFromTheFutureCountsAsNew) {
  const std::string database = make_database("orders.db", {letter_before_now(-hours(5))});
  EXPECT_EQ(run_at_now({"--db", database}).output,
            "DEADLETTERS WARNING: 1 unresolved in the last 1h (oldest 0s); next: dead-letters --db " +
                database + " groups | unresolved=1;0;;0 oldest=0s;;\n");
}

TEST_F(Program, TellsOfANameThatNoLetterHasWhenAskedForAll) {
  const std::string database = make_database("orders.db", {letter_before_now(minutes(5))});
  const Result result = run_at_now({"--db", database, "--handler", "send_reciept", "-vvv"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(
      result.output,
      testing::HasSubstr("  no unresolved letter has the handler send_reciept; near it: send_receipt\n"));
}

TEST_F(Program, OneLetterWithAnExtremeTimeDisarmsNoAge) {
  const std::string database = make_database("orders.db", {letter_before_now(minutes(5))});
  SqliteConnection(database).execute("UPDATE dead_letters SET failed_at = -9223372036854775807 - 1");
  EXPECT_EQ(run_at_now({"--db", database, "--oldest-critical", "1d"}).exit_status, 2);
}

TEST_F(Program, WritesMetricsAlsoWhenADatabaseFails) {
  const Result result = run_at_now({"--db", path("gone.db"), "--prometheus", path("m.prom")});
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_THAT(read_file(path("m.prom")),
              testing::HasSubstr("check_state{database=\"" + path("gone.db") + "\"} 3\n"));
}

TEST_F(Program, WritesNoMetricsOverAServicesFiles) {
  const std::string database = make_database("orders.db", {});
  const std::string spill = path("letters.jsonl");
  static_cast<void>(deadletter::Store::open(database, {.spill_path = spill}));
  ASSERT_TRUE(std::filesystem::exists(spill));
  for (const std::string& target : {database + ".owner", database + "-shm", spill}) {
    const Result result = run_at_now({"--db", database, "--prometheus", target});
    EXPECT_EQ(result.exit_status, 3);
    EXPECT_THAT(result.output, testing::HasSubstr("that is a file of the database itself"));
  }
  EXPECT_EQ(read_file(spill), "");
}

TEST_F(Program, WarnsOfAWalFileThatSomebodyHolds) {
  const std::string database = make_database("orders.db", {});
  const auto store = deadletter::Store::open(database);
  std::filesystem::resize_file(database + "-wal", 243UL * 1024 * 1024);  // sparse; behind what is committed
  const Result result = run_at_now({"--db", database});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.output,
              testing::HasSubstr("its -wal file has grown to 243 MiB, as some program reads an old "
                                 "state of it for long: fuser -v " +
                                 database));
  const auto json = Json::parse(run_at_now({"--db", database, "--json"}).output);
  const auto& answer = json["databases"][0];
  EXPECT_EQ(answer["reasons"].dump(), R"(["wal_large"])");
  EXPECT_EQ(answer["wal_bytes"], 243UL * 1024 * 1024);
  EXPECT_EQ(answer["database_bytes"], std::filesystem::file_size(database));
}

TEST_F(Program, MistakeIsUnknownInTheFormatAskedFor) {
  EXPECT_THAT(run_at_now({"--bogus"}).output, StartsWith("DEADLETTERS UNKNOWN: "));
  EXPECT_THAT(run_at_now({"--bogus", "--json"}).output, StartsWith("{\"version\":1,\"state\":\"UNKNOWN\""));
  EXPECT_EQ(run_at_now({"--bogus"}).exit_status, 3);
}

}  // namespace
}  // namespace tidings::check_dead_letters
