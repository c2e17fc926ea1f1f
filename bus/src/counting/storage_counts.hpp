#pragma once

#include "counting/duration_tally.hpp"

#include <tidings/clock.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace tidings::detail {

/// How long commits take, and which letters did not get into the database. Thread-safe.
class StorageCounts {
 public:
  explicit StorageCounts(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// Measures a commit: while it lives. `took` gets how long that was.
  class Timing {
   public:
    explicit Timing(StorageCounts& counts, std::chrono::nanoseconds* took = nullptr) noexcept
        : counts_(counts), took_(took), began_(counts.clock_->monotonic_now()) {}
    ~Timing() {
      const auto took = counts_.clock_->monotonic_now() - began_;
      counts_.commits.add(std::chrono::duration_cast<std::chrono::microseconds>(took));
      if (took_ != nullptr) *took_ = took;
    }
    Timing(const Timing&) = delete;
    Timing& operator=(const Timing&) = delete;

   private:
    StorageCounts& counts_;
    std::chrono::nanoseconds* const took_;
    const Instant began_;
  };

  DurationTally commits;
  std::atomic<std::uint64_t> spilled{0};
  std::atomic<std::uint64_t> unsaved{0};

 private:
  const std::shared_ptr<Clock> clock_;
};

}  // namespace tidings::detail
