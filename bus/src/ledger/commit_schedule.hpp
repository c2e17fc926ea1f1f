#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace tidings::detail {

/// When the journal's background commits next. A part of OwedLedger, guarded by its mutex.
class CommitSchedule {
 public:
  explicit CommitSchedule(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// Asks for a commit within 50 ms, unless one is asked for already. True: the housekeeper must be woken.
  [[nodiscard]] bool arm() { return !due_ && arm_again(); }
  /// The same, without a look whether one is asked for. The housekeeper wakes by itself at the time that
  /// tell() returned last, unless that has just passed.
  [[nodiscard]] bool arm_again() {
    const Instant now = clock_->monotonic_now();
    due_ = now + kFlushWithin;
    return !told_ || *told_ < now || *told_ > *due_;
  }

  /// For the one thread that commits when it is due, and that is not woken for what is due after this.
  [[nodiscard]] std::optional<Instant> tell() {
    told_ = due_;
    return due_;
  }
  /// Whether it is due now, which is then seen to.
  [[nodiscard]] bool take_due(Instant now) {
    if (!due_ || now < *due_) return false;
    due_.reset();
    refused_ = false;
    return true;
  }

  /// The database did not take the last commit, and what waits is left to the background.
  [[nodiscard]] bool refused() const noexcept { return refused_; }
  [[nodiscard]] std::chrono::milliseconds backoff() const noexcept { return backoff_; }
  void commit_refused(bool short_of_memory) {
    refused_ = true;
    if (!short_of_memory) backoff_ = after_backoff(backoff_);
    due_ = clock_->monotonic_now() + (short_of_memory ? kAgainWithoutMemory : backoff_);
  }
  void commit_succeeded() noexcept {
    backoff_ = std::chrono::milliseconds(0);
    nothing_is_due();
  }
  void nothing_is_due() noexcept {
    refused_ = false;
    due_.reset();
  }
  /// Nothing is left that a refused commit would have to be repeated for.
  void nothing_waits() noexcept { refused_ = false; }

  /// How long to wait after a failure that follows one after which so long was waited.
  [[nodiscard]] static std::chrono::milliseconds after_backoff(std::chrono::milliseconds last) {
    return std::clamp(last * 2, kFirstBackoff, kMaxBackoff);
  }

 private:
  static constexpr std::chrono::milliseconds kFlushWithin{50};
  static constexpr std::chrono::milliseconds kFirstBackoff{100};
  static constexpr std::chrono::milliseconds kMaxBackoff{5000};

  const std::shared_ptr<Clock> clock_;
  bool refused_ = false;
  std::chrono::milliseconds backoff_{0};
  std::optional<Instant> due_;
  /// What tell() has answered last.
  std::optional<Instant> told_;
};

}  // namespace tidings::detail
