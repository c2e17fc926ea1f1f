#include "durable_fixture.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DurablePublishTest : public DurableTest {
 protected:
  static SubscribeOptions<OrderPlaced> queued(std::size_t capacity = 65'536) {
    return {.dispatch = Dispatch::Queued, .queue_capacity = capacity};
  }
  Seen seen_;
};

struct Unkept {
  static constexpr std::string_view event_type = "shop.unkept";
  static constexpr bool store_payload = false;
  std::string word{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Unkept, word)
};

struct Broken {
  static constexpr std::string_view event_type = "shop.broken";
};
void to_json(Json&, const Broken&) { throw std::runtime_error("no JSON today"); }
void from_json(const Json&, Broken&) {}

TEST_F(DurablePublishTest, IsInTheJournalBeforeTheFirstHandlerRuns) {
  Bus bus(durable());
  std::size_t while_running = 0;
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { while_running = journal_->events(); });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_EQ(while_running, 1U);
}

TEST_F(DurablePublishTest, IsOwedUntilItsHandlerHasReturned) {
  Bus bus(durable());
  std::atomic<int> owed{0};
  const auto look = [&](const OrderPlaced&, const EventContext& context) {
    const std::string name(context.handler());
    bus.publish(OrderShipped{});  // its commit takes what was noted before
    if (journal_->has(1) && !journal_->known(1, name).done) ++owed;
  };
  auto here = bus.subscribe<OrderPlaced>("here", look);
  auto there = bus.subscribe<OrderPlaced>("there", look, queued());
  bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(owed, 2);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DurablePublishTest, LeavesTheJournalWhenEveryHandlerIsDone) {
  Bus bus(durable());
  auto first = bus.subscribe<OrderPlaced>("first", [](const OrderPlaced&) {});
  auto second = bus.subscribe<OrderPlaced>(
      "second", [](const OrderPlaced&) {}, queued());
  for (int i = 0; i < 10; ++i) bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DurablePublishTest, SyncsOnlyForPowerLoss) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->synced(), 0U);
  bus.publish(OrderPlaced{}, {.durability = Durability::PowerLoss});
  EXPECT_EQ(journal_->synced(), 1U);
}

TEST_F(DurablePublishTest, ForPowerLossIsSyncedWhateverItSharesACommitWith) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  std::vector<std::jthread> publishers;
  for (int publisher = 0; publisher < 8; ++publisher) {
    publishers.emplace_back([&, publisher] {
      const auto level = publisher % 2 == 0 ? Durability::PowerLoss : Durability::ProcessCrash;
      for (int i = 0; i < 100; ++i) {
        const auto result = bus.publish(OrderPlaced{i}, {.durability = level});
        EXPECT_TRUE(level != Durability::PowerLoss || journal_->is_synced(result.event_id));
      }
    });
  }
}

TEST_F(DurablePublishTest, OfNoDurabilityStaysOutOfTheJournal) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  EXPECT_EQ(bus.publish(OrderPlaced{}, {.durability = Durability::None}).handled, 1U);
  EXPECT_EQ(journal_->commits(), 0U);
}

TEST_F(DurablePublishTest, OnABusWithoutAJournalIsRefusedAndDeliversNothing) {
  Bus bus(options());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const auto publish = [&] { bus.publish(OrderPlaced{}, {.durability = Durability::ProcessCrash}); };
  EXPECT_EQ(error_code_of(publish), ErrorCode::NoJournal);
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}, {.idempotency_key = "k"}); }),
            ErrorCode::NoJournal);
  EXPECT_THAT(seen_.orders(), IsEmpty());
}

TEST_F(DurablePublishTest, NeedsAStoreWithAJournal) {
  BusOptions without = options();
  without.durability = Durability::PowerLoss;
  EXPECT_EQ(error_code_of([&] { Bus bus(without); }), ErrorCode::InvalidArgument);
}

