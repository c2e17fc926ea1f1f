#pragma once

#include "subscriptions/publish_gate.hpp"
#include "subscriptions/subscriber.hpp"
#include "threads/housekeeper.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>

#include <chrono>
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

  RetryTimer(Clock& clock, PublishGate& gate, Housekeeper& housekeeper, Due due)
      : clock_(clock), gate_(gate), housekeeper_(housekeeper), due_(std::move(due)) {}
  RetryTimer(const RetryTimer&) = delete;
  RetryTimer& operator=(const RetryTimer&) = delete;

  /// False, and the delivery untouched, unless the subscriber is open.
  [[nodiscard]] bool schedule(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                              std::chrono::microseconds delay);
  /// Removes and returns what waits of a subscriber that is no longer open: no more will come.
  [[nodiscard]] std::vector<Delivery> take(Subscriber& subscriber);

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

  /// Publishes see that one waits.
  void count(Subscriber& subscriber, int change) noexcept;
  [[nodiscard]] bool add(Instant due, const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);

  Clock& clock_;
  PublishGate& gate_;
  Housekeeper& housekeeper_;
  const Due due_;

  mutable Mutex mutex_;
  std::vector<Entry> entries_ TIDINGS_GUARDED_BY(mutex_);  // a heap, the next one in front
  std::uint64_t sequence_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::detail
