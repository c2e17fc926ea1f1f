#include "durable_fixture.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(RecoveryTest, DeliversWhatWasOwedWhenTheHandlerSubscribesAgain) {
  leave_owed(3);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(RecoveryTest, ComesAheadOfWhatIsPublishedSince) {
  leave_owed(300);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  bus.publish(OrderPlaced{301});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_THAT(seen_.orders(), SizeIs(301));
  for (std::size_t i = 0; i < 301; ++i) EXPECT_EQ(seen_.orders()[i], static_cast<std::int64_t>(i) + 1);
}

TEST_F(RecoveryTest, OfAnInlineHandlerRunsOnAWorker) {
  leave_owed(2);
  Bus bus(durable());
  const auto here = std::this_thread::get_id();
  std::atomic<int> here_count{0};
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) {
    here_count += std::this_thread::get_id() == here ? 1 : 0;
    seen_.add(event.order_id);
  });
  EXPECT_EQ(bus.publish(OrderPlaced{3}).handled, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(here_count, 1);
  EXPECT_THAT(seen_.orders(), ::testing::UnorderedElementsAre(1, 2, 3));
}

TEST_F(RecoveryTest, KeepsTheMetadata) {
  Metadata sent;
  {
    Gate gate;
    Bus bus(durable());
    auto stuck = bus.subscribe<OrderPlaced>(
        "handler", [&](const OrderPlaced&) { gate.pass(); }, queued());
    const auto result =
        bus.publish(OrderPlaced{1},
                    {.correlation_id = "request-1", .source = "/shop/eu", .fields = {{"tenant", "acme"}}});
    sent.event_id = result.event_id;
    auto left = journal_->after_crash();
    gate.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
    journal_ = std::move(left);
  }
  Bus bus(durable());
  std::optional<Metadata> got;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&, const EventContext& context) { got = context.metadata(); },
      queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->event_id, sent.event_id);
  EXPECT_EQ(got->correlation_id.to_string(), "request-1");
  EXPECT_EQ(got->source.view(), "/shop/eu");
  EXPECT_EQ(got->fields, (ContextFields{{"tenant", "acme"}}));
}

TEST_F(RecoveryTest, GoesOnCountingAttemptsAndHonoursTheBackoff) {
  const SubscribeOptions<OrderPlaced> retried{.dispatch = Dispatch::Queued,
                                              .retry = {.max_attempts = 3, .backoff = constant(10h)}};
  {
    Gate gate;
    gate.open();
    Bus bus(durable());
    auto handler = bus.subscribe<OrderPlaced>(
        "handler",
        [&](const OrderPlaced&) {
          gate.pass();
          throw std::runtime_error("no");
        },
        retried);
    bus.publish(OrderPlaced{1});
    gate.await_arrival();
    while (journal_->known(1, "handler").attempts_made == 0) advance(10ms);
    auto left = journal_->after_crash();
    bus.stop(0ms);
    journal_ = std::move(left);
  }
  Bus bus(durable());
  std::vector<std::uint32_t> attempts;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&, const EventContext& context) { attempts.push_back(context.attempt()); },
      retried);
  advance(5h);
  clock_->await_waiter();
  EXPECT_EQ(bus.snapshot().handlers.at(0).waiting, 1U);
  advance(10h);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(attempts, ElementsAre(2));
}

TEST_F(RecoveryTest, WaitsForARetryNoLongerThanItHadToWhateverTheWallClockSays) {
  leave_owed(1);
  fail_first_to_be_retried_in(1min);
  clock_->set_wall(clock_->now() - 48h);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  advance(59s);
  clock_->await_waiter();
  EXPECT_EQ(bus.snapshot().handlers.at(0).waiting, 1U);
  advance(1s);
  EXPECT_TRUE(bus.wait_idle(100ms));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

TEST_F(RecoveryTest, WhatComesForAKeyWhoseDeliveryAStopHasEndedStaysOwedToo) {
  Bus bus(durable());
  Gate publishing;
  Gate handling;
  auto before = bus.subscribe<OrderPlaced>("before", [&](const OrderPlaced& event) {
    if (event.order_id == 2) publishing.pass();
  });
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&) {
        handling.pass();
        throw std::runtime_error("no");
      },
      {.dispatch = Dispatch::Queued, .ordering_key = [](const OrderPlaced&) { return "key"; }});
  EXPECT_TRUE(bus.wait_idle(kLong));
  bus.publish(OrderPlaced{1});
  handling.await_arrival();
  std::thread publisher([&] { bus.publish(OrderPlaced{2}); });
  publishing.await_arrival();
  std::thread stopper([&] { EXPECT_EQ(bus.stop(kLong).left_in_journal, 2U); });
  while (bus.snapshot().accepting) std::this_thread::yield();
  handling.open();
  const auto left = [&] {
    const HandlerSnapshot now = bus.snapshot().handlers[1];
    return now.queued + now.waiting + now.running;
  };
  while (left() > 1) std::this_thread::yield();  // the other has its place, but is not there yet
  publishing.open();
  publisher.join();
  stopper.join();
  EXPECT_THAT(journal_->letters(), IsEmpty());
  EXPECT_EQ(journal_->events(), 2U);
}

