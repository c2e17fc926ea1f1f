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

/// From one time to another, as far as a duration can say: rows may hold any number.
[[nodiscard]] std::chrono::microseconds time_between(Timestamp from, Timestamp to) noexcept;

/// A time as somebody types it, or as any of the tools prints it: how long ago (`2h`, `1h12m ago`,
/// `just now`), a day (`2026-11-21`), or a time (`2026-11-21 09:30:00 UTC`, `2026-11-21T09:30:00.5+01:00`,
/// `2026-11-21 09:30`, `20261121T093000Z`); UTC unless it names an offset. Returns nullopt if malformed.
[[nodiscard]] std::optional<Timestamp> parse_time(std::string_view text, Timestamp now);

/// The same for the beginning of a period that must include a time printed in this way. Ages are printed
/// rounded down, and have grown when they are typed: `19m ago` is up to a minute and a unit longer ago.
[[nodiscard]] std::optional<Timestamp> parse_begin(std::string_view text, Timestamp now);

/// The accepted forms, for messages.
inline constexpr const char* kTimeRule =
    "is not a time; write how long ago (2h, 30m, 1d), a day (2026-11-21), or 2026-11-21T09:30:00Z, in UTC "
    "unless it says otherwise (+01:00)";

}  // namespace tidings::tools
