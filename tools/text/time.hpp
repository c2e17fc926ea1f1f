#pragma once

#include <tidings/clock.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tidings::tools {

/// For reading: `2026-11-21 09:30:00 UTC`.
[[nodiscard]] std::string readable_time(Timestamp time);
/// The same to the millisecond: `2026-11-21 09:30:00.123 UTC`.
[[nodiscard]] std::string readable_time_exactly(Timestamp time);

/// A time as somebody types it, or as any of the tools prints it: how long ago (`2h`, `1h12m ago`,
/// `just now`), a day (`2026-11-21`), or a time (`2026-11-21 09:30:00 UTC`, `2026-11-21T09:30:00.5+01:00`,
/// `2026-11-21 09:30`, `20261121T093000Z`); UTC where nothing else is said. Nothing when malformed.
[[nodiscard]] std::optional<Timestamp> parse_time(std::string_view text, Timestamp now);

/// What may be written, for messages.
inline constexpr const char* kTimeRule =
    "is not a time; write how long ago (2h, 30m, 1d), a day (2026-11-21), or 2026-11-21T09:30:00Z, in UTC "
    "unless it says otherwise (+01:00)";

}  // namespace tidings::tools