TEST_F(DurablePublishTest, ASecondBusIsRefusedTheJournal) {
  Bus bus(durable());
  EXPECT_EQ(error_code_of([&] { Bus second(durable()); }), ErrorCode::JournalOwned);
  BusOptions without = durable();
  without.durability = Durability::None;
  EXPECT_NO_THROW(Bus third(without));
}

TEST_F(DurablePublishTest, NeedsTheJournalFromStartToEndAndWaitsForItAsLongAsIsSaid) {
  BusOptions patient = durable();
  patient.owner_wait = std::chrono::seconds(3);
  {
    Bus bus(patient);
    EXPECT_EQ(journal_->owner_wait(), std::chrono::seconds(3));
    EXPECT_FALSE(journal_->released_cleanly());
  }
  EXPECT_TRUE(journal_->released_cleanly());
}

TEST_F(DurablePublishTest, ThatCannotBeEncodedIsRefusedAndDeliversNothing) {
  Bus bus(durable());
  auto secrets = bus.subscribe<Unkept>("handler", [&](const Unkept&) { seen_.add(1); });
  auto broken = bus.subscribe<Broken>("handler", [&](const Broken&) { seen_.add(2); });
  EXPECT_EQ(error_code_of([&] { bus.publish(Unkept{"x"}); }), ErrorCode::NotEncodable);
  EXPECT_EQ(error_code_of([&] { bus.publish(Broken{}); }), ErrorCode::NotEncodable);
  EXPECT_THAT(seen_.orders(), IsEmpty());
  EXPECT_EQ(journal_->commits(), 0U);
}

TEST_F(DurablePublishTest, ThatCannotBeCopiedForAQueueIsRefusedAndNotOwed) {
  Bus bus(durable());
  auto handler = bus.subscribe<Uncopyable>("handler", [&](const Uncopyable&) { seen_.add(1); },
                                           {.dispatch = Dispatch::Queued, .queue_capacity = 2});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_THROW(bus.publish(Uncopyable{}), std::runtime_error);
  }
  EXPECT_EQ(journal_->events(), 0U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), IsEmpty());
}

TEST_F(DurablePublishTest, ThatTheJournalRefusesDeliversNothingAndSaysWhy) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); }, queued(2));
  EXPECT_TRUE(bus.wait_idle(kLong));  // From here on events go to the queue directly.
  for (const ErrorCode code :
       {ErrorCode::DatabaseBusy, ErrorCode::DatabaseUnusable, ErrorCode::InDoubt, ErrorCode::DatabaseBusy}) {
    journal_->fail_commits(1, code);
    EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{1}); }), code);
  }
  // Four refused, and both places are still free.
  EXPECT_EQ(bus.snapshot().handlers.at(0).queued, 0U);
  EXPECT_EQ(bus.publish(OrderPlaced{2}).scheduled, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2));
}

TEST_F(DurablePublishTest, FindsRoomInTheJournalWhenAQueueIsFull) {
  Bus bus(durable());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& event) {
        if (event.order_id == 1) gate.pass();
        seen_.add(event.order_id);
      },
      {.dispatch = Dispatch::Queued, .queue_capacity = 2, .when_full = WhenFull::Throw});
  for (int order = 1; order <= 500; ++order) EXPECT_EQ(bus.publish(OrderPlaced{order}).scheduled, 1U);
  EXPECT_EQ(journal_->events(), 500U);
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  std::vector<std::int64_t> all(500);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i) + 1;
  EXPECT_EQ(seen_.orders(), all);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DurablePublishTest, OfABatchIsCommittedTogether) {
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const std::array events = {OrderPlaced{1}, OrderPlaced{2}, OrderPlaced{3}};
  const auto before = journal_->commits();
  const auto results = bus.publish_batch(events);
  EXPECT_EQ(journal_->commits(), before + 1);
  ASSERT_THAT(results, SizeIs(3));
  EXPECT_EQ(results[2].handled, 1U);
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3));
}

