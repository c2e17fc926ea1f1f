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

  /// Measures a commit: while it lives.
  class Timing {
   public:
    explicit Timing(StorageCounts& counts) noexcept
        : counts_(counts), began_(counts.clock_->monotonic_now()) {}
    ~Timing() {
      counts_.commits.add(
          std::chrono::duration_cast<std::chrono::microseconds>(counts_.clock_->monotonic_now() - began_));
    }
    Timing(const Timing&) = delete;
    Timing& operator=(const Timing&) = delete;

   private:
    StorageCounts& counts_;
    const Instant began_;
  };

  DurationTally commits;
  std::atomic<std::uint64_t> spilled{0};
  std::atomic<std::uint64_t> unsaved{0};

 private:
  const std::shared_ptr<Clock> clock_;
};

}  // namespace tidings::detail
