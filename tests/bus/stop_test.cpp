#include "bus_fixture.hpp"
#include "counting_sink.hpp"
#include "gate.hpp"
#include "held_order.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <future>
#include <limits>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// An order that holds up whoever copies it, at a gate if it has one: a publish can be stopped after it was
/// accepted and before it has reached any handler.
struct CopiedOrder {
  static constexpr std::string_view event_type = "orders.copied";
  explicit CopiedOrder(Gate* at_copy = nullptr) : gate(at_copy) {}
  CopiedOrder(const CopiedOrder& other) : gate(other.gate) {
    if (gate != nullptr) gate->pass();
  }
  CopiedOrder& operator=(const CopiedOrder&) = delete;
  ~CopiedOrder() = default;
  Gate* gate;

  friend void to_json(Json& json, const CopiedOrder&) { json = Json::object(); }
  friend void from_json(const Json&, CopiedOrder&) {}
};

class StopTest : public BusTest {
 protected:
  static constexpr auto kQueued = Dispatch::Queued;

  /// A queued handler of HeldOrder by customer that fails, and is not to be tried again before an hour.
  static Subscription failing_by_customer(Bus& bus, Gate& gate, AfterDeath after_death) {
    return bus.subscribe<HeldOrder>("failing",
                                    [&](const HeldOrder&) {
                                      gate.pass();
                                      throw std::runtime_error("not now");
                                    },
                                    {.dispatch = kQueued,
                                     .retry = {.backoff = constant(1h)},
                                     .ordering_key = [](const HeldOrder& order) { return order.customer; },
                                     .after_death = after_death});
  }
  template <class Result>
  static bool ends_soon(const std::future<Result>& work) {
    for (int look = 0; look < 10'000; ++look) {
      if (work.wait_for(0s) == std::future_status::ready) return true;
      std::this_thread::yield();
    }
    return false;
  }
  std::vector<std::pair<std::int64_t, Reason>> letters() const {
    std::vector<std::pair<std::int64_t, Reason>> result;
    for (const DeadLetter& letter : letters_->letters())
      result.emplace_back(Json::parse(letter.data.bytes).at("order_id"), letter.reason);
    return result;
  }
};

TEST_F(StopTest, AStoppedBusRefusesPublishAndSubscribe) {
  Bus bus(options());
  int runs = 0;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { ++runs; });
  EXPECT_TRUE(bus.stop(kLong).drained);
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::BusStopped);
  EXPECT_EQ(error_code_of([&] { bus.publish("by.name", Json::object()); }), ErrorCode::BusStopped);
  EXPECT_EQ(error_code_of([&] { bus.subscribe<OrderShipped>("late", [](const OrderShipped&) {}).keep(); }),
            ErrorCode::BusStopped);
  EXPECT_EQ(runs, 0);
  EXPECT_FALSE(bus.snapshot().accepting);
}

TEST_F(StopTest, WhatIsQueuedIsDrained) {
  Bus bus(options());
  std::atomic<int> runs{0};
  auto one = bus.subscribe<OrderPlaced>("one", [&](const OrderPlaced&) { ++runs; }, {.dispatch = kQueued});
  auto four = bus.subscribe<OrderPlaced>("four", [&](const OrderPlaced&) { ++runs; },
                                         {.dispatch = kQueued, .concurrency = 4});
  for (int i = 0; i < 300; ++i) bus.publish(OrderPlaced{});
  const StopReport report = bus.stop(kLong);
  EXPECT_TRUE(report.drained);
  EXPECT_EQ(report.settled_as_letters, 0U);
  EXPECT_THAT(report.still_running, IsEmpty());
  EXPECT_EQ(runs, 600);
}

TEST_F(StopTest, BlockedPublishersWakeAndThrow) {
  Bus bus(options());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); },
                                            {.dispatch = kQueued, .queue_capacity = 1});
  std::atomic<int> accepted{0};
  const auto publish_until_refused = [&] {
    return error_code_of([&] {
      for (;;) {
        bus.publish(OrderPlaced{});
        ++accepted;
      }
    });
  };
  auto first = std::async(std::launch::async, publish_until_refused);
  auto second = std::async(std::launch::async, publish_until_refused);
  gate.await_arrival();  // the only place is taken: both block now or soon
  bus.stop(0ms);
  EXPECT_EQ(first.get(), ErrorCode::BusStopped);
  EXPECT_EQ(second.get(), ErrorCode::BusStopped);
  EXPECT_EQ(accepted, 1);
  gate.open();
}

