#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::tools {

/// No duration on the command line may be longer: a hundred years.
inline constexpr std::chrono::seconds kLongestDuration = std::chrono::hours(24) * 36'500;

/// Whole numbers with the units w, d, h, m, s, largest first, each at most once: `1h`, `90s`, `1h30m`, `2d`.
/// Returns nullopt if malformed, without a unit, or beyond kLongestDuration.
[[nodiscard]] std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// Exact and in the notation of parse_duration, from days down: `1h30m`; `0s` for zero. Not for negative
/// durations.
[[nodiscard]] std::string exact_duration(std::chrono::seconds duration);

/// For reading: the largest unit, and from an hour on the next one too, rounded down: `42m`, `1h12m`, `3d4h`.
[[nodiscard]] std::string readable_duration(std::chrono::seconds duration);

}  // namespace tidings::tools
