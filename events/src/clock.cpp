#include <tidings/clock.hpp>

#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX's

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

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const noexcept override {
    // What std::chrono::system_clock does, without its detour over a count of nanoseconds.
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    const auto microseconds = static_cast<std::uint32_t>(time.tv_nsec) / 1000U;
    return Timestamp(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(microseconds));
  }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return std::chrono::steady_clock::now(); }
  void wait_until(Signal& signal, Instant deadline) override { signal.wait_until(deadline); }
};

}  // namespace

std::shared_ptr<Clock> system_clock() {
  static const auto clock = std::make_shared<SystemClock>();
  return clock;
}

}  // namespace tidings