TEST_F(StopTest, AtTheDeadlineTheStuckHandlerIsNamedAndTheRestBecomesLetters) {
  Bus bus(options());
  Gate gate;
  auto stuck =
      bus.subscribe<OrderPlaced>("stuck", [&](const OrderPlaced&) { gate.pass(); }, {.dispatch = kQueued});
  for (int id = 0; id < 4; ++id) bus.publish(OrderPlaced{.order_id = id});
  gate.await_arrival();
  const StopReport report = bus.stop(0ms);
  EXPECT_FALSE(report.drained);
  EXPECT_EQ(report.settled_as_letters, 3U);
  EXPECT_THAT(report.still_running, ElementsAre("orders.order_placed/stuck"));
  ASSERT_EQ(letters_->letters().size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(letters_->letters()[i].reason, Reason::Shutdown);
    EXPECT_EQ(Json::parse(letters_->letters()[i].data.bytes).at("order_id"), i + 1);
  }
  gate.open();
}

TEST_F(StopTest, ASecondStopWaitsForWhatTheFirstLeftRunning) {
  Bus bus(options());
  Gate gate;
  auto stuck =
      bus.subscribe<OrderPlaced>("stuck", [&](const OrderPlaced&) { gate.pass(); }, {.dispatch = kQueued});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  EXPECT_EQ(bus.stop(0ms).still_running.size(), 1U);
  gate.open();
  const StopReport second = bus.stop(kLong);
  EXPECT_TRUE(second.drained);
  EXPECT_THAT(second.still_running, IsEmpty());
  EXPECT_EQ(capture_.count("bus_stopped"), 1U);
}

TEST_F(StopTest, WaitingRetriesAreNotWaitedForButBecomeLetters) {
  Bus bus(options());
  auto failing =
      bus.subscribe<OrderPlaced>("failing", [](const OrderPlaced&) { throw std::runtime_error("not now"); },
                                 {.retry = {.backoff = constant(1h)}});
  bus.publish(OrderPlaced{});
  bus.publish(OrderPlaced{});
  const StopReport report = bus.stop(kLong);
  EXPECT_EQ(report.settled_as_letters, 2U);
  EXPECT_FALSE(report.drained);
  EXPECT_EQ(letters_->letters().size(), 2U);
}

TEST_F(StopTest, AFailureWhileDrainingIsALetterAndIsReported) {
  Bus bus(options());
  Gate gate;
  auto failing = bus.subscribe<OrderPlaced>("failing",
                                            [&](const OrderPlaced&) {
                                              gate.pass();
                                              throw std::runtime_error("not now");
                                            },
                                            {.dispatch = kQueued, .retry = {.backoff = constant(1h)}});
  bus.publish(OrderPlaced{});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  auto stopping = std::async(std::launch::async, [&] { return bus.stop(kLong); });
  while (bus.snapshot().accepting) std::this_thread::yield();
  gate.open();
  const StopReport report = stopping.get();
  EXPECT_EQ(letters_->letters().size(), 2U);
  EXPECT_EQ(letters_->letters()[1].reason, Reason::Shutdown);
  EXPECT_GE(report.settled_as_letters, 1U);
  EXPECT_FALSE(report.drained);
}

TEST_F(StopTest, WhatWaitsBehindARetryOfItsKeyIsSettledAndCounted) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>(
      "failing", [](const OrderPlaced&) { throw std::runtime_error("not now"); },
      {.dispatch = kQueued, .retry = {.backoff = constant(1h)}, .ordering_key = [](const OrderPlaced& e) {
         return e.customer;
       }});
  for (int id = 0; id < 4; ++id) bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
  while (bus.snapshot().handlers[0].waiting < 4) std::this_thread::yield();
  EXPECT_EQ(bus.stop(kLong).settled_as_letters, 4U);
  ASSERT_EQ(letters_->letters().size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(letters_->letters()[i].ordering_key, "Ada");
    EXPECT_EQ(Json::parse(letters_->letters()[i].data.bytes).at("order_id"), i);
  }
}

