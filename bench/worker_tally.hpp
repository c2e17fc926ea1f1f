#pragma once

#include "order_placed.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidings::bench {

/// What handlers on many threads have seen, each thread in a cache line of its own, so that counting does not
/// become what is measured. For at most 16 threads in the life of a tally.
class WorkerTally {
 public:
  /// The handler of the queue rows.
  void handle(const OrderPlaced& event) noexcept {
    Slot& slot = mine();
    slot.sum.store(slot.sum.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(event.order_id),
                   std::memory_order_relaxed);
    slot.count.store(slot.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  [[nodiscard]] Tally total() const noexcept {
    Tally total;
    for (const Slot& slot : slots_) {
      total.count += slot.count.load(std::memory_order_acquire);
      total.sum += slot.sum.load(std::memory_order_relaxed);
    }
    return total;
  }

 private:
  struct alignas(128) Slot {
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> sum{0};
  };

  Slot& mine() noexcept {
    static thread_local const WorkerTally* owner = nullptr;
    static thread_local Slot* slot = nullptr;
    if (owner != this) {
      owner = this;
      slot = &slots_.at(next_.fetch_add(1));
    }
    return *slot;
  }

  std::array<Slot, 16> slots_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace tidings::bench
