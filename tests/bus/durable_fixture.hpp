#pragma once

#include "bus_fixture.hpp"
#include "contracts/memory_journal.hpp"
#include "gate.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tidings::test {

/// A bus whose events are journalled in memory.
class DurableTest : public BusTest {
 protected:
  [[nodiscard]] BusOptions durable(Durability durability = Durability::ProcessCrash) {
    BusOptions result = options();
    result.store = journal_;
    result.durability = durability;
    return result;
  }
  /// What a process finds that starts after this one was killed.
  void crash() { journal_ = journal_->after_crash(); }

  std::shared_ptr<MemoryJournal> journal_ = std::make_shared<MemoryJournal>();
};

/// Keeps what handlers saw, in order. Thread-safe.
class Seen {
 public:
  void add(std::int64_t order_id) {
    const std::lock_guard lock(mutex_);
    orders_.push_back(order_id);
  }
  [[nodiscard]] std::vector<std::int64_t> orders() const {
    const std::lock_guard lock(mutex_);
    return orders_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> orders_;  // guarded by mutex_
};

/// A bus that published durably, died, and is started again.
class RecoveryTest : public DurableTest {
 protected:
  static SubscribeOptions<OrderPlaced> queued() { return {.dispatch = Dispatch::Queued}; }
  [[nodiscard]] auto sees() {
    return [this](const OrderPlaced& event) { seen_.add(event.order_id); };
  }
  /// Publishes orders 1 to `count` to a queued handler that never gets to run, and dies.
  void leave_owed(int count, const std::string& handler = "handler") {
    Gate gate;
    Bus bus(durable());
    auto stuck = bus.subscribe<OrderPlaced>(
        handler, [&](const OrderPlaced&) { gate.pass(); }, queued());
    for (int order = 1; order <= count; ++order) bus.publish(OrderPlaced{order});
    auto left = journal_->after_crash();
    gate.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
    journal_ = std::move(left);
  }
  /// What the journal then knows of order 1, whose first attempt failed.
  void fail_first_to_be_retried_in(std::chrono::minutes wait) {
    JournalBatch failure;
    JournalDelivery& known = failure.changed.emplace_back();
    known.journal_id = 1;
    known.handler = "handler";
    known.attempts_made = 1;
    known.failed_at = clock_->now();
    known.next_attempt_at = clock_->now() + wait;
    static_cast<void>(journal_->commit(failure));
  }

  Seen seen_;
};

}  // namespace tidings::test
