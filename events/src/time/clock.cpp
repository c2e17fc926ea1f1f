#include <tidings/clock.hpp>

#include "time/counted_time.hpp"

#include <algorithm>

namespace tidings {

void Signal::raise() {
  // Notified under the mutex, so that the woken thread may destroy the signal as soon as its wait returns.
  const std::lock_guard lock(mutex_);
  raised_ = true;
  ++raises_;
  condition_.notify_all();
}

void Signal::wait_until(Instant deadline) {
  if (deadline == Instant::max()) return wait();
  std::unique_lock lock(mutex_);
  condition_.wait_until(lock, deadline, [this] { return raised_; });
  raised_ = false;
}

void Signal::wait() {
  std::unique_lock lock(mutex_);
  condition_.wait(lock, [this] { return raised_; });
  raised_ = false;
}

namespace {

class SystemClock : public Clock {
 public:
  [[nodiscard]] Timestamp now() const noexcept override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return std::chrono::steady_clock::now(); }
  void wait_until(Signal& signal, Instant deadline) override { signal.wait_until(deadline); }
};

thread_local constinit detail::ClockReading<Timestamp> last_wall;
thread_local constinit detail::ClockReading<Instant> last_monotonic;
thread_local constinit Instant latest_instant;

/// The same, where the processor's counter may stand in for the system's clocks in between.
class CountingClock final : public SystemClock {
 public:
  explicit CountingClock(const detail::TickRate& rate) noexcept : rate_(rate) {}

  [[nodiscard]] Timestamp now() const noexcept override {
    if (const auto time = last_wall.at(detail::read_counter(), rate_)) [[likely]]
      return *time;
    last_wall = detail::read_wall_clock();
    return last_wall.time;
  }

  /// Never earlier than what the thread got last: a rate that is off shows when the clock is read again.
  [[nodiscard]] Instant monotonic_now() const noexcept override {
    auto instant = last_monotonic.at(detail::read_counter(), rate_);
    if (!instant) [[unlikely]] {
      last_monotonic = detail::read_monotonic_clock();
      instant = last_monotonic.time;
    }
    return latest_instant = std::max(latest_instant, *instant);
  }

 private:
  const detail::TickRate rate_;
};

std::shared_ptr<Clock> make_system_clock() {
  if (const auto rate = detail::measure_tick_rate()) return std::make_shared<CountingClock>(*rate);
  return std::make_shared<SystemClock>();
}

}  // namespace

std::shared_ptr<Clock> system_clock() {
  static const std::shared_ptr<Clock> clock = make_system_clock();
  return clock;
}

}  // namespace tidings
