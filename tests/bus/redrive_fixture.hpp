#pragma once

#include "bus_fixture.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tidings::test {

/// A handler that fails until it is repaired, and remembers what it handled, by customer. Thread-safe.
class Downstream {
 public:
  void handle(const OrderPlaced& order) {
    ++calls_;
    const std::lock_guard lock(mutex_);
    if (broken_.contains(order.order_id) || all_broken_)
      throw std::runtime_error("order " + std::to_string(order.order_id) + " refused");
    handled_[order.customer].push_back(order.order_id);
  }
  void break_order(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    broken_.insert(id);
  }
  void break_all() {
    const std::lock_guard lock(mutex_);
    all_broken_ = true;
  }
  void repair() {
    const std::lock_guard lock(mutex_);
    broken_.clear();
    all_broken_ = false;
  }
  [[nodiscard]] std::vector<std::int64_t> handled(const std::string& customer = "") {
    const std::lock_guard lock(mutex_);
    return handled_[customer];
  }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  std::atomic<int> calls_{0};
  std::mutex mutex_;
  bool all_broken_ = false;  // this and what follows: guarded by mutex_
  std::set<std::int64_t> broken_;
  std::map<std::string, std::vector<std::int64_t>> handled_;
};

/// A bus test whose handlers can be broken and repaired.
class RedriveTest : public BusTest {
 protected:
  static RetryPolicy once() { return {.max_attempts = 1}; }

  SubscribeOptions<OrderPlaced> keyed(AfterDeath after_death = AfterDeath::Park) {
    return {.dispatch = Dispatch::Queued,
            .retry = {.max_attempts = 1},
            .ordering_key = [](const OrderPlaced& order) { return order.customer; },
            .after_death = after_death};
  }
  std::function<void(const OrderPlaced&)> handler() {
    return [this](const OrderPlaced& order) { downstream_.handle(order); };
  }
  /// Publishes orders that all become letters.
  void fail(Bus& bus, std::int64_t first, std::int64_t last, const std::string& customer = "") {
    downstream_.break_all();
    for (std::int64_t id = first; id <= last; ++id)
      bus.publish(OrderPlaced{.order_id = id, .customer = customer});
    ASSERT_TRUE(bus.wait_idle(kLong));
    downstream_.repair();
  }
  std::vector<std::int64_t> unresolved() const {
    std::vector<std::int64_t> orders;
    for (const DeadLetter& letter : letters_->unresolved())
      orders.push_back(Json::parse(letter.data.bytes).value("order_id", std::int64_t{0}));
    return orders;
  }

  Downstream downstream_;
};

}  // namespace tidings::test
