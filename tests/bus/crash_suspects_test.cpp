#include "durable_fixture.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

/// Deliveries that may have killed the process.
class CrashSuspectsTest : public RecoveryTest {
 protected:
  /// A bus starts, finds the suspects, and its process dies.
  void start_and_die() {
    Bus bus(durable());
    auto left = journal_->after_crash();
    bus.stop(0ms);
    journal_ = std::move(left);
  }
};

TEST_F(CrashSuspectsTest, SuspectsRunOneAtATimeBeforeAllOthers) {
  leave_owed(5);
  journal_->suspect({.journal_id = 2, .handler = "handler"});
  journal_->suspect({.journal_id = 4, .handler = "handler"});
  Bus bus(durable());
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              const int now = ++running;
                                              if (seen_.orders().size() < 2)
                                                most = std::max(most.load(), now);
                                              seen_.add(event.order_id);
                                              --running;
                                            },
                                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  EXPECT_TRUE(bus.wait_idle(kLong));
  const auto orders = seen_.orders();
  ASSERT_THAT(orders, SizeIs(5));
  EXPECT_EQ(orders[0], 2);
  EXPECT_EQ(orders[1], 4);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(journal_->events(), 0U);
}

/// What a suspect's queue owes before it. The key of an order is whether its number is odd.
class SuspectOrderTest : public CrashSuspectsTest {
 protected:
  [[nodiscard]] static SubscribeOptions<OrderPlaced> keyed() {
    return {.dispatch = Dispatch::Queued,
            .retry = {.backoff = constant(1min)},
            .concurrency = 2,
            .ordering_key = [](const OrderPlaced& event) { return std::to_string(event.order_id % 2); }};
  }
  /// So many are owed, and the last of them may have killed the process.
  void suspect_last_of(int count) {
    leave_owed(count);
    journal_->suspect({.journal_id = count, .handler = "handler"});
  }
  /// Something else that is durable: it waits for as long as suspects run.
  void expect_that_others_run(Bus& bus) {
    std::binary_semaphore ran{0};
    auto other = bus.subscribe<OrderShipped>("other", [&](const OrderShipped&) { ran.release(); });
    bus.publish(OrderShipped{9});
    EXPECT_TRUE(ran.try_acquire_for(kLong));
  }
};

TEST_F(SuspectOrderTest, WhatIsOwedEarlierInItsKeyRunsFirstAndAlone) {
  suspect_last_of(5);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  Bus bus(durable());
  const auto watched = [&](const OrderPlaced& event) {
    const int now = ++running;
    if (seen_.orders().size() < 3) most = std::max(most.load(), now);
    seen_.add(event.order_id);
    --running;
  };
  auto handler = bus.subscribe<OrderPlaced>("handler", watched, keyed());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 3, 5, 2, 4));
  EXPECT_EQ(most, 1);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(SuspectOrderTest, ItsTurnIsNotOverWhenThereWasNoMemoryToBeginIt) {
  suspect_last_of(2);
  std::atomic<int> asked{0};
  auto how = keyed();
  how.concurrency = 1;
  how.ordering_key = [&](const OrderPlaced& event) {
    if (event.order_id == 2 && ++asked == 2) throw std::bad_alloc();
    return std::to_string(event.order_id % 2);
  };
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), how);
  while (asked < 2) std::this_thread::yield();
  advance(1s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2, 1));
}

TEST_F(SuspectOrderTest, WithoutKeysEachFirstAttemptBeforeItRunsFirstWhereOneRunsAfterTheOther) {
  suspect_last_of(3);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3));
}

TEST_F(SuspectOrderTest, BehindARetryOfItsKeyItWaitsForItsTurnAndHoldsUpNobody) {
  suspect_last_of(3);
  fail_first_to_be_retried_in(1min);
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), keyed());
  expect_that_others_run(bus);
  while (seen_.orders().empty()) std::this_thread::yield();
  advance(1min);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2, 1, 3));
}

