#include "bus_fixture.hpp"
#include "captures.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

// The unsubscribe guarantee: when reset() has returned, the handler never runs again and its captures are
// freed. docs/testing.md says which test fails when which part of the guarantee is taken out.

namespace tidings::test {
namespace {

class UnsubscribeTest : public BusTest {
 protected:
  static constexpr auto kQueued = Dispatch::Queued;

  /// Until reset() has begun, the handler is listed.
  static void await_removal(const Bus& bus) {
    while (!bus.snapshot().handlers.empty()) std::this_thread::yield();
  }
};

TEST_F(UnsubscribeTest, ResetFreesTheCapturesOfAHandlerThatRunsNowhere) {
  Bus bus(options());
  for (const Dispatch dispatch : {Dispatch::Inline, Dispatch::Queued}) {
    Captures captures;
    int runs = 0;
    auto subscription = bus.subscribe<OrderPlaced>(
        "handler", [&runs, kept = captures.take()](const OrderPlaced&) { ++runs; }, {.dispatch = dispatch});
    bus.publish(OrderPlaced{});
    subscription.reset();
    EXPECT_TRUE(captures.freed());
    EXPECT_FALSE(subscription);
    bus.publish(OrderPlaced{});
    EXPECT_EQ(runs, 1);
  }
}

TEST_F(UnsubscribeTest, ResetWaitsForARunOnAnotherThread) {
  Bus bus(options());
  Gate gate;
  Captures captures;
  std::atomic<bool> left{false};
  auto subscription = bus.subscribe<OrderPlaced>("slow", [&, kept = captures.take()](const OrderPlaced&) {
    gate.pass();
    left = true;
  });
  std::jthread publisher([&] { bus.publish(OrderPlaced{}); });
  gate.await_arrival();
  std::jthread opener([&] {
    await_removal(bus);
    gate.open();
  });
  subscription.reset();
  EXPECT_TRUE(left);
  EXPECT_TRUE(captures.freed());
}

TEST_F(UnsubscribeTest, ResetWaitsForEachOfManyRunsOnManyThreads) {
  Bus bus(options());
  Gate gate;
  Captures captures;
  std::atomic<int> left{0};
  auto subscription = bus.subscribe<OrderPlaced>("slow", [&, kept = captures.take()](const OrderPlaced&) {
    gate.pass();
    ++left;
  });
  std::vector<std::jthread> publishers;
  for (int i = 0; i < 6; ++i) publishers.emplace_back([&] { bus.publish(OrderPlaced{}); });
  for (int i = 0; i < 6; ++i) gate.await_arrival();
  std::jthread opener([&] {
    await_removal(bus);
    gate.open();
  });
  subscription.reset();
  EXPECT_EQ(left, 6);
  EXPECT_TRUE(captures.freed());
}

TEST_F(UnsubscribeTest, ResetWaitsForARunOnAWorker) {
  Bus bus(options());
  Gate gate;
  Captures captures;
  std::atomic<bool> left{false};
  auto subscription = bus.subscribe<OrderPlaced>("slow",
                                                 [&, kept = captures.take()](const OrderPlaced&) {
                                                   gate.pass();
                                                   left = true;
                                                 },
                                                 {.dispatch = kQueued});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  std::jthread opener([&] {
    await_removal(bus);
    gate.open();
  });
  subscription.reset();
  EXPECT_TRUE(left);
  EXPECT_TRUE(captures.freed());
}

TEST_F(UnsubscribeTest, APublishThatBeganBeforeDoesNotRunAHandlerThatWasResetMeanwhile) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;  // the publish keeps a place in the queue of `third`
  Bus bus(hasty);
  Gate gate;
  std::atomic<int> runs{0};
  auto first = bus.subscribe<OrderPlaced>("first", [&](const OrderPlaced&) { gate.pass(); });
  auto second = bus.subscribe<OrderPlaced>("second", [&](const OrderPlaced&) { ++runs; });
  auto third =
      bus.subscribe<OrderPlaced>("third", [&](const OrderPlaced&) { ++runs; }, {.dispatch = kQueued});
  std::jthread publisher([&] { EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U); });
  gate.await_arrival();
  second.reset();  // nobody runs it, and the publisher has the list in which it still stands
  third.reset();
  gate.open();
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(UnsubscribeTest, QueuedDeliveriesAreDrainedFirst) {
  Bus bus(options());
  std::atomic<int> runs{0};
  auto subscription =
      bus.subscribe<OrderPlaced>("queued", [&](const OrderPlaced&) { ++runs; }, {.dispatch = kQueued});
  for (int i = 0; i < 500; ++i) bus.publish(OrderPlaced{});
  subscription.reset();
  EXPECT_EQ(runs, 500);
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(UnsubscribeTest, WhatIsLeftAtTheDeadlineBecomesLettersInOrder) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;
  Bus bus(hasty);
  Gate gate;
  std::atomic<int> runs{0};
  auto subscription = bus.subscribe<OrderPlaced>("queued",
                                                 [&](const OrderPlaced&) {
                                                   ++runs;
                                                   gate.pass();
                                                 },
                                                 {.dispatch = kQueued});
  for (int id = 0; id < 5; ++id) bus.publish(OrderPlaced{.order_id = id});
  gate.await_arrival();
  std::jthread opener([&] {
    while (bus.snapshot().letters_pending < 4) std::this_thread::yield();
    gate.open();
  });
  subscription.reset();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 1);
  ASSERT_EQ(letters_->letters().size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(letters_->letters()[i].reason, Reason::Shutdown);
    EXPECT_EQ(Json::parse(letters_->letters()[i].data.bytes).at("order_id"), i + 1);
  }
}

