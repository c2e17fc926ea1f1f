#pragma once

#include "queue/delivery.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace tidings::detail {

class Subscriber;

/// The bus's one timer thread: serves delayed retries and whatever else is due. Sleeps until the next is; an
/// idle bus is not woken. Thread-safe.
class Housekeeper {
 public:
  using Retry = std::function<void(const std::shared_ptr<Subscriber>&, Delivery&)>;
  /// Does what is due at `now`, and says when it wants to be called next.
  using Duty = std::function<std::optional<Instant>(Instant now)>;

  Housekeeper(std::shared_ptr<Clock> clock, Retry retry, Duty duty);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  void start();
  /// Ends the thread. Retries that wait stay; take() them.
  void stop();
  [[nodiscard]] bool is_this_thread() const noexcept;
  /// Makes the thread look anew at what is due.
  void wake() { signal_.raise(); }

  /// False, and the delivery untouched, unless the subscriber is open.
  [[nodiscard]] bool schedule(Instant due, const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);
  /// Removes and returns the waiting retries of a subscriber that is no longer open: no more will come.
  [[nodiscard]] std::vector<Delivery> take(const Subscriber& subscriber);

 private:
  struct Entry {
    Instant due;
    std::uint64_t sequence;
    std::shared_ptr<Subscriber> subscriber;
    Delivery delivery;
  };
  static bool later(const Entry& left, const Entry& right) noexcept;

  void run();
  void serve_due_retries(Instant now);
  [[nodiscard]] std::optional<Instant> next_retry() const;

  const std::shared_ptr<Clock> clock_;
  const Retry retry_;
  const Duty duty_;
  Signal signal_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  mutable Mutex mutex_;
  std::vector<Entry> entries_ TIDINGS_GUARDED_BY(mutex_);  // a heap, the next one in front
  std::uint64_t sequence_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::detail
