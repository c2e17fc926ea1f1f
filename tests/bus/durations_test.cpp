#include "durable_fixture.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <functional>
#include <limits>
#include <vector>

// Every duration that a bus takes, at its ends: the longest means for ever, and what has no meaning is
// refused.

namespace tidings::test {
namespace {

using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;

class DurationsTest : public DurableTest {
 protected:
  struct BusDuration {
    std::string name;
    std::function<void(BusOptions&, milliseconds)> set;
    bool zero_is_valid;
  };
  static std::vector<BusDuration> bus_durations() {
    return {{"owner_wait", [](BusOptions& options, milliseconds value) { options.owner_wait = value; }, true},
            {"stop_deadline", [](BusOptions& options, milliseconds value) { options.stop_deadline = value; },
             true},
            {"idempotency_window",
             [](BusOptions& options, milliseconds value) {
               options.idempotency_window = std::chrono::hours(value.count());
             },
             false}};
  }
  struct HandlerDuration {
    std::string name;
    std::function<void(SubscribeOptions<OrderPlaced>&, milliseconds)> set;
  };
  static std::vector<HandlerDuration> handler_durations() {
    return {{"slow_threshold", [](SubscribeOptions<OrderPlaced>& options,
                                  milliseconds value) { options.slow_threshold = value; }},
            {"give_up_after", [](SubscribeOptions<OrderPlaced>& options,
                                 milliseconds value) { options.retry.give_up_after = value; }},
            {"backoff", [](SubscribeOptions<OrderPlaced>& options, milliseconds value) {
               options.retry.backoff = constant(value);
             }}};
  }
};

TEST_F(DurationsTest, TheLongestOnesOfABusAreTaken) {
  for (const BusDuration& duration : bus_durations()) {
    SCOPED_TRACE(duration.name);
    BusOptions options = durable();
    duration.set(options, milliseconds::max());
    Bus bus(std::move(options));
    auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
    EXPECT_TRUE(bus.wait_idle(kLong));
  }
}

TEST_F(DurationsTest, NegativeOnesOfABusAreRefused) {
  for (const BusDuration& duration : bus_durations()) {
    SCOPED_TRACE(duration.name);
    for (const milliseconds value : {milliseconds(-1), milliseconds::min()}) {
      BusOptions options = durable();
      duration.set(options, value);
      EXPECT_EQ(error_code_of([&] { Bus bus(options); }), ErrorCode::InvalidArgument);
    }
    BusOptions options = durable();
    duration.set(options, 0ms);
    if (duration.zero_is_valid) {
      EXPECT_NO_THROW(Bus bus(options));
    } else {
      EXPECT_EQ(error_code_of([&] { Bus bus(options); }), ErrorCode::InvalidArgument);
    }
  }
}

TEST_F(DurationsTest, NegativeOnesAndZeroOfAHandlerAreRefused) {
  Bus bus(options());
  for (const HandlerDuration& duration : handler_durations()) {
    SCOPED_TRACE(duration.name);
    for (const milliseconds value : {milliseconds(-1), milliseconds::min(), 0ms}) {
      const auto subscribe = [&] {
        SubscribeOptions<OrderPlaced> options;
        duration.set(options, value);
        bus.subscribe<OrderPlaced>(
               "handler", [](const OrderPlaced&) {}, std::move(options))
            .keep();
      };
      EXPECT_EQ(error_code_of(subscribe), ErrorCode::InvalidArgument);
    }
  }
}

TEST_F(DurationsTest, NoAttemptIsSlowerThanTheLongestThreshold) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { clock_->advance(1h); },
                                            {.slow_threshold = milliseconds::max()});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.count("handler_slow"), 0U);
}

TEST_F(DurationsTest, NoDeliveryIsOlderThanTheLongestGiveUpAfter) {
  Bus bus(options());
  int attempts = 0;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              clock_->advance(1h);
                                              if (++attempts < 3) throw std::runtime_error("not yet");
                                            },
                                            {.retry = {.give_up_after = milliseconds::max()}});
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(DurationsTest, ARetryInTheLongestTimeWaits) {
  Bus bus(options());
  auto later = bus.subscribe<OrderPlaced>(
      "later", [](const OrderPlaced&) -> void { throw RetryAfter(milliseconds::max()); });
  auto backs_off = bus.subscribe<OrderPlaced>(
      "backs_off", [](const OrderPlaced&) { throw std::runtime_error("no"); },
      {.retry = {.backoff = exponential(milliseconds::max(), milliseconds::max())}});
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 2U);
  advance(std::chrono::hours(24 * 365 * 10));
  EXPECT_EQ(capture_.count("handler_failed"), 2U);
}

TEST_F(DurationsTest, ARetryInLessThanNoTimeIsOneAtOnce) {
  Bus bus(options());
  int attempts = 0;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) {
    if (++attempts < 3) throw RetryAfter(attempts == 1 ? milliseconds::min() : milliseconds(-1));
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(DurationsTest, TheLongestWindowForgetsNoKey) {
  BusOptions options = durable();
  options.idempotency_window = std::chrono::hours::max();
  Bus bus(std::move(options));
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  EXPECT_FALSE(bus.publish(OrderPlaced{}, {.idempotency_key = "key"}).duplicate);
  for (int hour = 0; hour < 3; ++hour) advance(1h);
  EXPECT_TRUE(bus.publish(OrderPlaced{}, {.idempotency_key = "key"}).duplicate);
}

TEST_F(DurationsTest, LessThanNoTimeToBecomeIdleIsNone) {
  Bus bus(options());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); },
                                            {.dispatch = Dispatch::Queued});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  EXPECT_FALSE(bus.wait_idle(milliseconds::min()));
  EXPECT_FALSE(bus.wait_idle(0ms));
  gate.open();
  EXPECT_EQ(error_code_of([&] { bus.stop(milliseconds::min()); }), ErrorCode::InvalidArgument);
  EXPECT_TRUE(bus.stop(milliseconds::max()).drained);
}

}  // namespace
}  // namespace tidings::test
