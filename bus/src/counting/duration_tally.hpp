#pragma once

#include <tidings/metrics.hpp>
#include <tidings/minutes.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidings::detail {

/// Takes what a counter has. Most are zero, and are not written.
[[nodiscard]] inline std::uint64_t taken(std::atomic<std::uint64_t>& count) noexcept {
  return count.load(std::memory_order_relaxed) == 0 ? 0 : count.exchange(0, std::memory_order_relaxed);
}

/// A histogram that threads add to. Thread-safe.
class DurationTally {
 public:
  void add(std::chrono::microseconds duration) noexcept {
    counts_[duration_class(duration)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
  }
  [[nodiscard]] DurationHistogram read() const noexcept {
    DurationHistogram histogram;
    for (std::size_t index = 0; index < counts_.size(); ++index)
      histogram.counts[index] = counts_[index].load(std::memory_order_relaxed);
    histogram.sum = in_microseconds(sum_.load(std::memory_order_relaxed));
    return histogram;
  }
  /// What was added since the last call.
  [[nodiscard]] DurationHistogram take() noexcept {
    DurationHistogram histogram;
    for (std::size_t index = 0; index < counts_.size(); ++index)
      histogram.counts[index] = taken(counts_[index]);
    histogram.sum = in_microseconds(taken(sum_));
    return histogram;
  }

 private:
  static std::chrono::microseconds in_microseconds(std::uint64_t count) noexcept {
    return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(count));
  }

  std::array<std::atomic<std::uint64_t>, kDurationBounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace tidings::detail
