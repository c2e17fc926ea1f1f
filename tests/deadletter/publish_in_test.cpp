#include "deadletter/transaction_fixture.hpp"

#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

// --- the event and the change happen together ---

TEST_F(PublishInTest, DeliversAfterTheCommitAndNotBefore) {
  Bus bus(options());
  const auto listening = listen(bus);
  run("BEGIN IMMEDIATE");
  run("INSERT INTO ledger VALUES ('application', 1)");
  const auto result = publish_in(connection(), bus, Placed{1});
  EXPECT_EQ(result.scheduled, 1U);
  EXPECT_FALSE(result.duplicate);
  bus.notify();
  EXPECT_FALSE(bus.wait_idle(20ms));
  EXPECT_THAT(seen_.all(), IsEmpty());
  run("COMMIT");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
  EXPECT_EQ(journalled(), "0");
  EXPECT_EQ(ledger(), "application 1");
}

TEST_F(PublishInTest, FindsTheCommitWithoutBeingToldWithinHalfASecond) {
  Bus bus(options());
  const auto listening = listen(bus);
  static_cast<void>(publish_committed(bus, 1));
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, DeliversAtOnceWhenTold) {
  auto clock = std::make_shared<ManualClock>();
  auto how = options();
  how.clock = clock;  // stands still: no tick comes
  Bus bus(how);
  const auto listening = listen(bus);
  static_cast<void>(publish_committed(bus, 1));
  bus.notify();
  while (seen_.all().empty()) std::this_thread::yield();
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

// Another program writes at the moment at which the bus looks for the end of the transaction.
TEST_F(PublishInTest, IsWaitedForWhenTheFirstLookFailsAndTheClockIsNeverAdvanced) {
  const auto clock = std::make_shared<ManualClock>();
  auto how = options();
  how.clock = clock;
  Bus bus(how);
  const auto listening = listen(bus);
  static_cast<void>(publish_committed(bus, 1));
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE, 0);
  other.exec("BEGIN IMMEDIATE");
  bus.notify();
  clock->await_waiter();
  other.exec("ROLLBACK");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, DeliversToTheNextOfAHandlersNameWhenThatEndsMeanwhile) {
  Bus bus(options());
  auto ends = bus.subscribe<Placed>("listen", [](const Placed&) { FAIL(); });
  Subscription next;
  const auto replaces = [&](const Placed&) {
    ends.reset();
    next = bus.subscribe<Placed>("listen", [this](const Placed& placed) { seen_.add(placed.number); });
    return std::string("key");
  };
  const auto other = bus.subscribe<Placed>("other", [](const Placed&) {},
                                           {.dispatch = Dispatch::Queued, .ordering_key = replaces});
  run("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  run("COMMIT");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, DeliversNothingAfterARollback) {
  Bus bus(options());
  const auto listening = listen(bus);
  run("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  run("ROLLBACK");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), IsEmpty());
  bus.publish(Placed{2});
  static_cast<void>(publish_committed(bus, 3));
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(2, 3));
  EXPECT_EQ(journalled(), "0");
}

TEST_F(PublishInTest, TakesBackWhatARollbackToASavepointTakesBack) {
  Bus bus(options());
  const auto listening = listen(bus);
  run("SAVEPOINT outer");  // which begins the transaction, too
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  run("SAVEPOINT inner");
  static_cast<void>(publish_in(connection(), bus, Placed{2}, {.idempotency_key = "two"}));
  run("ROLLBACK TO inner");
  const auto again = publish_in(connection(), bus, Placed{3}, {.idempotency_key = "two"});
  EXPECT_FALSE(again.duplicate);
  run("RELEASE outer");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1, 3));
}

TEST_F(PublishInTest, RunsInlineHandlersOnWorkersAfterTheCommit) {
  Bus bus(options());
  std::atomic<std::thread::id> ran_on{};
  const auto listening =
      bus.subscribe<Placed>("inline", [&](const Placed&) { ran_on = std::this_thread::get_id(); });
  static_cast<void>(publish_committed(bus, 1));
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_NE(ran_on.load(), std::thread::id());
  EXPECT_NE(ran_on.load(), std::this_thread::get_id());
  // Then it goes on as before.
  EXPECT_EQ(bus.publish(Placed{2}).handled, 1U);
  EXPECT_EQ(ran_on.load(), std::this_thread::get_id());
}

TEST_F(PublishInTest, KeepsTheOrderOfPublishing) {
  Bus bus(options());
  const auto listening =
      listen(bus, {.dispatch = Dispatch::Queued, .concurrency = 2, .ordering_key = [](const Placed&) {
                     return std::string("one");
                   }});
  std::vector<std::int64_t> expected;
  for (std::int64_t number = 1; number <= 60; number += 3) {
    bus.publish(Placed{number});
    run("BEGIN IMMEDIATE");
    static_cast<void>(publish_in(connection(), bus, Placed{number + 1}));
    static_cast<void>(publish_in(connection(), bus, Placed{number + 2}));
    run("COMMIT");
    expected.insert(expected.end(), {number, number + 1, number + 2});
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen_.all(), expected);
}

// --- numbers that are not committed yet ---