TEST_F(UnsubscribeTest, WaitingRetriesBecomeLettersWithTheirHistory) {
  Bus bus(options());
  Captures captures;
  auto subscription = bus.subscribe<OrderPlaced>(
      "failing", [kept = captures.take()](const OrderPlaced&) { throw std::runtime_error("not now"); },
      {.retry = {.backoff = constant(1h)}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  subscription.reset();
  EXPECT_TRUE(captures.freed());
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(letters_->letters().size(), 3U);
  for (const DeadLetter& letter : letters_->letters()) {
    EXPECT_EQ(letter.reason, Reason::Shutdown);
    ASSERT_EQ(letter.attempts.size(), 1U);
    EXPECT_EQ(letter.error_message, "not now");
  }
}

TEST_F(UnsubscribeTest, ASubscriptionMayOutliveItsBus) {
  Captures captures;
  Subscription subscription;
  {
    Bus bus(options());
    subscription = bus.subscribe<OrderPlaced>("handler", [kept = captures.take()](const OrderPlaced&) {});
  }
  EXPECT_TRUE(captures.freed());
  EXPECT_TRUE(subscription);
  subscription.reset();
  EXPECT_FALSE(subscription);
}

TEST_F(UnsubscribeTest, AssigningToASubscriptionUnsubscribesTheOldHandlerAndKeepsTheNew) {
  Bus bus(options());
  Captures old_captures;
  Captures new_captures;
  int runs = 0;
  auto subscription =
      bus.subscribe<OrderPlaced>("old", [kept = old_captures.take()](const OrderPlaced&) { FAIL(); });
  auto other =
      bus.subscribe<OrderPlaced>("new", [&, kept = new_captures.take()](const OrderPlaced&) { ++runs; });
  subscription = std::move(other);
  EXPECT_TRUE(old_captures.freed());
  EXPECT_FALSE(new_captures.freed());
  bus.publish(OrderPlaced{});
  EXPECT_EQ(runs, 1);
  Subscription& same = subscription;
  subscription = std::move(same);
  EXPECT_TRUE(subscription);
}

TEST_F(UnsubscribeTest, TheNameIsFreeAgain) {
  Bus bus(options());
  auto first = bus.subscribe<OrderPlaced>("name", [](const OrderPlaced&) {});
  EXPECT_EQ(error_code_of([&] { bus.subscribe<OrderPlaced>("name", [](const OrderPlaced&) {}).keep(); }),
            ErrorCode::DuplicateHandler);
  first.reset();
  auto second = bus.subscribe<OrderPlaced>("name", [](const OrderPlaced&) {});
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(UnsubscribeTest, KeptHandlersAreFreedWithTheBus) {
  Captures captures;
  {
    Bus bus(options());
    bus.subscribe<OrderPlaced>("kept", [kept = captures.take()](const OrderPlaced&) {}).keep();
    EXPECT_FALSE(captures.freed());
  }
  EXPECT_TRUE(captures.freed());
}

/// Writes nothing; lets a test wait for a record.
class AwaitedRecord final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit AwaitedRecord(std::string event) : event_(std::move(event)) {}
  void await() {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [this] { return record_.has_value(); });
  }
  Json record() {
    const std::lock_guard lock(mutex_);
    return *record_;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    Json record = Json::parse(std::string_view(message.payload.data(), message.payload.size()));
    if (record.at("event") == event_ && !record_) record_ = std::move(record);
    written_.notify_all();
  }
  void flush_() override {}

  const std::string event_;
  std::optional<Json> record_;  // guarded by mutex_
  std::condition_variable written_;
};

TEST_F(UnsubscribeTest, AWaitOfOverFiveSecondsIsLogged) {
  const auto awaited = std::make_shared<AwaitedRecord>("waiting_for_handler");
  auto watched = options();
  watched.logger = logging::Logger({.sinks = {{awaited, logging::Format::Json}}});
  Bus bus(watched);
  Gate gate;
  auto slow = bus.subscribe<OrderPlaced>("slow", [&](const OrderPlaced&) { gate.pass(); });
  std::jthread publisher([&] { bus.publish(OrderPlaced{}); });
  gate.await_arrival();
  std::jthread opener([&] {
    awaited->await();
    gate.open();
  });
  slow.reset();
  opener.join();
  const Json record = awaited->record();
  EXPECT_EQ(record.at("level"), "warning");
  EXPECT_EQ(record.at("handler"), "slow");
  EXPECT_EQ(record.at("event_type"), "orders.order_placed");
  EXPECT_GE(record.at("waited_ms"), 5000);
}

}  // namespace
}  // namespace tidings::test
