#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>

#include <chrono>
#include <vector>

namespace tidings::detail {

/// Which uses of idempotency keys are younger than the window. Their age is that of a wall-clock time, and a
/// wall clock may be set: so this remembers how far it was from the clock that never jumps, for as long as
/// the window, and says between which times anything must lie that was used within it. Keys are kept too
/// long rather than too short: after a jump, by as much as it was, for one window. What was used before this
/// bus began is believed to be of the clock that it began with; if it lies in the future, it counts until the
/// bus has run for a window. Thread-safe.
class IdempotencyWindow {
 public:
  /// `window` is bounded(), as all durations of BusOptions are.
  IdempotencyWindow(std::chrono::hours window, const Clock& clock);

  /// For a key that is used now, by an event that was stamped just before.
  [[nodiscard]] KeyPeriod ending_with(Timestamp used_at);

 private:
  using Offset = std::chrono::microseconds;
  /// A time during which the two clocks went alike.
  struct Stretch {
    Instant until;
    Offset least;
    Offset most;
  };

  void note(Offset offset, Instant now) TIDINGS_REQUIRES(mutex_);

  const Clock& clock_;
  const std::chrono::microseconds window_;
  const Instant began_;
  Mutex mutex_;
  std::vector<Stretch> stretches_ TIDINGS_GUARDED_BY(mutex_);  // oldest first; never empty
};

}  // namespace tidings::detail