TEST_F(RecoveryTest, ARetryOfADeadKeyIsParkedAsAFirstAttemptIs) {
  const SubscribeOptions<OrderPlaced> parking = {.dispatch = Dispatch::Queued,
                                                 .ordering_key = [](const OrderPlaced&) { return "key"; },
                                                 .after_death = AfterDeath::Park};
  {
    Bus bus(durable());
    auto dying = bus.subscribe<OrderPlaced>(
        "handler", [](const OrderPlaced&) { throw Permanent("no"); }, parking);
    bus.publish(OrderPlaced{3}, {.durability = Durability::None});
    EXPECT_TRUE(bus.wait_idle(kLong));
  }
  leave_owed(1);
  fail_first_to_be_retried_in(1min);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), parking);
  advance(1min);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), IsEmpty());
  ASSERT_THAT(journal_->letters(), SizeIs(2));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Permanent);
  EXPECT_EQ(journal_->letters()[1].reason, Reason::Parked);
}

TEST_F(RecoveryTest, OneHandlerAlreadyDoneDoesNotRunAgain) {
  {
    Gate gate;
    Bus bus(durable());
    auto done = bus.subscribe<OrderPlaced>("done", [](const OrderPlaced&) {});
    auto stuck = bus.subscribe<OrderPlaced>(
        "stuck", [&](const OrderPlaced&) { gate.pass(); }, queued());
    bus.publish(OrderPlaced{1});
    for (int i = 0; i < 200 && !journal_->known(1, "done").done; ++i) advance(10ms);
    auto left = journal_->after_crash();
    gate.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
    journal_ = std::move(left);
  }
  Bus bus(durable());
  std::atomic<int> done_again{0};
  auto done = bus.subscribe<OrderPlaced>("done", [&](const OrderPlaced&) { ++done_again; });
  auto stuck = bus.subscribe<OrderPlaced>("stuck", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(done_again, 0);
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(RecoveryTest, KeepsTheOrderOfEachKey) {
  leave_owed(200);
  Bus bus(durable());
  std::vector<std::int64_t> last(4, 0);
  std::atomic<int> disorder{0};
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& event) {
        auto& before = last[static_cast<std::size_t>(event.order_id % 4)];
        disorder += event.order_id < before ? 1 : 0;
        before = event.order_id;
        seen_.add(event.order_id);
      },
      {.dispatch = Dispatch::Queued, .concurrency = 2, .ordering_key = [](const OrderPlaced& event) {
         return std::to_string(event.order_id % 4);
       }});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(disorder, 0);
  EXPECT_THAT(seen_.orders(), SizeIs(200));
}

TEST_F(RecoveryTest, OfAHandlerOfAllEventsFindsThemAll) {
  leave_owed(3, "audit");
  Bus bus(durable());
  std::atomic<int> runs{0};
  auto handler = bus.subscribe_all("audit", [&](const Json&) { ++runs; }, {.dispatch = Dispatch::Queued});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 3);
}

TEST_F(RecoveryTest, DeliveriesThatNobodyServesAreReportedAndKept) {
  leave_owed(4, "retired");
  Bus bus(durable());
  auto other = bus.subscribe<OrderPlaced>("other", sees());
  advance(10s);
  clock_->await_waiter();
  const auto record = capture_.only("deliveries_unserved");
  EXPECT_EQ(record.at("handler"), "retired");
  EXPECT_EQ(record.at("deliveries"), 4);
  ASSERT_THAT(journal_->unserved(), SizeIs(1));
  EXPECT_EQ(journal_->events(), 4U);
  EXPECT_THAT(seen_.orders(), IsEmpty());
  auto again = bus.subscribe<OrderPlaced>("retired", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->events(), 0U);
  advance(60s);
  clock_->await_waiter();
  EXPECT_THAT(journal_->unserved(), IsEmpty());
}

TEST_F(RecoveryTest, AStopLeavesWhatIsOwedInTheJournal) {
  Gate gate;
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& event) {
        gate.pass();
        seen_.add(event.order_id);
      },
      queued());
  for (int order = 1; order <= 3; ++order) bus.publish(OrderPlaced{order});
  gate.await_arrival();
  while (bus.snapshot().handlers.at(0).queued < 2) std::this_thread::yield();  // read back, if they had to be
  const auto report = bus.stop(0ms);
  EXPECT_EQ(report.left_in_journal, 3U);  // with the one that still runs
  EXPECT_FALSE(report.drained);
  EXPECT_EQ(report.settled_as_letters, 0U);
  EXPECT_THAT(journal_->letters(), IsEmpty());
  gate.open();
  EXPECT_EQ(bus.stop(kLong).left_in_journal, 2U);
  EXPECT_EQ(journal_->events(), 2U);
}