TEST_F(SuspectOrderTest, SoItDoesWhenWhatRanFirstIsToBeRetried) {
  suspect_last_of(3);
  Bus bus(durable());
  const auto fails_at_first = [&](const OrderPlaced& event, const EventContext& context) {
    if (event.order_id == 1 && context.attempt() == 1) throw std::runtime_error("no");
    seen_.add(event.order_id);
  };
  auto handler = bus.subscribe<OrderPlaced>("handler", fails_at_first, keyed());
  expect_that_others_run(bus);
  while (seen_.orders().empty()) std::this_thread::yield();
  advance(1min);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2, 1, 3));
}

TEST_F(SuspectOrderTest, BehindADeadOneOfItsKeyItIsParked) {
  suspect_last_of(3);
  Bus bus(durable());
  auto parking = keyed();
  parking.after_death = AfterDeath::Park;
  const auto fails = [&](const OrderPlaced& event) {
    if (event.order_id == 1) throw Permanent("no");
    seen_.add(event.order_id);
  };
  auto handler = bus.subscribe<OrderPlaced>("handler", fails, parking);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2));
  ASSERT_THAT(journal_->letters(), SizeIs(2));
  EXPECT_EQ(journal_->letters()[1].reason, Reason::Parked);
}

TEST_F(CrashSuspectsTest, ASecondWaitsUntilTheFirstHasReturned) {
  leave_owed(2);
  for (const int order : {1, 2}) journal_->suspect({.journal_id = order, .handler = "handler"});
  Bus bus(durable());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              gate.pass();
                                              seen_.add(event.order_id);
                                            },
                                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  gate.await_arrival();
  bus.notify();
  clock_->await_waiter();  // It has been looked at again.
  const auto now = bus.snapshot().handlers.at(0);
  EXPECT_EQ(now.queued + now.running, 1U);
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2));
}

TEST_F(CrashSuspectsTest, NewEventsWaitInTheJournalWhileSuspectsRun) {
  leave_owed(1);
  journal_->suspect({.journal_id = 1, .handler = "handler"});
  Bus bus(durable());
  Gate gate;
  auto suspect = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { gate.pass(); }, queued());
  gate.await_arrival();
  auto other =
      bus.subscribe<OrderShipped>("other", [&](const OrderShipped& event) { seen_.add(event.order_id); });
  EXPECT_EQ(bus.publish(OrderShipped{9}).scheduled, 1U);
  EXPECT_THAT(seen_.orders(), IsEmpty());
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(9));
}

TEST_F(SuspectOrderTest, WhatHasCrashedTooOftenKeepsItsKeyAndParksWhatFollows) {
  leave_owed(4);
  for (int crash = 1; crash <= 3; ++crash) {
    if (crash > 1) start_and_die();
    journal_->suspect({.journal_id = 3, .handler = "handler", .alone = true});
  }
  Bus bus(durable());
  auto parking = keyed();
  parking.after_death = AfterDeath::Park;
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), parking);
  bus.publish(OrderPlaced{5});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), UnorderedElementsAre(1, 2, 4));
  ASSERT_THAT(journal_->letters(), SizeIs(2));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Crashed);
  EXPECT_EQ(journal_->letters()[0].ordering_key, "1");
  EXPECT_EQ(journal_->letters()[1].reason, Reason::Parked);
}

