#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace tidings {

/// Wall-clock time, UTC, in whole microseconds since the Unix epoch: what events are stamped with.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;
/// A point on a clock that never jumps: what delays and durations are measured with.
using Instant = std::chrono::steady_clock::time_point;

/// `2026-11-21T09:30:00.123456Z` (RFC 3339, always UTC, always six digits). Years 0000 to 9999; a time
/// outside becomes the nearest end.
[[nodiscard]] std::string to_rfc3339(Timestamp time);
/// Parses RFC 3339 with any offset and up to nine fractional digits (beyond six are cut). Returns nullopt if
/// malformed. A leap second (23:59:60 UTC) is read as the second after it.
[[nodiscard]] std::optional<Timestamp> parse_rfc3339(std::string_view text);

/// A wake-up call for one waiting thread. `raise` is sticky: a signal raised before the wait begins ends that
/// wait at once. Thread-safe; must outlive every wait on it.
class Signal {
 public:
  void raise();
  /// Returns when raised, and clears the signal, or at `deadline`, whichever is first.
  void wait_until(Instant deadline);
  /// Returns when raised, and clears the signal.
  void wait();

 private:
  friend class ManualClock;

  std::mutex mutex_;
  std::condition_variable condition_;
  bool raised_ = false;       // guarded by mutex_
  std::uint64_t raises_ = 0;  // guarded by mutex_; all raises so far
};

/// Where a bus gets its time from. Implementations are thread-safe. Nothing in tidings depends on wall-clock
/// order.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual Timestamp now() const noexcept = 0;
  [[nodiscard]] virtual Instant monotonic_now() const noexcept = 0;
  /// Blocks the caller until `signal` is raised (and clears it) or `monotonic_now()` has reached `deadline`.
  /// Instant::max() is no deadline. May return early; callers check their condition again.
  virtual void wait_until(Signal& signal, Instant deadline) = 0;
};

/// The machine's clocks; shared by every bus that is not given another.
[[nodiscard]] std::shared_ptr<Clock> system_clock();

/// A clock that moves only when a test moves it, so that tests of retries and timers need not sleep. Starts
/// at 2026-01-01T00:00:00Z. Thread-safe.
class ManualClock final : public Clock {
 public:
  ManualClock();

  [[nodiscard]] Timestamp now() const noexcept override;
  [[nodiscard]] Instant monotonic_now() const noexcept override;
  void wait_until(Signal& signal, Instant deadline) override;

  /// Moves both clocks forward and wakes every waiter whose deadline has come. `step` is not negative.
  void advance(std::chrono::microseconds step);
  /// Sets the wall clock alone, as an administrator or NTP would; may go backwards.
  void set_wall(Timestamp now);
  /// Blocks until at least one thread waits on this clock with a deadline ahead of its time: "the timer is
  /// armed". A thread whose signal was raised since its wait began, or that has no deadline, does not count.
  void await_waiter();

 private:
  struct Waiter {
    Signal* signal;
    Instant deadline;
    std::uint64_t raises_at_arrival;
  };
  [[nodiscard]] bool is_armed(const Waiter& waiter) const;

  mutable std::mutex mutex_;  // taken before a Signal's
  std::condition_variable waiter_arrived_;
  Timestamp wall_;             // guarded by mutex_
  Instant monotonic_;          // guarded by mutex_
  std::list<Waiter> waiters_;  // guarded by mutex_
};

}  // namespace tidings
