#pragma once

#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/detail/mutex.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Whether any thread runs the subscriber's handler.
[[nodiscard]] bool is_running(const Subscriber& subscriber);

/// The unsubscribe guarantee: once a closed subscriber was seen running nowhere, its handler never runs
/// again, and what it captured is destroyed, once, before unsubscribing returns. Thread-safe.
class Retirement {
 public:
  /// Called every five seconds with a handler that is waited for.
  using Waiting = std::function<void(const HandlerIdentity& handler, std::chrono::seconds waited)>;

  explicit Retirement(Waiting waiting) : waiting_(std::move(waiting)) {}

  /// Ends a run that the guard entered.
  void leave(DispatchGuard& guard, Subscriber& subscriber) {
    if (guard.leave(subscriber)) free_if_idle(subscriber);
  }
  /// Frees the captures of a closed handler unless it runs somewhere. To be called by whoever has left a
  /// closed subscriber, or was not let in: the last of them finds it idle, and wakes those who wait.
  void free_if_idle(Subscriber& subscriber) noexcept;
  /// Returns when the captures are freed, at the deadline, or at once on the thread that is inside one of
  /// their destructors.
  void wait_until_freed(Subscriber& subscriber,
                        std::optional<std::chrono::steady_clock::time_point> deadline) noexcept;

 private:
  [[nodiscard]] bool begin_freeing(const Subscriber& subscriber) noexcept TIDINGS_EXCLUDES(mutex_);
  [[nodiscard]] const std::thread::id* freed_by(const Subscriber& subscriber) const noexcept
      TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool is_freed_here(const Subscriber& subscriber) const noexcept TIDINGS_EXCLUDES(mutex_);

  const Waiting waiting_;
  mutable Mutex mutex_;
  Condition changed_;  // the captures of a closed subscriber have been freed
  /// Whose captures are being freed, and by which thread.
  std::vector<std::pair<const Subscriber*, std::thread::id>> freeing_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