TEST_F(CrashSuspectsTest, ACrashAloneCountsAndTheLastOneMakesALetter) {
  leave_owed(2);
  for (int crash = 1; crash <= 2; ++crash) {
    journal_->suspect({.journal_id = 1, .handler = "handler", .alone = true});
    start_and_die();
    EXPECT_EQ(journal_->known(1, "handler").crashes, static_cast<std::uint32_t>(crash));
    EXPECT_THAT(journal_->letters(), IsEmpty());
  }
  journal_->suspect({.journal_id = 1, .handler = "handler", .alone = true});
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2));
  ASSERT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Crashed);
  EXPECT_THAT(journal_->letters()[0].attempts, SizeIs(3));
  EXPECT_EQ(journal_->letters()[0].attempts[0].error_type, "tidings::crashed");
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(CrashSuspectsTest, SoDoFourTimesAsManyInARowInWhichNothingElseOfTheJournalRan) {
  leave_owed(2);
  journal_->suspect({.journal_id = 1, .handler = "handler", .sole_crashes = 11});
  start_and_die();
  EXPECT_EQ(journal_->known(1, "handler").crashes, 0U);
  EXPECT_THAT(journal_->letters(), IsEmpty());
  journal_->suspect({.journal_id = 1, .handler = "handler", .sole_crashes = 12});
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2));
  ASSERT_THAT(journal_->letters(), SizeIs(1));
  EXPECT_EQ(journal_->letters()[0].reason, Reason::Crashed);
  EXPECT_EQ(journal_->letters()[0].error_message,
            "the process died 12 times in a row while no other durable delivery was running");
}

TEST_F(CrashSuspectsTest, WhatHasCrashedWaitsForNoEarlierRetry) {
  leave_owed(1);
  fail_first_to_be_retried_in(1min);
  clock_->set_wall(clock_->now() - 48h);
  journal_->suspect({.journal_id = 1, .handler = "handler", .alone = true});
  start_and_die();
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

TEST_F(CrashSuspectsTest, BystandersOfACrashAreNeverCounted) {
  leave_owed(2);
  for (int crash = 0; crash < 10; ++crash) {
    journal_->suspect({.journal_id = 1, .handler = "handler"});
    journal_->suspect({.journal_id = 2, .handler = "handler"});
    start_and_die();
    EXPECT_EQ(journal_->known(1, "handler").crashes, 0U);
  }
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), queued());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2));
  EXPECT_THAT(journal_->letters(), IsEmpty());
}

TEST_F(CrashSuspectsTest, NobodyWaitsForASuspectWhoseHandlerDoesNotComeBack) {
  leave_owed(1, "retired");
  journal_->suspect({.journal_id = 1, .handler = "retired"});
  Bus bus(durable());
  auto handler =
      bus.subscribe<OrderShipped>("other", [&](const OrderShipped& event) { seen_.add(event.order_id); });
  EXPECT_EQ(bus.publish(OrderShipped{1}).scheduled, 1U);
  advance(10s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

TEST_F(CrashSuspectsTest, AttemptsOccupyACrashSlotWhileTheyRun) {
  Bus bus(durable());
  std::vector<std::int64_t> during;
  const auto look = [&] {
    during.clear();
    for (const CrashSlot& slot : journal_->crash_slots()) {
      if (slot.journal_id.load() != 0) during.push_back(slot.journal_id.load());
    }
  };
  auto inline_one = bus.subscribe<OrderPlaced>("inline", [&](const OrderPlaced&) { look(); });
  bus.publish(OrderPlaced{});
  EXPECT_THAT(during, ElementsAre(1));
  bus.publish(OrderPlaced{}, {.durability = Durability::None});
  EXPECT_THAT(during, ElementsAre(-1));
  EXPECT_TRUE(bus.wait_idle(kLong));
  look();
  EXPECT_THAT(during, IsEmpty());
}

TEST_F(CrashSuspectsTest, AttemptsOfWorkersAndRetriesOccupyACrashSlot) {
  Bus bus(durable());
  std::vector<std::int64_t> during;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&, const EventContext& context) {
        for (const CrashSlot& slot : journal_->crash_slots()) {
          const auto id = slot.journal_id.load();
          if (id != 0) during.push_back(id * 10 + context.attempt());
        }
        if (context.attempt() == 1) throw std::runtime_error("no");
      },
      queued());
  bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(during, ElementsAre(11, 12));
}

}  // namespace
}  // namespace tidings::test
