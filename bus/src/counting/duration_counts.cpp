#include <tidings/metrics.hpp>
#include <tidings/minutes.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tidings {

std::size_t duration_class(std::chrono::microseconds duration) noexcept {
  return static_cast<std::size_t>(std::lower_bound(kDurationBounds.begin(), kDurationBounds.end(), duration) -
                                  kDurationBounds.begin());
}

std::optional<std::chrono::microseconds> duration_quantile(const DurationCounts& counts,
                                                           double quantile) noexcept {
  const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (all == 0) return std::nullopt;
  const double share = std::clamp(quantile, 0.0, 1.0);
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(all))));
  std::uint64_t passed = 0;
  for (std::size_t index = 0; index < kDurationBounds.size(); ++index) {
    passed += counts[index];
    if (passed >= wanted) return kDurationBounds[index];
  }
  return kDurationBounds.back();
}

std::uint64_t DurationHistogram::count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

DurationHistogram& DurationHistogram::operator+=(const DurationHistogram& other) noexcept {
  for (std::size_t index = 0; index < counts.size(); ++index) counts[index] += other.counts[index];
  sum += other.sum;
  return *this;
}

DeliveryCounts& DeliveryCounts::operator+=(const DeliveryCounts& other) noexcept {
  published += other.published;
  handled += other.handled;
  failed += other.failed;
  dead += other.dead;
  slow += other.slow;
  for (std::size_t index = 0; index < durations.size(); ++index) durations[index] += other.durations[index];
  return *this;
}

}  // namespace tidings
