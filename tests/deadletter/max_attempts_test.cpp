#include "deadletter/store_fixture.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;

/// A durable bus on a database, and a handler that fails.
class MaxAttemptsStoreTest : public DurableBusTest {
 protected:
  [[nodiscard]] std::vector<int> logged(const char* field) const {
    std::vector<int> values;
    for (const Json& record : capture_.records("handler_failed"))
      values.push_back(record.at(field).get<int>());
    return values;
  }
  static void fail(const Placed&) { throw std::runtime_error("no stock"); }
};

TEST_F(MaxAttemptsStoreTest, IsInTheJournalOnlyIfThePublishSaysIt) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    Bus bus(durable());
    bus.subscribe<Placed>("handler", &fail, {.retry = {.backoff = constant(std::chrono::hours(1))}}).keep();
    bus.publish(Placed{1}, {.max_attempts = 5});
    bus.publish(Placed{2});
    return ::raise(SIGKILL) == 0;
  })));
  EXPECT_EQ(query("SELECT group_concat(coalesce(max_attempts, 'null')) FROM"
                  " (SELECT max_attempts FROM tidings_journal ORDER BY id)"),
            "5,null");
}

TEST_F(MaxAttemptsStoreTest, HoldsForARetryThatWaitedWhenTheProcessWasKilled) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    Bus bus(durable());
    bus.subscribe<Placed>("handler", &fail,
                          {.retry = {.max_attempts = 9, .backoff = constant(std::chrono::milliseconds(1))}})
        .keep();
    bus.subscribe<Placed>("killer", [](const Placed&) { ::raise(SIGKILL); }, {.dispatch = Dispatch::Queued})
        .keep();
    static_cast<void>(bus.publish(Placed{1}, {.max_attempts = 4}));
    return bus.wait_idle(std::chrono::seconds(30));
  })));
  Bus bus(durable());
  bus.subscribe<Placed>("handler", &fail, {.retry = {.max_attempts = 9}}).keep();
  bus.subscribe<Placed>("killer", [](const Placed&) {}, {.dispatch = Dispatch::Queued}).keep();
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_EQ(logged("attempt").back(), 4);
  EXPECT_EQ(logged("max_attempts").back(), 4);
  EXPECT_EQ(query("SELECT retry_count FROM dead_letters WHERE handler = 'handler'"), "3");
}

TEST_F(MaxAttemptsStoreTest, IsThereForAnEventOfATransactionOfTheApplication) {
  Bus bus(durable());
  bus.subscribe<Placed>("handler", &fail).keep();
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE, 10'000);
  application.exec("BEGIN IMMEDIATE");
  publish_in(application.getHandle(), bus, Placed{1}, {.max_attempts = 1});
  application.exec("COMMIT");
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_THAT(logged("max_attempts"), ElementsAre(1));
}

TEST_F(MaxAttemptsStoreTest, ADamagedOneMakesALetterThatSaysSo) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    Bus bus(durable());
    bus.subscribe<Placed>("handler", [](const Placed&) { ::raise(SIGKILL); }).keep();
    static_cast<void>(bus.publish(Placed{1}, {.max_attempts = 5}));
    return false;
  })));
  execute("UPDATE tidings_journal SET max_attempts = 0");
  Bus bus(durable());
  bus.subscribe<Placed>("handler", &fail).keep();
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_EQ(query("SELECT reason FROM dead_letters"), "undecodable");
  EXPECT_THAT(query("SELECT error_message FROM dead_letters"), ::testing::HasSubstr("max_attempts"));
}

}  // namespace
}  // namespace tidings::deadletter