TEST_F(StopTest, WhatAnAcceptedPublishHasNotDeliveredAtTheDeadlineBecomesLetters) {
  Bus bus(options());
  Gate gate;
  std::atomic<int> runs{0};
  const auto count = [&](const OrderPlaced&) { ++runs; };
  auto first = bus.subscribe<OrderPlaced>("first", [&](const OrderPlaced&) { gate.pass(); });
  auto second = bus.subscribe<OrderPlaced>("second", count);
  auto third = bus.subscribe<OrderPlaced>(
      "third", count, {.dispatch = kQueued, .ordering_key = [](const OrderPlaced& e) { return e.customer; }});
  auto publisher =
      std::async(std::launch::async, [&] { return bus.publish(OrderPlaced{.customer = "Ada"}); });
  gate.await_arrival();
  EXPECT_THAT(bus.stop(0ms).still_running, ElementsAre("orders.order_placed/first"));
  gate.open();
  const PublishResult result = publisher.get();
  EXPECT_EQ(result.handled, 1U);
  EXPECT_EQ(result.dead, 2U);
  EXPECT_EQ(runs, 0);
  ASSERT_EQ(letters_->letters().size(), 2U);
  EXPECT_EQ(letters_->letters()[0].handler, "second");
  EXPECT_EQ(letters_->letters()[1].handler, "third");
  EXPECT_EQ(letters_->letters()[1].ordering_key, "Ada");
  EXPECT_EQ(letters_->letters()[1].reason, Reason::Shutdown);
}

TEST_F(StopTest, WaitsForAPublishThatHasReachedNoHandlerYetAndDrainsIt) {
  Bus bus(options());
  Gate gate;
  std::atomic<int> runs{0};
  auto handler =
      bus.subscribe<CopiedOrder>("handler", [&](const CopiedOrder&) { ++runs; }, {.dispatch = kQueued});
  auto publisher = std::async(std::launch::async, [&] { return bus.publish(CopiedOrder(&gate)); });
  gate.await_arrival();
  auto stopping = std::async(std::launch::async, [&] { return bus.stop(kLong); });
  while (bus.snapshot().accepting) std::this_thread::yield();
  EXPECT_FALSE(ends_soon(stopping));
  gate.open();
  EXPECT_EQ(publisher.get().scheduled, 1U);
  EXPECT_TRUE(stopping.get().drained);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(letters_->letters().size(), 0U);
}

TEST_F(StopTest, TheDestructorWaitsForAPublishThatHasReachedNoHandlerYet) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;
  auto bus = std::make_unique<Bus>(hasty);
  Gate gate;
  auto handler = bus->subscribe<CopiedOrder>("handler", [](const CopiedOrder&) {}, {.dispatch = kQueued});
  auto publisher =
      std::async(std::launch::async, [&, target = bus.get()] { return target->publish(CopiedOrder(&gate)); });
  gate.await_arrival();
  auto ending = std::async(std::launch::async, [&] { bus.reset(); });
  while (capture_.count("bus_stopped") == 0) std::this_thread::yield();
  EXPECT_FALSE(ends_soon(ending));
  gate.open();
  EXPECT_EQ(publisher.get().dead, 1U);
  ending.get();
  EXPECT_EQ(letters_->letters().at(0).reason, Reason::Shutdown);
}

TEST_F(StopTest, ALetterThatAResetMakesAfterTheBusIsGoneIsStored) {
  auto bus = std::make_unique<Bus>(options());
  Gate gate;
  auto failing =
      bus->subscribe<HeldOrder>("failing", [](const HeldOrder&) { throw std::runtime_error("not now"); },
                                {.retry = {.backoff = constant(1h)}});
  bus->publish(HeldOrder{.order_id = 7, .customer = "Ada", .gate = &gate});
  auto resetting = std::async(std::launch::async, [&] { failing.reset(); });
  gate.await_arrival();
  bus.reset();
  EXPECT_THAT(letters(), IsEmpty());
  gate.open();
  resetting.get();
  EXPECT_THAT(letters(), ElementsAre(std::pair(7, Reason::Shutdown)));
}

TEST_F(StopTest, WhatWaitsBehindADeliveryThatAStopEndedIsALetterOfTheSameReason) {
  for (const AfterDeath after_death : {AfterDeath::Continue, AfterDeath::Park}) {
    letters_ = std::make_shared<MemoryLetterSink>();
    Bus bus(options());
    Gate gate;
    auto failing = failing_by_customer(bus, gate, after_death);
    for (int id = 0; id < 3; ++id) bus.publish(HeldOrder{.order_id = id, .customer = "Ada"});
    gate.await_arrival();
    auto stopping = std::async(std::launch::async, [&] { return bus.stop(kLong); });
    while (bus.snapshot().accepting) std::this_thread::yield();
    gate.open();
    EXPECT_EQ(stopping.get().settled_as_letters, 3U);
    EXPECT_THAT(letters(), ElementsAre(std::pair(0, Reason::Shutdown), std::pair(1, Reason::Shutdown),
                                       std::pair(2, Reason::Shutdown)));
    EXPECT_EQ(letters_->letters().at(0).attempts.size(), 1U);
    EXPECT_THAT(letters_->letters().at(1).attempts, IsEmpty());
  }
}