TEST_F(RecoveryTest, AStopWaitsForWhatIsBeingReadBackAndCountsWhatItBecame) {
  leave_owed(1);
  Gate gate;
  journal_->letters_are_there = true;
  journal_->after_read = [&](const OwedQuery&) { gate.pass(); };
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  gate.await_arrival();
  auto stop = std::async(std::launch::async, [&] { return bus.stop(kLong); });
  while (bus.snapshot().accepting) std::this_thread::yield();
  gate.open();
  EXPECT_EQ(stop.get().left_in_journal, 0U);
  EXPECT_THAT(seen_.orders(), IsEmpty());
}

TEST_F(RecoveryTest, AfterAnOrderlyEndTheNextBusGoesOn) {
  {
    Bus bus(durable());
    auto handler =
        bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) { throw std::runtime_error("no"); },
                                   {.retry = {.max_attempts = 2, .backoff = constant(1h)}});
    EXPECT_EQ(bus.publish(OrderPlaced{7}).scheduled, 1U);
    bus.stop(0ms);
  }
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), {.retry = {.max_attempts = 2}});
  advance(1h);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(7));
}

TEST_F(RecoveryTest, ResettingASubscriptionLeavesItsDeliveriesForTheNextOfThatName) {
  Gate gate;
  Bus bus(durable());
  Subscription leaving;
  leaving = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& event) {
        seen_.add(-event.order_id);
        gate.pass();
        leaving.reset();
      },
      queued());
  for (int order = 1; order <= 3; ++order) bus.publish(OrderPlaced{order});
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(-1, 2, 3));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(RecoveryTest, WhatAnInlineHandlerFailsAtWhoseSubscriptionIsGoneStaysOwed) {
  Bus bus(durable());
  Subscription leaving;
  leaving = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) {
    leaving.reset();
    throw std::runtime_error("failed after it had left");
  });
  EXPECT_EQ(bus.publish(OrderPlaced{1}).scheduled, 1U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journal_->events(), 1U);
  EXPECT_EQ(journal_->known(1, "handler").attempts_made, 1U);
  EXPECT_THAT(journal_->letters(), IsEmpty());
}

TEST_F(RecoveryTest, WhatAClosedSubscriptionFailedAtGoesToTheNextOfThatNameThatHadReadPastIt) {
  Gate successor_saw_two;
  std::binary_semaphore successor_saw_one(0);
  Bus bus(durable());
  Subscription next;
  Subscription leaving;
  leaving = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&) {
        leaving.reset();
        next = bus.subscribe<OrderPlaced>(
            "handler",
            [&](const OrderPlaced& event) {
              seen_.add(event.order_id);
              event.order_id == 2 ? successor_saw_two.open() : successor_saw_one.release();
            },
            queued());
        bus.publish(OrderPlaced{2});
        successor_saw_two.pass();
        throw std::runtime_error("failed after its successor came");
      },
      queued());
  bus.publish(OrderPlaced{1});
  EXPECT_TRUE(successor_saw_one.try_acquire_for(kLong));
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2, 1));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(RecoveryTest, WhatHasNoOrderingKeyAnyMoreIsALetterAndTheOthersGoOn) {
  leave_owed(3);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", sees(), {.dispatch = Dispatch::Queued, .ordering_key = [](const auto& event) {
                            if (event.order_id == 2) throw std::runtime_error("no such customer");
                            return event.customer;
                          }});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 3));
  ASSERT_THAT(journal_->letters(), SizeIs(1));
  const DeadLetter letter = journal_->letters()[0];
  EXPECT_EQ(letter.reason, Reason::Undecodable);
  EXPECT_EQ(letter.error_type, "std::runtime_error");
  EXPECT_EQ(letter.error_message, "no such customer (thrown by the ordering_key of the subscription)");
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(RecoveryTest, WhatThereWasNoMemoryToTakeOverIsTakenOverLater) {
  leave_owed(1);
  std::atomic<bool> short_of_memory{true};
  const auto key = [&](const OrderPlaced&) -> std::string {
    if (short_of_memory.exchange(false)) throw std::bad_alloc();
    return "key";
  };
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", sees(), {.dispatch = Dispatch::Queued, .ordering_key = key});
  while (short_of_memory) std::this_thread::yield();
  advance(1s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

TEST_F(RecoveryTest, WhatIsInMemoryWhenAnotherBusTakesTheJournalIsThatBussToRun) {
  Gate gate;
  Bus bus(durable());
  const auto works = [&](const OrderPlaced& event) {
    if (event.order_id == 1) gate.pass();
    seen_.add(event.order_id);
  };
  auto handler = bus.subscribe<OrderPlaced>("handler", works, queued());
  EXPECT_TRUE(bus.wait_idle(kLong));  // what is published goes straight to the queue from here on
  for (int order = 1; order <= 2; ++order) bus.publish(OrderPlaced{order});
  gate.await_arrival();
  journal_->fail_commits(1'000, ErrorCode::JournalOwned);
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{3}); }), ErrorCode::JournalOwned);
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

}  // namespace
}  // namespace tidings::test
