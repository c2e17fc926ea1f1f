#include "time/counted_time.hpp"

#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX's

#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string_view>

namespace tidings::detail {

namespace {

constexpr const char* kKernelsChoice = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
constexpr std::int64_t kMeasured = 200'000;  // nanoseconds
/// Two readings of the clock that are further apart than this many nanoseconds were interrupted.
constexpr std::int64_t kAtOnce = 1000;
constexpr int kTries = 20;
constexpr double kFewestTicks = 100;  // in a microsecond
constexpr double kMostTicks = 100'000;

struct Moment {
  std::uint64_t ticks;
  std::int64_t nanoseconds;
};

std::int64_t read_nanoseconds(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

/// Both clocks at once, or nullopt if the thread was interrupted, or the clock was set, each time it tried.
std::optional<Moment> read_both(clockid_t clock, int tries) noexcept {
  for (; tries > 0; --tries) {
    const std::int64_t before = read_nanoseconds(clock);
    const std::uint64_t ticks = read_counter();
    const std::int64_t took = read_nanoseconds(clock) - before;
    if (took >= 0 && took <= kAtOnce) return Moment{ticks, before};
  }
  return std::nullopt;
}

/// Without ticks if the thread was interrupted.
Moment read_once(clockid_t clock) noexcept {
  const auto moment = read_both(clock, 1);
  return moment ? *moment : Moment{0, read_nanoseconds(clock)};
}

bool kernel_counts_ticks() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(kKernelsChoice, "re"), std::fclose);
  std::array<char, 16> line{};
  return file && std::fgets(line.data(), line.size(), file.get()) != nullptr &&
         std::string_view(line.data()) == "tsc\n";
}

}  // namespace

std::optional<TickRate> TickRate::measured(std::uint64_t ticks, std::int64_t nanoseconds) noexcept {
  if (nanoseconds <= 0) return std::nullopt;
  const double in_a_microsecond = static_cast<double>(ticks) * 1000 / static_cast<double>(nanoseconds);
  if (in_a_microsecond < kFewestTicks || in_a_microsecond > kMostTicks) return std::nullopt;
  return TickRate{static_cast<std::uint64_t>(in_a_microsecond * 1000),
                  static_cast<std::uint64_t>(std::ldexp(1 / in_a_microsecond, kShift))};
}

std::optional<TickRate> measure_tick_rate() noexcept {
#if defined(__x86_64__)
  if (!kernel_counts_ticks()) return std::nullopt;
  const auto begin = read_both(CLOCK_MONOTONIC, kTries);
  if (!begin) return std::nullopt;
  while (read_nanoseconds(CLOCK_MONOTONIC) - begin->nanoseconds < kMeasured) {
  }
  const auto end = read_both(CLOCK_MONOTONIC, kTries);
  if (!end) return std::nullopt;
  return TickRate::measured(end->ticks - begin->ticks, end->nanoseconds - begin->nanoseconds);
#else
  return std::nullopt;
#endif
}

ClockReading<Timestamp> read_wall_clock() noexcept {
  const auto moment = read_once(CLOCK_REALTIME);
  return {moment.ticks, Timestamp(std::chrono::microseconds(moment.nanoseconds / 1000))};
}

ClockReading<Instant> read_monotonic_clock() noexcept {
  const auto moment = read_once(CLOCK_MONOTONIC);  // what std::chrono::steady_clock reads
  return {moment.ticks, Instant(std::chrono::nanoseconds(moment.nanoseconds))};
}

}  // namespace tidings::detail
