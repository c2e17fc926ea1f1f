#pragma once

#include <tidings/clock.hpp>

#include <cstdint>

namespace tidings::deadletter {

/// A time as stored in the database: microseconds since the epoch, UTC.
[[nodiscard]] inline std::int64_t microseconds(Timestamp time) noexcept {
  return time.time_since_epoch().count();
}

[[nodiscard]] inline Timestamp time_of(std::int64_t microseconds) noexcept {
  return Timestamp(std::chrono::microseconds(microseconds));
}

}  // namespace tidings::deadletter
