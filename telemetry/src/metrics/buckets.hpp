#pragma once

#include <tidings/metrics.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidings::telemetry {

/// A class of durations that is exported.
struct Bucket {
  std::chrono::microseconds bound;
  std::string_view text;  // as OpenMetrics wants numbers to look
};

/// Fewer than there are, since each handler has a series of each. Each is a bound of kDurationBounds.
inline constexpr std::array kBuckets = {
    Bucket{std::chrono::microseconds(10), "1e-05"}, Bucket{std::chrono::microseconds(100), "0.0001"},
    Bucket{std::chrono::milliseconds(1), "0.001"},  Bucket{std::chrono::milliseconds(5), "0.005"},
    Bucket{std::chrono::milliseconds(10), "0.01"},  Bucket{std::chrono::milliseconds(20), "0.02"},
    Bucket{std::chrono::milliseconds(50), "0.05"},  Bucket{std::chrono::milliseconds(100), "0.1"},
    Bucket{std::chrono::milliseconds(200), "0.2"},  Bucket{std::chrono::milliseconds(500), "0.5"},
    Bucket{std::chrono::seconds(1), "1.0"},         Bucket{std::chrono::seconds(2), "2.0"},
    Bucket{std::chrono::seconds(5), "5.0"},         Bucket{std::chrono::seconds(10), "10.0"}};

/// Calls `visit(bucket, count)` for each, with how many durations it has that no earlier one has.
template <class Visit>
void for_each_bucket(const DurationHistogram& histogram, const Visit& visit) {
  std::size_t next = 0;
  for (const Bucket& bucket : kBuckets) {
    std::uint64_t count = 0;
    for (const std::size_t last = duration_class(bucket.bound); next <= last; ++next)
      count += histogram.counts[next];
    visit(bucket, count);
  }
}

}  // namespace tidings::telemetry
