#pragma once

#include <algorithm>
#include <chrono>

namespace tidings::check_dead_letters {

/// Until `deadline`, rounded up to whole milliseconds as poll() takes them; zero when it has passed.
[[nodiscard]] inline std::chrono::milliseconds time_left(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace tidings::check_dead_letters