TEST_F(DurablePublishTest, OfABatchThatIsRefusedDeliversNoneOfIt) {
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const std::array events = {OrderPlaced{1}, OrderPlaced{2}};
  journal_->fail_commits(1, ErrorCode::DatabaseUnusable);
  EXPECT_EQ(error_code_of([&] { bus.publish_batch(events); }), ErrorCode::DatabaseUnusable);
  EXPECT_EQ(error_code_of([&] { bus.publish_batch(events, {.idempotency_key = "one"}); }),
            ErrorCode::InvalidArgument);
  EXPECT_THAT(seen_.orders(), IsEmpty());
  EXPECT_THAT(bus.publish_batch(std::vector<OrderPlaced>()), IsEmpty());
}

TEST_F(DurablePublishTest, OfABatchWithoutDurabilityPublishesOneAfterTheOther) {
  Bus bus(options());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const std::array events = {OrderPlaced{1}, OrderPlaced{2}};
  EXPECT_THAT(bus.publish_batch(events), SizeIs(2));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2));
}

TEST_F(DurablePublishTest, WithAKeyThatWasUsedIsAcceptedAndNotDeliveredAgain) {
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen_.add(event.order_id); });
  const auto first = bus.publish(OrderPlaced{1}, {.idempotency_key = "order-1"});
  const auto again = bus.publish(OrderPlaced{1}, {.idempotency_key = "order-1"});
  const auto elsewhere = bus.publish(OrderPlaced{2}, {.source = "other", .idempotency_key = "order-1"});
  EXPECT_FALSE(first.duplicate);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.event_id, first.event_id);
  EXPECT_EQ(again.handled + again.scheduled + again.dead, 0U);
  EXPECT_FALSE(elsewhere.duplicate);
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2));
}

TEST_F(DurablePublishTest, OfAnotherTypeUnderAKeyThatWasUsedIsDroppedAndSaysSo) {
  Bus bus(durable());
  const auto first = bus.publish(OrderPlaced{1}, {.idempotency_key = "order-1"});
  const auto second = bus.publish(OrderShipped{1}, {.idempotency_key = "order-1"});
  EXPECT_EQ(second.event_id, first.event_id);
  EXPECT_TRUE(second.duplicate);
  const Json record = capture_.only("publish_duplicate");
  EXPECT_EQ(record.at("level"), "info");
  EXPECT_EQ(record.at("event_type"), "orders.order_shipped");
  EXPECT_EQ(record.at("idempotency_key"), "order-1");
  EXPECT_EQ(record.at("first_event_id"), first.event_id.to_string());
  EXPECT_NE(record.at("event_id"), record.at("first_event_id"));
}

TEST_F(DurablePublishTest, RefusesIdempotencyKeysThatCouldNotBeKept) {
  Bus bus(durable());
  for (const std::string& key : {std::string(129, 'k'), std::string("a b"), std::string("a\nb")}) {
    EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}, {.idempotency_key = key}); }),
              ErrorCode::InvalidArgument);
  }
}

TEST_F(DurablePublishTest, AnEventThatNobodySubscribesToIsNotOwed) {
  Bus bus(durable());
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 0U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DurablePublishTest, ADeadDeliveryMovesFromTheJournalToTheLettersInOneCommit) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [](const OrderPlaced&) { throw std::runtime_error("no"); }, {.retry = {.max_attempts = 1}});
  const auto before = journal_->commits();
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U);
  EXPECT_EQ(journal_->commits(), before + 2);  // the event; its letter and its end
  EXPECT_EQ(journal_->events(), 0U);
  ASSERT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Exhausted);
}

TEST_F(DurablePublishTest, AttemptsAreCommittedBeforeTheNextBegins) {
  Bus bus(durable());
  std::vector<std::uint32_t> known;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&, const EventContext& context) {
    known.push_back(journal_->known(1, "handler").attempts_made);
    if (context.attempt() < 3) throw std::runtime_error("not yet");
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_THAT(known, ElementsAre(0, 1, 2));
}

