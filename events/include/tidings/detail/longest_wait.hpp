#pragma once

#include <algorithm>
#include <chrono>

namespace tidings::detail {

/// Longer than any process lives, and short enough to be added to any clock's time, in nanoseconds too:
/// milliseconds::max() and hours::max() are not.
inline constexpr std::chrono::hours kLongestWait{24 * 365 * 100};

/// A user's duration made safe to compute with: neither negative nor longer than kLongestWait. Compared in
/// its own unit, since a conversion may overflow.
template <class Duration>
[[nodiscard]] constexpr Duration bounded(Duration duration) noexcept {
  return std::clamp(duration, Duration::zero(), std::chrono::duration_cast<Duration>(kLongestWait));
}

}  // namespace tidings::detail
