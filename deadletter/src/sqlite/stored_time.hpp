#pragma once

#include <tidings/clock.hpp>

#include <chrono>
#include <cstdint>

namespace tidings::deadletter {

/// A time as stored in the database: microseconds since the epoch, UTC.
[[nodiscard]] inline std::int64_t microseconds(Timestamp time) noexcept {
  return time.time_since_epoch().count();
}

[[nodiscard]] inline Timestamp time_of(std::int64_t microseconds) noexcept {
  return Timestamp(std::chrono::microseconds(microseconds));
}

/// Now, by the machine's clock.
[[nodiscard]] inline std::int64_t wall_now() noexcept {
  return microseconds(
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

}  // namespace tidings::deadletter
