#pragma once

#include <tidings/clock.hpp>

#include <chrono>

namespace tidings::bench {

/// Stands still: the system's clock takes ways of different lengths, and nothing becomes due meanwhile.
class FixedClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const noexcept override { return Timestamp(std::chrono::days(20'000)); }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return Instant(std::chrono::hours(1)); }
  void wait_until(Signal& signal, Instant) override { signal.wait(); }
};

}  // namespace tidings::bench
