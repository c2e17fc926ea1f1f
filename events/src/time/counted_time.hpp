#pragma once

#include <tidings/clock.hpp>

#include <cstdint>
#include <optional>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// The system's clocks at less than half their price. Asking the kernel costs 23 ns, of which the processor's
// time stamp counter is 9; between two such questions of a thread, at most a millisecond apart, the counter
// alone will do. docs/decisions/0003-wall-clock-by-counter.md says when that is right.

namespace tidings::detail {

/// How fast the counter runs.
struct TickRate {
  /// A reading serves for this many ticks: a millisecond.
  std::uint64_t ticks_per_millisecond = 0;
  /// Multiplied by 2^kShift.
  std::uint64_t microseconds_per_tick = 0;

  static constexpr unsigned kShift = 42;
  /// From the ticks that were counted in that time. Nothing unless there are 100 to 100,000 in a microsecond,
  /// which is true of every processor and keeps all products below 2^64.
  [[nodiscard]] static std::optional<TickRate> measured(std::uint64_t ticks,
                                                        std::int64_t nanoseconds) noexcept;
};

/// One reading of a clock, and what the counter said then.
template <class Time>
struct ClockReading {
  std::uint64_t ticks = 0;
  Time time{};

  /// The time when the counter says `now`. Nothing if the reading is too old for that, or not older at all:
  /// then the clock is to be read again, and so whoever sets it is followed within a millisecond.
  [[nodiscard]] std::optional<Time> at(std::uint64_t now, const TickRate& rate) const noexcept {
    const std::uint64_t elapsed = now - ticks;  // wraps around to a huge number if `now` is before
    if (elapsed >= rate.ticks_per_millisecond) [[unlikely]]
      return std::nullopt;
    const std::uint64_t passed = elapsed * rate.microseconds_per_tick >> TickRate::kShift;
    return time + std::chrono::microseconds(passed);
  }
};

#if defined(__x86_64__)
[[nodiscard]] inline std::uint64_t read_counter() noexcept { return __rdtsc(); }
#else
[[nodiscard]] inline std::uint64_t read_counter() noexcept { return 0; }
#endif

/// Nothing unless the kernel itself keeps its time by this counter, which it does only when the counter runs
/// evenly, in every state of sleep, and the same on all processors. Takes about 0.2 ms.
[[nodiscard]] std::optional<TickRate> measure_tick_rate() noexcept;

/// Read a clock, and the counter at that moment; if something came between the two, the reading serves for
/// its own moment only.
[[nodiscard]] ClockReading<Timestamp> read_wall_clock() noexcept;
[[nodiscard]] ClockReading<Instant> read_monotonic_clock() noexcept;

}  // namespace tidings::detail
