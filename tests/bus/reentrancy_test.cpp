#include "bus_fixture.hpp"
#include "captures.hpp"
#include "gate.hpp"

#include <spdlog/sinks/base_sink.h>

#include <array>
#include <atomic>
#include <barrier>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

// What handlers may do to the bus that runs them.

namespace tidings::test {
namespace {

class ReentrancyTest : public BusTest {};

TEST_F(ReentrancyTest, AHandlerMayResetItself) {
  Bus bus(options());
  for (const Dispatch dispatch : {Dispatch::Inline, Dispatch::Queued}) {
    Captures captures;
    Subscription subscription;
    std::atomic<int> runs{0};
    subscription =
        bus.subscribe<OrderPlaced>("once",
                                   [&, kept = captures.take()](const OrderPlaced&) {
                                     ++runs;
                                     subscription.reset();
                                     EXPECT_EQ(*kept, 0);  // its own captures live until it returns
                                   },
                                   {.dispatch = dispatch});
    bus.publish(OrderPlaced{});
    while (!captures.freed()) std::this_thread::yield();
    bus.publish(OrderPlaced{});
    EXPECT_EQ(runs, 1);
  }
}

TEST_F(ReentrancyTest, TwoHandlersMayResetEachOtherAtTheSameTime) {
  for (int round = 0; round < 50; ++round) {
    Bus bus(options());
    std::array<Captures, 2> captures;
    std::array<Subscription, 2> subscriptions;
    std::barrier both_inside(2);
    subscriptions[0] =
        bus.subscribe<OrderPlaced>("placed", [&, kept = captures[0].take()](const OrderPlaced&) {
          both_inside.arrive_and_wait();
          subscriptions[1].reset();
        });
    subscriptions[1] =
        bus.subscribe<OrderShipped>("shipped", [&, kept = captures[1].take()](const OrderShipped&) {
          both_inside.arrive_and_wait();
          subscriptions[0].reset();
        });
    {
      std::jthread placing([&] { bus.publish(OrderPlaced{}); });
      bus.publish(OrderShipped{});
    }
    EXPECT_TRUE(captures[0].freed());
    EXPECT_TRUE(captures[1].freed());
  }
}

TEST_F(ReentrancyTest, ResetInsideAnotherHandlerDoesNotWaitAndTheLastRunFreesTheCaptures) {
  Bus bus(options());
  Gate gate;
  Captures captures;
  auto slow =
      bus.subscribe<OrderPlaced>("slow", [&, kept = captures.take()](const OrderPlaced&) { gate.pass(); });
  auto resetting = bus.subscribe<OrderShipped>("resetting", [&](const OrderShipped&) { slow.reset(); });
  std::jthread first([&] { bus.publish(OrderPlaced{}); });
  std::jthread second([&] { bus.publish(OrderPlaced{}); });
  gate.await_arrival();
  gate.await_arrival();
  EXPECT_EQ(bus.publish(OrderShipped{}).handled, 1U);
  EXPECT_FALSE(captures.freed());
  gate.open();
  first.join();
  second.join();
  EXPECT_TRUE(captures.freed());
}

TEST_F(ReentrancyTest, ResetInsideAHandlerTurnsWhatIsQueuedIntoLetters) {
  Bus bus(options());
  Gate gate;
  std::atomic<int> runs{0};
  auto queued = bus.subscribe<OrderPlaced>("queued",
                                           [&](const OrderPlaced&) {
                                             ++runs;
                                             gate.pass();
                                           },
                                           {.dispatch = Dispatch::Queued});
  for (int i = 0; i < 10; ++i) bus.publish(OrderPlaced{});
  gate.await_arrival();
  auto resetting = bus.subscribe<OrderShipped>("resetting", [&](const OrderShipped&) { queued.reset(); });
  bus.publish(OrderShipped{});
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(letters_->letters().size(), 9U);
}

TEST_F(ReentrancyTest, AHandlerThatOwnsItsOwnSubscriptionMayResetIt) {
  Bus bus(options());
  Captures captures;
  const auto own = std::make_shared<Subscription>();
  const std::weak_ptr<Subscription> watched = own;
  *own = bus.subscribe<OrderPlaced>(
      "own", [kept = captures.take(), subscription = own](const OrderPlaced&) { subscription->reset(); });
  bus.publish(OrderPlaced{});
  EXPECT_TRUE(captures.freed());
  EXPECT_EQ(watched.use_count(), 1);
}

TEST_F(ReentrancyTest, AHandlerThatOwnsItsOwnSubscriptionIsFreedByStopAndByTheDestructor) {
  for (const bool stopped : {true, false}) {
    Captures captures;
    {
      Bus bus(options());
      auto own = std::make_shared<Subscription>();
      *own = bus.subscribe<OrderPlaced>("own", [kept = captures.take(), own](const OrderPlaced&) {});
      own.reset();
      EXPECT_FALSE(captures.freed());
      if (stopped) {
        EXPECT_TRUE(bus.stop(kLong).drained);
      }
    }
    EXPECT_TRUE(captures.freed());
  }
}

TEST_F(ReentrancyTest, AHandlerMayOwnTheSubscriptionOfAnother) {
  Bus bus(options());
  Captures captures;
  auto inner = bus.subscribe<OrderShipped>("inner", [kept = captures.take()](const OrderShipped&) {});
  auto outer = bus.subscribe<OrderPlaced>(
      "outer", [owned = std::make_shared<Subscription>(std::move(inner))](const OrderPlaced&) {});
  outer.reset();
  EXPECT_TRUE(captures.freed());
  EXPECT_TRUE(bus.snapshot().handlers.empty());
}

TEST_F(ReentrancyTest, AHandlerMayResetALaterOneWhichThenDoesNotRunInTheSamePublish) {
  Bus bus(options());
  int runs = 0;
  Captures captures;
  Subscription later;
  auto first = bus.subscribe<OrderPlaced>("first", [&](const OrderPlaced&) { later.reset(); });
  later = bus.subscribe<OrderPlaced>("later", [&, kept = captures.take()](const OrderPlaced&) { ++runs; });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(captures.freed());
}

TEST_F(ReentrancyTest, AHandlerMayReplaceItself) {
  Bus bus(options());
  std::vector<std::string> seen;
  Subscription subscription;
  subscription = bus.subscribe<OrderPlaced>("old", [&](const OrderPlaced&) {
    seen.push_back("old");
    subscription = bus.subscribe<OrderPlaced>("new", [&](const OrderPlaced&) { seen.push_back("new"); });
  });
  bus.publish(OrderPlaced{});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(seen, (std::vector<std::string>{"old", "new"}));
}

TEST_F(ReentrancyTest, PublishesNestFarDeeperThanTheFirstLevels) {
  auto deep = options();
  deep.max_causation_depth = 1000;
  Bus bus(deep);
  int deepest = 0;
  auto nesting = bus.subscribe<OrderPlaced>("nesting", [&](const OrderPlaced& e) {
    deepest = std::max(deepest, static_cast<int>(e.order_id));
    if (e.order_id < 100) {
      EXPECT_EQ(bus.publish(OrderPlaced{.order_id = e.order_id + 1}).handled, 1U);
    }
  });
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 1}).handled, 1U);
  EXPECT_EQ(deepest, 100);
}

