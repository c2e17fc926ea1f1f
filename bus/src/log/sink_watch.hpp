#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace tidings::detail {

/// Knows whether records are stuck in a log sink, such as a pipe that nobody reads, so that a stop need not
/// wait for it too. Thread-safe.
class SinkWatch {
 public:
  /// From here on no record waits for a sink in which others are stuck.
  void stop_waiting() noexcept { impatient_.store(true); }

  /// Whether a record may be written now; if so leave() must follow.
  [[nodiscard]] bool enter() noexcept {
    if (impatient_.load() && others_are_stuck()) return false;
    if (inside_.fetch_add(1) == 0) moved_.store(now());
    return true;
  }
  void leave() noexcept {
    moved_.store(now());
    inside_.fetch_sub(1);
  }

 private:
  using Clock = std::chrono::steady_clock;
  /// Longer than a sink that works ever needs for a record.
  static constexpr Clock::duration kStuckAfter = std::chrono::milliseconds(200);

  static Clock::rep now() noexcept { return Clock::now().time_since_epoch().count(); }
  /// Waits for them for a moment: they may just be writing.
  [[nodiscard]] bool others_are_stuck() const noexcept {
    while (inside_.load() > 0) {
      if (now() - moved_.load() > kStuckAfter.count()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::atomic<bool> impatient_{false};
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<Clock::rep> moved_{0};  // when a thread last came to an idle sink, or left one
};

}  // namespace tidings::detail