TEST_F(StopTest, StopAndWaitIdleInsideAHandlerThrow) {
  Bus bus(options());
  std::atomic<int> refused{0};
  const auto try_to_wait = [&](const OrderPlaced&) {
    if (error_code_of([&] { bus.stop(0ms); }) == ErrorCode::CalledInHandler) ++refused;
    if (error_code_of([&] { static_cast<void>(bus.wait_idle(0ms)); }) == ErrorCode::CalledInHandler)
      ++refused;
  };
  auto here = bus.subscribe<OrderPlaced>("here", try_to_wait);
  auto on_worker = bus.subscribe<OrderPlaced>("on_worker", try_to_wait, {.dispatch = kQueued});
  bus.publish(OrderPlaced{});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(refused, 4);
  EXPECT_TRUE(bus.snapshot().accepting);
}

TEST_F(StopTest, TheDestructorWaitsForAHandlerThatIsStuckPastTheDeadline) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;
  auto bus = std::make_unique<Bus>(hasty);
  Gate gate;
  std::atomic<bool> left{false};
  auto stuck = bus->subscribe<OrderPlaced>("stuck",
                                           [&](const OrderPlaced&) {
                                             gate.pass();
                                             left = true;
                                           },
                                           {.dispatch = kQueued});
  bus->publish(OrderPlaced{});
  gate.await_arrival();
  std::jthread opener([&] {
    while (capture_.count("bus_stopped") == 0) std::this_thread::yield();
    gate.open();
  });
  bus.reset();
  EXPECT_TRUE(left);
  EXPECT_EQ(capture_.only("bus_stopped").at("still_running"), 1);
}

TEST_F(StopTest, TheDestructorWaitsForAnInlineHandlerOnAnotherThread) {
  auto hasty = options();
  hasty.stop_deadline = 0ms;
  auto bus = std::make_unique<Bus>(hasty);
  Gate gate;
  auto stuck = bus->subscribe<OrderPlaced>("stuck", [&](const OrderPlaced&) { gate.pass(); });
  auto publisher =
      std::async(std::launch::async, [&, target = bus.get()] { return target->publish(OrderPlaced{}); });
  gate.await_arrival();
  std::jthread opener([&] {
    while (capture_.count("bus_stopped") == 0) std::this_thread::yield();
    gate.open();
  });
  bus.reset();
  EXPECT_EQ(publisher.get().handled, 1U);
}

TEST_F(StopTest, NegativeDeadlinesAreRefused) {
  Bus bus(options());
  EXPECT_EQ(error_code_of([&] { bus.stop(-1ms); }), ErrorCode::InvalidArgument);
  EXPECT_TRUE(bus.snapshot().accepting);
}

TEST_F(StopTest, TheLongestDeadlinesAreNoDeadline) {
  constexpr auto kForever = std::chrono::milliseconds::max();
  auto patient = options();
  patient.stop_deadline = kForever;
  Bus bus(patient);
  Gate gate;
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); }, {.dispatch = kQueued});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  std::jthread opener([&] { gate.open(); });
  EXPECT_TRUE(bus.wait_idle(kForever));
  EXPECT_TRUE(bus.stop(kForever).drained);
}

TEST_F(StopTest, WithoutAStoreWhatIsLeftIsLoggedOneByOne) {
  auto storeless = options();
  storeless.store = nullptr;
  Bus bus(storeless);
  Gate gate;
  auto stuck =
      bus.subscribe<OrderPlaced>("stuck", [&](const OrderPlaced&) { gate.pass(); }, {.dispatch = kQueued});
  for (int i = 0; i < 301; ++i) bus.publish(OrderPlaced{});
  gate.await_arrival();
  EXPECT_EQ(bus.stop(0ms).settled_as_letters, 300U);
  const auto records = capture_.records("dead_letter_dropped");
  EXPECT_EQ(records.size(), 300U);
  for (const Json& record : records) EXPECT_EQ(record.at("level"), "error");
  gate.open();
}

}  // namespace
}  // namespace tidings::test
