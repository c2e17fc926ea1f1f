#pragma once

#include "check.hpp"
#include "order_placed.hpp"

#include <benchmark/benchmark.h>
#include <tidings/bus.hpp>

#include <boost/signals2/signal.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// What is timed in the rows about inline handlers: each calls `handlers` handlers for each of `events` events
// and sees to it that they did their work.

namespace tidings::bench {

/// Publishes the events 1, 2, 3 ... `events` through `publish`.
template <class Publish>
void publish_each(std::uint64_t events, Publish publish) {
  OrderPlaced event;
  for (std::uint64_t number = 1; number <= events; ++number) {
    event.order_id = static_cast<std::int64_t>(number);
    benchmark::DoNotOptimize(event);
    publish(event);
  }
}

/// Runs `work` and checks what the handlers of this thread have seen meanwhile.
template <class Work>
void checked(std::uint64_t handlers, std::uint64_t events, Work work) {
  const Tally before = tally;
  work();
  const Tally expected = expected_tally(handlers, events);
  require_equal(tally.count - before.count, expected.count, "count of handled events");
  require_equal(tally.sum - before.sum, expected.sum, "sum over handled events");
}

class TidingsContender {
 public:
  TidingsContender(Bus& bus, std::uint64_t handlers) : bus_(bus), handlers_(handlers) {
    for (std::uint64_t weight = 1; weight <= handlers; ++weight) {
      subscriptions_.push_back(
          bus.subscribe<OrderPlaced>("handler-" + std::to_string(weight), Handle(weight)));
    }
  }
  void operator()(std::uint64_t events) {
    std::uint64_t handled = 0;
    checked(handlers_, events, [&] {
      publish_each(events, [&](const OrderPlaced& event) {
        const PublishResult result = bus_.publish(event);
        benchmark::DoNotOptimize(result);
        handled += result.handled;
      });
    });
    require_equal(handled, handlers_ * events, "sum of PublishResult::handled");
  }

 private:
  Bus& bus_;
  std::uint64_t handlers_;
  std::vector<Subscription> subscriptions_;
};

class Signals2Contender {
 public:
  explicit Signals2Contender(std::uint64_t handlers) : handlers_(handlers) {
    for (std::uint64_t weight = 1; weight <= handlers; ++weight) signal_.connect(Handle(weight));
  }
  void operator()(std::uint64_t events) {
    checked(handlers_, events,
            [&] { publish_each(events, [&](const OrderPlaced& event) { signal_(event); }); });
  }

 private:
  std::uint64_t handlers_;
  boost::signals2::signal<void(const OrderPlaced&)> signal_;
};

/// The fastest that a list of handlers unknown at compile time can be called, and unsafe in every other way.
class RawLoopContender {
 public:
  explicit RawLoopContender(std::uint64_t handlers) : handlers_(handlers) {
    for (std::uint64_t weight = 1; weight <= handlers; ++weight) functions_.emplace_back(Handle(weight));
  }
  void operator()(std::uint64_t events) {
    checked(handlers_, events, [&] {
      publish_each(events, [&](const OrderPlaced& event) {
        for (const auto& function : functions_) function(event);
      });
    });
  }

 private:
  std::uint64_t handlers_;
  std::vector<std::function<void(const OrderPlaced&)>> functions_;
};

}  // namespace tidings::bench
