#pragma once

#include "counting/duration_tally.hpp"

#include <tidings/metrics.hpp>
#include <tidings/minutes.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::detail {

/// Numbers of one handler and event type, or of the type alone.
struct Counted {
  /// What minutes have. Its `durations` are empty: they are in the histogram.
  DeliveryCounts deliveries;
  std::uint64_t retried = 0;
  DurationHistogram durations;
  DurationHistogram queue_waits;

  Counted& operator+=(const Counted& other) noexcept;
  [[nodiscard]] bool operator==(const Counted&) const = default;
};

/// The sums of one series of metrics, since the bus was made. Guarded by the mutex of the book.
struct Series {
  const std::string event_type;
  const std::string handler;  // empty: of the type
  Counted sum = {};
};

/// What was counted of one handler and event type, or of the type alone, and not yet collected. Thread-safe,
/// but for what the book's mutex guards.
class HandlerCount {
 public:
  HandlerCount(std::string_view event_type, std::string_view handler, Series& series)
      : event_type_(event_type), handler_(handler), series_(&series) {}

  [[nodiscard]] const std::string& event_type() const noexcept { return event_type_; }
  /// Empty: of the type.
  [[nodiscard]] const std::string& handler() const noexcept { return handler_; }

  void published(std::uint64_t events) noexcept { add(published_, events); }
  void handled(std::uint64_t deliveries) noexcept {
    handled_.fetch_add(static_cast<std::int64_t>(deliveries), std::memory_order_relaxed);
  }
  /// A delivery that a ListCount takes as handled is not, or not yet. What was taken too much is made up for
  /// by what is handled later.
  void not_handled() noexcept { handled_.fetch_sub(1, std::memory_order_relaxed); }
  void failed() noexcept { add(failed_, 1); }
  void retried() noexcept { add(retried_, 1); }
  void dead() noexcept { add(dead_, 1); }
  void slow() noexcept { add(slow_, 1); }
  void took(std::chrono::microseconds duration) noexcept { durations_.add(duration); }
  void waited(std::chrono::microseconds duration) noexcept { queue_waits_.add(duration); }

  // --- under the mutex of the book ---

  /// Moves what was counted since the last call to the series and, if `for_minutes`, to what waits for them.
  void collect(bool for_minutes) noexcept;
  /// Takes what waits for the rows of a minute.
  [[nodiscard]] DeliveryCounts take_for_minutes() noexcept;
  /// Collects for the series that it had, before another one follows.
  void join(Series& series, bool for_minutes) noexcept;
  /// Whether there is nothing to be taken, and nothing to be made up for.
  [[nodiscard]] bool is_empty() const noexcept;
  /// The same of what waits for minutes.
  [[nodiscard]] bool has_for_minutes() const noexcept { return for_minutes_ != DeliveryCounts{}; }

 private:
  using Count = std::atomic<std::uint64_t>;

  static void add(Count& count, std::uint64_t number) noexcept {
    count.fetch_add(number, std::memory_order_relaxed);
  }
  [[nodiscard]] Counted take() noexcept;

  const std::string event_type_;
  const std::string handler_;
  std::atomic<std::int64_t> handled_{0};
  Count published_{0};
  Count failed_{0};
  Count retried_{0};
  Count dead_{0};
  Count slow_{0};
  DurationTally durations_;
  DurationTally queue_waits_;
  Series* series_;                // guarded by the mutex of the book
  DeliveryCounts for_minutes_{};  // guarded by the mutex of the book
};

}  // namespace tidings::detail