TEST_F(DurablePublishTest, AnAttemptWaitsWhileTheJournalDoesNotTakeNoteOfTheLast) {
  Bus bus(durable());
  std::vector<std::uint32_t> known;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&, const EventContext& context) {
    known.push_back(journal_->known(1, "handler").attempts_made);
    if (context.attempt() > 1) return;
    journal_->fail_commits(1000, ErrorCode::DatabaseBusy);
    throw std::runtime_error("not yet");
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  for (int i = 0; i < 10; ++i) advance(200ms);
  journal_->fail_commits(0, ErrorCode::DatabaseBusy);
  while (journal_->events() > 0) advance(5s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(known, ElementsAre(0, 1));
  EXPECT_EQ(journal_->events(), 0U);
}

/// The housekeeper was to commit the first event's end; the second event's commit took that along, and its
/// own end is due later.
TEST_F(DurablePublishTest, TheEndOfTheLastEventIsCommittedThoughItsTimerWasSetForAnEarlierOne) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  clock_->await_waiter();
  bus.publish(OrderPlaced{1});
  advance(10ms);
  bus.publish(OrderPlaced{2});
  EXPECT_EQ(journal_->events(), 1U);
  const auto published = clock_->now();
  while (journal_->events() > 0) advance(10ms);
  EXPECT_LE(clock_->now() - published, 100ms);
}

TEST_F(DurablePublishTest, ALetterGoesElsewhereWhenTheJournalFailsAndItsEndIsCommittedLater) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              journal_->fail_commits(1, ErrorCode::DatabaseUnusable);
                                              throw std::runtime_error("no");
                                            },
                                            {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{});
  EXPECT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->events(), 1U);
  while (journal_->events() > 0) advance(200ms);
  EXPECT_EQ(journal_->events(), 0U);
  EXPECT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(capture_.count("journal_refused"), 1U);
}

TEST_F(DurablePublishTest, ManyPublishersShareCommits) {
  Bus bus(durable());
  std::atomic<int> handled{0};
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { ++handled; }, queued(64));
  {
    std::vector<std::jthread> publishers;
    for (int publisher = 0; publisher < 8; ++publisher) {
      publishers.emplace_back([&] {
        for (int i = 0; i < 200; ++i) bus.publish(OrderPlaced{i});
      });
    }
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(handled, 1600);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(DurablePublishTest, AHandlerMayPublishDurably) {
  Bus bus(durable());
  auto shipped =
      bus.subscribe<OrderShipped>("shipped", [&](const OrderShipped& event) { seen_.add(event.order_id); },
                                  {.dispatch = Dispatch::Queued});
  auto placed = bus.subscribe<OrderPlaced>(
      "placed", [&](const OrderPlaced& event) { bus.publish(OrderShipped{event.order_id}); }, queued());
  for (int order = 0; order < 5; ++order) bus.publish(OrderPlaced{order});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(journal_->events(), 0U);
}

SubscribeOptions<OrderPlaced> parking() {
  return {.dispatch = Dispatch::Queued,
          .ordering_key = [](const OrderPlaced&) { return std::string("key"); },
          .after_death = AfterDeath::Park};
}

TEST_F(DurablePublishTest, LettersOfAKeyAreKeptInItsOrderWhetherItsEventsAreDurableOrNot) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [](const OrderPlaced&) { throw Permanent("never"); }, parking());
  EXPECT_TRUE(bus.wait_idle(kLong));  // nothing is owed from before: what is durable is not overtaken
  for (std::int64_t order = 1; order <= 6; ++order) {
    bus.publish(OrderPlaced{order},
                {.durability = order % 2 == 0 ? Durability::ProcessCrash : Durability::None});
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  std::vector<std::int64_t> kept;
  for (const DeadLetter& letter : journal_->letters())
    kept.push_back(Json::parse(letter.data.bytes).at("order_id").get<std::int64_t>());
  EXPECT_THAT(kept, ElementsAre(1, 2, 3, 4, 5, 6));
}

}  // namespace
}  // namespace tidings::test
