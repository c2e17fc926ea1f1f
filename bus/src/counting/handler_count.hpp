#pragma once

#include <tidings/minutes.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::detail {

/// What was counted of one handler and event type, or of the type alone, and not yet taken. Thread-safe.
class HandlerCount {
 public:
  HandlerCount(std::string_view event_type, std::string_view handler)
      : event_type_(event_type), handler_(handler) {}

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
  void dead() noexcept { add(dead_, 1); }
  void slow() noexcept { add(slow_, 1); }
  void took(std::chrono::microseconds duration) noexcept { add(durations_[duration_class(duration)], 1); }

  /// Takes what was counted since the last call.
  [[nodiscard]] DeliveryCounts take() noexcept;
  /// Whether there is nothing to be taken, and nothing to be made up for.
  [[nodiscard]] bool is_empty() const noexcept;

 private:
  using Count = std::atomic<std::uint64_t>;

  static void add(Count& count, std::uint64_t number) noexcept {
    count.fetch_add(number, std::memory_order_relaxed);
  }

  const std::string event_type_;
  const std::string handler_;
  std::atomic<std::int64_t> handled_{0};
  Count published_{0};
  Count failed_{0};
  Count dead_{0};
  Count slow_{0};
  std::array<Count, kDurationBounds.size() + 1> durations_{};
};

}  // namespace tidings::detail
