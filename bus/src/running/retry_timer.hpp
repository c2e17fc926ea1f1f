#pragma once

#include "subscriptions/subscriber.hpp"
#include "threads/housekeeper.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace tidings::detail {

/// Owns the deliveries that wait for their next attempt. The housekeeper calls serve_due(). Thread-safe.
class RetryTimer {
 public:
  /// Takes a delivery whose time has come.
  using Due = std::function<void(const std::shared_ptr<Subscriber>&, Delivery&)>;

  RetryTimer(Clock& clock, Housekeeper& housekeeper, Due due)
      : clock_(clock), housekeeper_(housekeeper), due_(std::move(due)) {}
  RetryTimer(const RetryTimer&) = delete;
  RetryTimer& operator=(const RetryTimer&) = delete;

  /// False, and the delivery untouched, unless the subscriber is open.
  [[nodiscard]] bool schedule(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                              std::chrono::microseconds delay);
  /// Removes and returns what waits of a subscriber that is no longer open: no more will come.
  [[nodiscard]] std::vector<Delivery> take(Subscriber& subscriber);
  /// A look only, without a lock.
  [[nodiscard]] bool any_waits() const noexcept { return waiting_.load(std::memory_order_relaxed) > 0; }

  /// Hands over what is due.
  void serve_due(Instant now);
  /// When the next one is due.
  [[nodiscard]] std::optional<Instant> next() const;

 private:
  struct Entry {
    Instant due;
    std::uint64_t sequence;
    std::shared_ptr<Subscriber> subscriber;
    Delivery delivery;
  };
  static bool later(const Entry& left, const Entry& right) noexcept;

  void count(Subscriber& subscriber, int change) noexcept;
  [[nodiscard]] bool add(Instant due, const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);

  Clock& clock_;
  Housekeeper& housekeeper_;
  const Due due_;
  std::atomic<std::size_t> waiting_{0};

  mutable Mutex mutex_;
  std::vector<Entry> entries_ TIDINGS_GUARDED_BY(mutex_);  // a heap, the next one in front
  std::uint64_t sequence_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::detail
