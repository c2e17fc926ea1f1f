#include "bus_fixture.hpp"
#include "gate.hpp"
#include "queue/places.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tidings::test {
namespace {

class QueueBoundsTest : public BusTest {
 protected:
  static SubscribeOptions<OrderPlaced> bounded(std::size_t capacity, WhenFull when_full = WhenFull::Block) {
    return {.dispatch = Dispatch::Queued, .queue_capacity = capacity, .when_full = when_full};
  }
};

TEST_F(QueueBoundsTest, AFullQueueBlocksThePublisherUntilThereIsRoom) {
  Bus bus(options());
  std::counting_semaphore<> may_run(0);
  std::atomic<int> runs{0};
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&) {
        may_run.acquire();
        ++runs;
      },
      bounded(2));
  std::atomic<int> published{0};
  std::jthread publisher([&] {
    for (int i = 0; i < 50; ++i) {
      bus.publish(OrderPlaced{});
      ++published;
    }
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_LE(published - runs, 3);  // two places, and one that was given back before it was counted
    may_run.release();
  }
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 50);
}

TEST_F(QueueBoundsTest, AFullQueueRefusesWhenToldAndSaysWhatToDo) {
  Bus bus(options());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { gate.pass(); }, bounded(3, WhenFull::Throw));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  try {
    bus.publish(OrderPlaced{});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::QueueFull);
    EXPECT_NE(std::string_view(error.what()).find("'handler' holds its limit of 3"), std::string_view::npos);
    EXPECT_NE(std::string_view(error.what()).find("queue_capacity"), std::string_view::npos);
  }
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
}

TEST_F(QueueBoundsTest, ARefusedPublishDeliveredNothingAndTookNoPlaceInOtherQueues) {
  Bus bus(options());
  Gate gate;
  std::atomic<int> inline_runs{0};
  std::atomic<int> roomy_runs{0};
  auto here = bus.subscribe<OrderPlaced>("here", [&](const OrderPlaced&) { ++inline_runs; });
  auto roomy = bus.subscribe<OrderPlaced>(
      "roomy", [&](const OrderPlaced&) { ++roomy_runs; }, bounded(2));
  auto full = bus.subscribe<OrderPlaced>(
      "full", [&](const OrderPlaced&) { gate.pass(); }, bounded(1, WhenFull::Throw));
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::QueueFull);
  EXPECT_EQ(inline_runs, 1);
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(roomy_runs, 1);
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 2U);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(roomy_runs, 2);
}

TEST_F(QueueBoundsTest, OnAWorkerPublishDoesNotBlockButThrows) {
  Bus bus(options());
  Gate gate;
  std::promise<ErrorCode> refused;
  auto full = bus.subscribe<OrderPlaced>(
      "full", [&](const OrderPlaced&) { gate.pass(); }, bounded(1));
  auto nested = bus.subscribe<OrderShipped>(
      "nested",
      [&](const OrderShipped&) { refused.set_value(error_code_of([&] { bus.publish(OrderPlaced{}); })); },
      {.dispatch = Dispatch::Queued});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  bus.publish(OrderShipped{});
  EXPECT_EQ(refused.get_future().get(), ErrorCode::QueueFull);
  gate.open();
}

TEST_F(QueueBoundsTest, TwoPublishersAndTwoQueuesOfOnePlaceDoNotDeadlock) {
  Bus bus(options());
  std::atomic<int> runs{0};
  const auto count = [&](const OrderPlaced&) { ++runs; };
  auto first = bus.subscribe<OrderPlaced>("first", count, bounded(1));
  auto second = bus.subscribe<OrderPlaced>("second", count, bounded(1));
  constexpr int kEach = 500;
  {
    std::vector<std::jthread> publishers;
    for (int i = 0; i < 3; ++i) {
      publishers.emplace_back([&] {
        for (int id = 0; id < kEach; ++id) EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 2U);
      });
    }
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 2 * 3 * kEach);
}

TEST_F(QueueBoundsTest, WhatWaitsBehindARetryOfItsKeyCounts) {
  Bus bus(options());
  auto keyed = bounded(3, WhenFull::Throw);
  keyed.retry.backoff = constant(1h);
  keyed.ordering_key = [](const OrderPlaced&) { return std::string("one"); };
  auto failing = bus.subscribe<OrderPlaced>(
      "failing", [](const OrderPlaced&) { throw std::runtime_error("x"); }, keyed);
  for (int i = 0; i < 3; ++i) bus.publish(OrderPlaced{});
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::QueueFull);
}

TEST_F(QueueBoundsTest, ResetOfAFullHandlerWakesThePublisherThatWaitsForIt) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;
  Bus bus(hasty);
  Gate gate;
  auto full = bus.subscribe<OrderPlaced>(
      "full", [&](const OrderPlaced&) { gate.pass(); }, bounded(1));
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  std::jthread publisher([&] { EXPECT_LE(bus.publish(OrderPlaced{}).scheduled, 1U); });
  std::jthread opener([&] {
    while (!bus.snapshot().handlers.empty()) std::this_thread::yield();
    gate.open();
  });
  full.reset();
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
}

