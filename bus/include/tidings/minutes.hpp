#pragma once

#include <tidings/clock.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidings {

/// The classes of measured durations: each has those of at most its bound that are in none before, and one
/// more has those above the last.
inline constexpr std::array<std::chrono::microseconds, 22> kDurationBounds = [] {
  std::array<std::chrono::microseconds, 22> bounds{};
  std::int64_t decade = 10;
  for (std::size_t index = 0; index < bounds.size(); ++index) {
    constexpr std::array<std::int64_t, 3> kSteps = {1, 2, 5};
    bounds[index] = std::chrono::microseconds(decade * kSteps[index % kSteps.size()]);
    if (index % kSteps.size() == 2) decade *= 10;
  }
  return bounds;
}();
static_assert(kDurationBounds.front() == std::chrono::microseconds(10));
static_assert(kDurationBounds.back() == std::chrono::seconds(100));

using DurationCounts = std::array<std::uint64_t, kDurationBounds.size() + 1>;

/// The index of a duration's class.
[[nodiscard]] std::size_t duration_class(std::chrono::microseconds duration) noexcept;
/// The bound that the share `quantile` (0 to 1) of the counted durations kept: of 0.99, 99 in 100 took at
/// most that long. Nullopt if none was counted. 100 s stands for all that is above, too.
[[nodiscard]] std::optional<std::chrono::microseconds> duration_quantile(const DurationCounts& counts,
                                                                         double quantile) noexcept;

/// What happened to the events of one type, or to their deliveries to one handler.
struct DeliveryCounts {
  /// Events that were accepted. Of a type only; the other counts are those of a handler.
  std::uint64_t published = 0;
  /// Deliveries whose handler returned, redrives among them.
  std::uint64_t handled = 0;
  /// Attempts that failed.
  std::uint64_t failed = 0;
  /// Deliveries that gave up: each has a dead letter. Of a type: its events that had no subscriber and became
  /// letters.
  std::uint64_t dead = 0;
  /// Attempts that took longer than the handler's slow_threshold.
  std::uint64_t slow = 0;
  /// How long attempts took that returned: all of queued and durable deliveries and of handlers with a
  /// slow_threshold, else one publish in 64 of each thread.
  DurationCounts durations{};

  DeliveryCounts& operator+=(const DeliveryCounts& other) noexcept;
  [[nodiscard]] bool operator==(const DeliveryCounts&) const = default;
};

/// What one bus counted in one minute.
struct MinuteRow {
  /// Its begin.
  Timestamp minute{};
  std::string event_type;
  /// Empty: the row is that of the type.
  std::string handler;
  DeliveryCounts counts;
};

/// The port through which a bus keeps what it counts, minute by minute. Called by one thread at a time.
class Minutes {
 public:
  Minutes() = default;
  Minutes(const Minutes&) = delete;
  Minutes& operator=(const Minutes&) = delete;
  virtual ~Minutes() = default;

  /// Takes what a bus of `service` counted, to be added to what is kept of those minutes: with the next
  /// commit that is made for other reasons, or with flush(). Does not wait for a disk. Throws std::bad_alloc,
  /// and then took nothing.
  virtual void add(std::string_view service, std::span<const MinuteRow> rows) = 0;
  /// Commits what was taken and waits still. Not synced: a power cut may cost the last minutes. Throws Error,
  /// std::bad_alloc, and then it still waits.
  virtual void flush() = 0;
};

}  // namespace tidings
