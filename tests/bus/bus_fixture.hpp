#pragma once

#include "logging/record_schema.hpp"

#include <tidings/bus.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/memory_letter_sink.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::test {

using namespace std::chrono_literals;

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  std::int64_t order_id{};
  std::string customer{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id, customer)
};

struct OrderShipped {
  static constexpr std::string_view event_type = "orders.order_shipped";
  static constexpr int schema_version = 2;
  std::int64_t order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderShipped, order_id)
};

/// No queue and no retry can keep it.
struct Uncopyable {
  static constexpr std::string_view event_type = "orders.uncopyable";
  Uncopyable() = default;
  Uncopyable(const Uncopyable& other) : order_id(other.order_id) {
    throw std::runtime_error("cannot be copied");
  }
  Uncopyable& operator=(const Uncopyable&) = default;
  ~Uncopyable() = default;
  std::int64_t order_id = 7;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Uncopyable, order_id)
};

/// Waits longer than any healthy test needs.
inline constexpr auto kLong = 30s;

/// Full jitter's longest wait.
class LongestJitter final : public IdSource {
 public:
  [[nodiscard]] EventId next(Timestamp now) noexcept override { return ids_->next(now); }
  [[nodiscard]] std::uint64_t random() noexcept override { return UINT64_MAX; }

 private:
  const std::shared_ptr<IdSource> ids_ = uuid_v7_source();
};

/// A bus with a clock that stands still, letters in memory and captured records, which are held against their
/// schema at the end.
class BusTest : public testing::Test {
 protected:
  ~BusTest() override { expect_documented_records(capture_); }

  BusOptions options() {
    return {.service = "shop",
            .store = letters_,
            .logger = capture_.logger(),
            .clock = clock_,
            .ids = std::make_shared<LongestJitter>()};
  }
  /// Lets the housekeeper see what it must wait for, then moves time.
  void advance(std::chrono::microseconds step) {
    clock_->await_waiter();
    clock_->advance(step);
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<MemoryLetterSink> letters_ = std::make_shared<MemoryLetterSink>();
  logging::Capture capture_;
};

template <class Function>
ErrorCode error_code_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()), "");
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode{};
}

}  // namespace tidings::test
