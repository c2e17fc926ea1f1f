#pragma once

#include "event/prefetch.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidings::detail {

/// The places of a bounded queue. Those who take them and those who give them back are different threads
/// under load, so each side counts in a cache line of its own, and takers remember what they last read of the
/// other side. Thread-safe.
class Places {
 public:
  explicit Places(std::size_t capacity) : capacity_(capacity) {}

  /// False when there is none.
  [[nodiscard]] bool try_take() noexcept {
    // In this order: whatever was given back had been taken before, so the difference is never negative.
    std::uint64_t given_back = given_back_seen_.load(std::memory_order_acquire);
    std::uint64_t taken = taken_.load(std::memory_order_relaxed);
    for (;;) {
      if (taken - given_back >= capacity_) {
        given_back = given_back_.load();
        given_back_seen_.store(given_back, std::memory_order_release);
        taken = taken_.load(std::memory_order_relaxed);
        if (taken - given_back >= capacity_) return false;
      }
      if (taken_.compare_exchange_weak(taken, taken + 1)) return true;
    }
  }
  /// Takes a place even if there is none.
  void take() noexcept { taken_.fetch_add(1); }
  void give_back() noexcept { given_back_.fetch_add(1); }

  [[nodiscard]] std::size_t occupied() const noexcept {
    const std::uint64_t given_back = given_back_.load();
    return static_cast<std::size_t>(taken_.load() - given_back);
  }
  [[nodiscard]] bool has_room() const noexcept { return occupied() < capacity_; }
  [[nodiscard]] std::size_t room() const noexcept {
    const std::size_t now = occupied();
    return now < capacity_ ? capacity_ - now : 0;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  /// How many were ever taken.
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_.load(); }

 private:
  const std::size_t capacity_;
  alignas(kCacheLine) std::atomic<std::uint64_t> taken_{0};
  /// At most given_back_.
  std::atomic<std::uint64_t> given_back_seen_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> given_back_{0};
};

}  // namespace tidings::detail