TEST_F(ReentrancyTest, AHandlerResetTwentyLevelsAboveItsOwnRunIsFreedWhenTheOutermostReturns) {
  Bus bus(options());
  Captures captures;
  Subscription nesting;
  bool freed_early = false;
  nesting = bus.subscribe<OrderPlaced>("nesting", [&, kept = captures.take()](const OrderPlaced& e) {
    if (e.order_id == 20) {
      nesting.reset();
    } else {
      bus.publish(OrderPlaced{.order_id = e.order_id + 1});
    }
    freed_early = freed_early || captures.freed();
  });
  bus.publish(OrderPlaced{.order_id = 1});
  EXPECT_FALSE(freed_early);
  EXPECT_TRUE(captures.freed());
}

TEST_F(ReentrancyTest, EventsMayTravelBetweenTwoBuses) {
  Bus here(options());
  Bus there(options());
  int runs = 0;
  auto out = here.subscribe<OrderPlaced>("out", [&](const OrderPlaced& e) { there.publish(e); });
  auto back = there.subscribe<OrderPlaced>("back", [&](const OrderPlaced&) { here.publish(OrderShipped{}); });
  auto end = here.subscribe<OrderShipped>("end", [&](const OrderShipped&) { ++runs; });
  EXPECT_EQ(here.publish(OrderPlaced{}).handled, 1U);
  EXPECT_EQ(runs, 1);
}

/// Holds captures whose destructor uses the bus.
struct UsesTheBusAtItsEnd {
  explicit UsesTheBusAtItsEnd(std::function<void()> use) : at_end(std::move(use)) {}
  ~UsesTheBusAtItsEnd() { at_end(); }
  std::function<void()> at_end;
};

TEST_F(ReentrancyTest, DestructorsOfCapturesMayUseTheBus) {
  Bus bus(options());
  int runs = 0;
  auto other = bus.subscribe<OrderShipped>("other", [&](const OrderShipped&) { ++runs; });
  const auto use = [&] {
    auto temporary = bus.subscribe<OrderPlaced>("temporary", [](const OrderPlaced&) {});
    bus.publish(OrderShipped{});
  };
  auto subscription = bus.subscribe<OrderPlaced>(
      "handler", [kept = std::make_shared<UsesTheBusAtItsEnd>(use)](const OrderPlaced&) {});
  subscription.reset();
  EXPECT_EQ(runs, 1);
}

/// Publishes what is logged, as a bridge to an alerting channel would.
class PublishingSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  Bus* bus = nullptr;

 private:
  void sink_it_(const spdlog::details::log_msg&) override {
    static thread_local bool inside = false;
    if (bus == nullptr || std::exchange(inside, true)) return;
    bus->publish("log.record", Json::object());
    inside = false;
  }
  void flush_() override {}
};

TEST_F(ReentrancyTest, ALogSinkMayPublishOnTheBusThatLogs) {
  const auto sink = std::make_shared<PublishingSink>();
  auto bridged = options();
  bridged.logger = logging::Logger({.sinks = {{sink, logging::Format::Json}}});
  Bus bus(bridged);
  sink->bus = &bus;
  auto failing = bus.subscribe<OrderPlaced>("failing", [](const OrderPlaced&) { throw Permanent("no"); });
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U);
  EXPECT_EQ(bus.publish(OrderShipped{}).handled,
            0U);  // logs event_unhandled, and so publishes one more such event
  sink->bus = nullptr;
}

}  // namespace
}  // namespace tidings::test