TEST_F(QueueBoundsTest, FirstAttemptsRunInTheOrderOfPublishing) {
  Bus bus(options());
  std::vector<std::int64_t> seen;
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& e) { seen.push_back(e.order_id); },
                                 {.dispatch = Dispatch::Queued, .queue_capacity = 16});
  for (std::int64_t id = 0; id < 2000; ++id) bus.publish(OrderPlaced{.order_id = id});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen.size(), 2000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_F(QueueBoundsTest, NoMoreThanConcurrencyRunAtOnce) {
  auto many = options();
  many.workers = 4;
  Bus bus(many);
  std::atomic<int> inside{0};
  std::atomic<bool> exceeded{false};
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              if (++inside > 2) exceeded = true;
                                              std::this_thread::yield();
                                              --inside;
                                            },
                                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  for (int i = 0; i < 1000; ++i) bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_FALSE(exceeded);
}

TEST_F(QueueBoundsTest, ABusyHandlerDoesNotKeepTheOnlyWorkerFromOthers) {
  auto single = options();
  single.workers = 1;
  Bus bus(single);
  Gate gate;
  std::atomic<int> busy_runs{0};
  std::promise<int> busy_runs_at_turn;
  auto busy = bus.subscribe<OrderPlaced>("busy",
                                         [&](const OrderPlaced&) {
                                           gate.pass();
                                           ++busy_runs;
                                         },
                                         {.dispatch = Dispatch::Queued});
  auto other = bus.subscribe<OrderShipped>(
      "other", [&](const OrderShipped&) { busy_runs_at_turn.set_value(busy_runs); },
      {.dispatch = Dispatch::Queued});
  for (int i = 0; i < 1000; ++i) bus.publish(OrderPlaced{});
  gate.await_arrival();
  bus.publish(OrderShipped{});
  gate.open();
  EXPECT_LE(busy_runs_at_turn.get_future().get(), 64);  // or what takes a millisecond, if that is less
  EXPECT_TRUE(bus.wait_idle(kLong));
}

TEST_F(QueueBoundsTest, WaitIdleGivesUpAtItsTimeoutAlsoUnderConstantTraffic) {
  Bus bus(options());
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {}, {.dispatch = Dispatch::Queued});
  std::atomic<bool> done{false};
  std::jthread publisher([&] {
    while (!done) bus.publish(OrderPlaced{});
  });
  for (int i = 0; i < 5; ++i) static_cast<void>(bus.wait_idle(20ms));  // returning at all is the promise
  done = true;
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
}

TEST(Places, AreTakenUpToTheCapacityAndNoFurtherUntilOneIsGivenBack) {
  detail::Places places(2);
  EXPECT_TRUE(places.try_take());
  EXPECT_TRUE(places.try_take());
  EXPECT_FALSE(places.try_take());
  places.take();
  EXPECT_EQ(places.occupied(), 3U);
  places.give_back();
  EXPECT_FALSE(places.try_take());
  EXPECT_FALSE(places.has_room());
  places.give_back();
  EXPECT_TRUE(places.has_room());
  EXPECT_TRUE(places.try_take());
  EXPECT_EQ(places.taken(), 4U);
}

TEST(Places, AreNeverMoreThanTheCapacityWhoeverTakesAndGivesBack) {
  constexpr int kCapacity = 3;
  detail::Places places(kCapacity);
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int taken = 0; taken < 5000;) {
          if (!places.try_take()) continue;
          ++taken;
          if (const int now = ++held; now > most) most = now;
          --held;
          places.give_back();
        }
      });
    }
  }
  EXPECT_LE(most, kCapacity);
  EXPECT_EQ(places.occupied(), 0U);
  EXPECT_EQ(places.taken(), 20'000U);
}

TEST_F(QueueBoundsTest, NothingWaitsBehindASlowHandlerWhileAnotherWorkerIsFree) {
  Bus bus(options());
  Gate both_busy;
  Gate slow;
  std::counting_semaphore<> quick(0);
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              if (event.customer == "first") return both_busy.pass();
                                              if (event.customer == "slow") return slow.pass();
                                              quick.release();
                                            },
                                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  for (int i = 0; i < 2; ++i) bus.publish(OrderPlaced{.customer = "first"});
  for (int i = 0; i < 2; ++i) both_busy.await_arrival();
  // A worker takes several of these at once, the slow one first.
  bus.publish(OrderPlaced{.customer = "slow"});
  for (int i = 0; i < 63; ++i) bus.publish(OrderPlaced{});
  both_busy.open();
  slow.await_arrival();
  for (int i = 0; i < 63; ++i) ASSERT_TRUE(quick.try_acquire_for(kLong)) << i;
  slow.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
}

TEST_F(QueueBoundsTest, ABurstIsHandledInOrderWhileMoreComes) {
  Bus bus(options());
  std::vector<std::int64_t> seen;  // by one worker at a time
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced& event) { seen.push_back(event.order_id); },
                                 {.dispatch = Dispatch::Queued});
  constexpr std::int64_t kEvents = 5000;
  for (std::int64_t id = 0; id < kEvents; ++id) bus.publish(OrderPlaced{.order_id = id});
  ASSERT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(seen.size(), static_cast<std::size_t>(kEvents));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

}  // namespace
}  // namespace tidings::test
