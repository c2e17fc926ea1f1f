#include "durable_fixture.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;

/// What the journal alone holds of a handler's deliveries, and how it is read while other threads change it.
class BacklogTest : public RecoveryTest {
 protected:
  [[nodiscard]] BusOptions with_workers(std::size_t workers) {
    BusOptions result = durable();
    result.workers = workers;
    return result;
  }
};

TEST_F(BacklogTest, FillsNoMoreOfMemoryThanTheQueueHasRoomFor) {
  Bus bus(durable());
  Gate gate;
  std::atomic<std::size_t> most{0};
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              if (event.order_id == 1) gate.pass();
                                              const auto now = bus.snapshot().handlers.at(0);
                                              most = std::max(most.load(), now.queued + now.running);
                                            },
                                            {.dispatch = Dispatch::Queued, .queue_capacity = 3});
  for (int order = 1; order <= 300; ++order) bus.publish(OrderPlaced{order});
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_LE(most, 3U);
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(BacklogTest, IsNotReadPastAnEventThatIsBeingCommitted) {
  Gate committing;
  std::once_flag read_so_far;
  journal_->before_commit = [&](const JournalBatch& batch) {
    if (!batch.appended.empty() && batch.appended.front().id == 3) committing.pass();
  };
  journal_->after_read = [&](const OwedQuery& query) {
    if (query.after == 2) std::call_once(read_so_far, [&] { committing.open(); });
  };
  Bus bus(durable());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              if (event.order_id == 1) gate.pass();
                                              seen_.add(event.order_id);
                                            },
                                            {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  for (int order = 1; order <= 2; ++order) bus.publish(OrderPlaced{order});
  std::thread publisher([&] { bus.publish(OrderPlaced{3}); });
  committing.await_arrival();
  gate.open();
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(BacklogTest, DoesNotRepeatADeliveryThatEndedAfterItsRowWasRead) {
  Gate second;
  Gate reading;
  std::binary_semaphore left(0);
  Bus bus(with_workers(2));
  Subscription leaving;
  const auto works = [&](const OrderPlaced& event) {
    if (event.order_id == 2) return second.pass();
    second.await_arrival();
    leaving.reset();
    left.release();
    throw std::runtime_error("stays owed");
  };
  leaving = bus.subscribe<OrderPlaced>("handler", works, {.dispatch = Dispatch::Queued, .concurrency = 2});
  for (int order = 1; order <= 2; ++order) bus.publish(OrderPlaced{order});
  left.acquire();
  // Reads both rows, and takes the first over while the second's delivery ends, and its row goes.
  auto next = bus.subscribe<OrderPlaced>(
      "handler", sees(), {.dispatch = Dispatch::Queued, .ordering_key = [&](const auto& event) {
                            if (event.order_id == 1) reading.pass();
                            return std::to_string(event.order_id);
                          }});
  reading.await_arrival();
  second.open();
  while (journal_->has(2)) bus.publish(OrderShipped{});
  reading.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1));
}

TEST_F(BacklogTest, WhatFindsTheQueueOfAClosedHandlerFullGoesToTheNextOfThatName) {
  Bus bus(with_workers(2));
  Gate gate;
  auto closed = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); },
                                           {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  Subscription next;
  const auto replaces = [&](const OrderPlaced& event) {
    if (event.order_id == 1) return std::string("key");
    closed.reset();
    next = bus.subscribe<OrderPlaced>("handler", sees());
    return std::string("key");
  };
  auto other = bus.subscribe<OrderPlaced>("other", [](const OrderPlaced&) {},
                                          {.dispatch = Dispatch::Queued, .ordering_key = replaces});
  bus.publish(OrderPlaced{1});
  gate.await_arrival();
  bus.publish(OrderPlaced{2});  // to those who had subscribed when it began
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(2));
}

TEST_F(BacklogTest, OfASubscriptionMadeMeanwhileIsWaitedForToo) {
  std::atomic<bool> waiting{false};
  Gate gate;
  Subscription late;
  std::optional<Bus> bus;
  journal_->before_commit = [&](const JournalBatch&) {
    if (!waiting.exchange(false)) return;
    late = bus->subscribe<OrderShipped>("late", [&](const OrderShipped&) { gate.pass(); },
                                        {.dispatch = Dispatch::Queued});
    bus->publish(OrderShipped{}, {.durability = Durability::None});
  };
  bus.emplace(durable());
  auto handler = bus->subscribe<OrderPlaced>("handler", sees());
  EXPECT_TRUE(bus->wait_idle(kLong));
  EXPECT_EQ(bus->publish(OrderPlaced{1}).handled, 1U);
  waiting = true;  // The next commit is that of wait_idle: the clock stands still.
  EXPECT_FALSE(bus->wait_idle(20ms));
  gate.open();
  EXPECT_TRUE(bus->wait_idle(kLong));
  late.reset();
}

/// A delivery goes back to the journal just while that is read.
class BacklogRaceTest : public BacklogTest {
 protected:
  /// Order 1 fails in a handler whose subscription is gone, while the successor, with a queue for so many, is
  /// reading order 2 back and may not get on.
  void fail_at_one_while_two_is_read(std::size_t capacity) {
    Gate reading;
    Gate first;
    Bus bus(with_workers(1));
    // Comes after the failure, on the only worker.
    auto last = bus.subscribe<OrderShipped>("last", [&](const OrderShipped&) { reading.open(); },
                                            {.dispatch = Dispatch::Queued});
    const SubscribeOptions<OrderPlaced> keyed{
        .dispatch = Dispatch::Queued, .queue_capacity = capacity, .ordering_key = [&](const auto& event) {
          if (event.order_id == 2) reading.pass();
          return std::to_string(event.order_id);
        }};
    Subscription next;
    Subscription leaving;
    const auto fails = [&](const OrderPlaced&) {
      first.pass();
      leaving.reset();
      next = bus.subscribe<OrderPlaced>("handler", sees(), keyed);
      reading.await_arrival();
      throw std::runtime_error("failed after its successor came");
    };
    leaving = bus.subscribe<OrderPlaced>("handler", fails, queued());
    for (int order = 1; order <= 2; ++order) bus.publish(OrderPlaced{order});
    first.await_arrival();
    bus.publish(OrderShipped{3}, {.durability = Durability::None});
    first.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
  }
};

TEST_F(BacklogRaceTest, WhatIsLeftBehindThePlaceThatIsReadIsDelivered) {
  fail_at_one_while_two_is_read(1);  // order 1 has been read, and passed over as it ran
  EXPECT_THAT(seen_.orders(), ::testing::UnorderedElementsAre(1, 2));
  EXPECT_EQ(journal_->events(), 0U);
}

TEST_F(BacklogRaceTest, WhatIsLeftAmongThatWhichIsReadIsDelivered) {
  fail_at_one_while_two_is_read(2);  // both are read at once
  EXPECT_THAT(seen_.orders(), ::testing::UnorderedElementsAre(1, 2));
  EXPECT_EQ(journal_->events(), 0U);
}

}  // namespace
}  // namespace tidings::test
