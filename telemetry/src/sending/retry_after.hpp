#pragma once

#include <tidings/clock.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace tidings::telemetry {

/// No receiver keeps the exporter waiting for longer.
inline constexpr std::chrono::milliseconds kLongestRetryAfter = std::chrono::minutes(10);

/// The value of Retry-After (RFC 9110, section 10.2.3): seconds, or a date in any of the three forms that
/// HTTP has had. How long to wait from `now` on: neither negative nor more than kLongestRetryAfter. Nothing
/// if it is neither.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text,
                                                                         Timestamp now);

}  // namespace tidings::telemetry