TEST_F(PublishInTest, IsNotPassedByPublishesThatFailMeanwhile) {
  Bus bus(options(impatient()));
  const auto listening = listen(bus);
  run("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  // Takes a later number, and gives it up; what reads the journal looks that far.
  static_cast<void>(error_of(ErrorCode::DatabaseBusy, [&] { bus.publish(Placed{2}); }));
  bus.notify();
  EXPECT_FALSE(bus.wait_idle(50ms));
  run("COMMIT");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, IsDeliveredByTheNextBusWhenItsOwnIsGoneBeforeTheCommit) {
  {
    Bus bus(options());
    const auto listening = listen(bus);
    run("BEGIN IMMEDIATE");
    static_cast<void>(publish_in(connection(), bus, Placed{1}));
  }
  // The successor would not know which numbers are taken.
  static_cast<void>(error_of(ErrorCode::DatabaseBusy, [&] { const Bus early(options(impatient())); }));
  run("COMMIT");
  Bus bus(options());
  const auto listening = listen(bus);
  bus.publish(Placed{2});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1, 2));
}

TEST_F(PublishInTest, IsOneOfManyThreadsThatPublishAtOnce) {
  Bus bus(options());
  const auto listening = listen(bus);
  std::thread others([&] {
    for (std::int64_t number = 1000; number < 1100; ++number) bus.publish(Placed{number});
  });
  for (std::int64_t number = 0; number < 50; ++number) {
    run("BEGIN IMMEDIATE");
    static_cast<void>(publish_in(connection(), bus, Placed{number}));
    run(number % 3 == 0 ? "ROLLBACK" : "COMMIT");
  }
  others.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  auto seen = seen_.all();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  EXPECT_EQ(seen.size(), 100U + 33U);
  EXPECT_EQ(journalled(), "0");
}

// --- what is said about a publish ---

TEST_F(PublishInTest, CarriesWhatItsOptionsSay) {
  Bus bus(options());
  std::optional<Metadata> metadata;
  const auto listening = bus.subscribe<Placed>(
      "look", [&](const Placed&, const EventContext& context) { metadata = context.metadata(); });
  const auto result = publish_committed(
      bus, 1, {.correlation_id = "request-7", .source = "/till/3", .fields = {{"tenant", "eu"}}});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_TRUE(metadata.has_value());
  EXPECT_EQ(metadata->event_id, result.event_id);
  EXPECT_EQ(metadata->correlation_id.to_string(), "request-7");
  EXPECT_EQ(metadata->source.view(), "/till/3");
  EXPECT_EQ(metadata->fields, (ContextFields{{"tenant", "eu"}}));
}

TEST_F(PublishInTest, RecognisesARepeatOnceTheFirstIsCommitted) {
  Bus bus(options());
  const auto listening = listen(bus);
  const PublishOptions how{.idempotency_key = "order-1"};
  run("BEGIN IMMEDIATE");
  EXPECT_FALSE(publish_in(connection(), bus, Placed{1}, how).duplicate);
  run("ROLLBACK");
  const auto first = publish_committed(bus, 1, how);
  EXPECT_FALSE(first.duplicate);
  const auto second = publish_committed(bus, 1, how);
  EXPECT_TRUE(second.duplicate);
  EXPECT_EQ(second.event_id, first.event_id);
  EXPECT_EQ(second.scheduled, 0U);
  EXPECT_TRUE(bus.publish(Placed{1}, how).duplicate);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, PublishesByTypeName) {
  Bus bus(options());
  const auto listening = listen(bus);
  run("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(connection(), bus, "shop.placed", Json{{"number", 4}}));
  static_cast<void>(error_of(ErrorCode::InvalidArgument, [&] {
    static_cast<void>(publish_in(connection(), bus, "", Json{{"number", 4}}));
  }));
  run("COMMIT");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(4));
}

TEST_F(PublishInTest, KeepsALetterOfAnEventThatNobodySubscribesToIfItIsCommitted) {
  auto how = options();
  how.unhandled = Unhandled::DeadLetter;
  Bus bus(how);
  run("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  run("ROLLBACK");
  const auto result = publish_committed(bus, 2);
  EXPECT_EQ(result.scheduled, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(query("SELECT reason || event_data FROM dead_letters"), R"(unhandled{"number":2})");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(PublishInTest, CutsAChainOfEventsThatIsTooLongWhenItIsCommitted) {
  auto how = options();
  how.max_causation_depth = 2;
  Bus bus(how);
  SQLite::Database own(database().native(), SQLite::OPEN_READWRITE);
  own.setBusyTimeout(5000);
  const auto listening =
      bus.subscribe<Placed>("again",
                            [&](const Placed& placed) {
                              own.exec("BEGIN IMMEDIATE");
                              static_cast<void>(publish_in(own.getHandle(), bus, Placed{placed.number + 1}));
                              own.exec("COMMIT");
                            },
                            {.dispatch = Dispatch::Queued});
  bus.publish(Placed{0});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(query("SELECT reason || event_data FROM dead_letters"), R"(causation_loop{"number":3})");
}

}  // namespace
}  // namespace tidings::deadletter
