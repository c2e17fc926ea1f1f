#include <tidings/clock.hpp>
#include <tidings/detail/longest_wait.hpp>

#include <algorithm>
#include <utility>

namespace tidings {
namespace {

constexpr Timestamp kStart = std::chrono::sys_days(std::chrono::January / 1 / 2026);
// Away from the ends of Instant's range, and never the epoch, so that a forgotten stamp shows.
constexpr Instant kMonotonicStart{std::chrono::hours(24)};

}  // namespace

ManualClock::ManualClock() : wall_(kStart), monotonic_(kMonotonicStart) {}

Timestamp ManualClock::now() const noexcept {
  const std::lock_guard lock(mutex_);
  return wall_;
}

Instant ManualClock::monotonic_now() const noexcept {
  const std::lock_guard lock(mutex_);
  return monotonic_;
}

void ManualClock::wait_until(Signal& signal, Instant deadline) {
  std::list<Waiter>::iterator self;
  {
    const std::lock_guard lock(mutex_);
    if (deadline <= monotonic_) return;
    const std::lock_guard signal_lock(signal.mutex_);
    if (std::exchange(signal.raised_, false)) return;
    self = waiters_.insert(waiters_.end(), {&signal, deadline, signal.raises_});
    waiter_arrived_.notify_all();
  }
  // A raise from here on, by anyone, is sticky: nothing is lost between the unlock and the wait.
  signal.wait();
  const std::lock_guard lock(mutex_);
  waiters_.erase(self);
}

void ManualClock::advance(std::chrono::microseconds step) {
  const std::lock_guard lock(mutex_);
  wall_ += detail::bounded(step);
  monotonic_ += detail::bounded(step);
  for (const Waiter& waiter : waiters_) {
    if (waiter.deadline <= monotonic_) waiter.signal->raise();
  }
}

void ManualClock::set_wall(Timestamp now) {
  const std::lock_guard lock(mutex_);
  wall_ = now;
}

bool ManualClock::is_armed(const Waiter& waiter) const {
  if (waiter.deadline == Instant::max() || waiter.deadline <= monotonic_) return false;
  // A raise since it came means that the waiter is on its way out, whether or not its thread has run yet.
  const std::lock_guard lock(waiter.signal->mutex_);
  return waiter.signal->raises_ == waiter.raises_at_arrival;
}

void ManualClock::await_waiter() {
  std::unique_lock lock(mutex_);
  waiter_arrived_.wait(lock, [this] {
    return std::any_of(waiters_.begin(), waiters_.end(),
                       [this](const Waiter& waiter) { return is_armed(waiter); });
  });
}

}  // namespace tidings
