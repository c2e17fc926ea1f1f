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

  /// Asks for a commit within 50 ms, unless one is asked for already. Returns whether the housekeeper must be
  /// woken.
  [[nodiscard]] bool arm() { return !due_ && arm_again(); }
  /// The same, but puts the time off if a commit is asked for already. The housekeeper needs no wake-up if it
  /// wakes anyway, between now and then, at the time that next_due() returned last.
  [[nodiscard]] bool arm_again() {
    const Instant now = clock_->monotonic_now();
    due_ = now + kFlushWithin;
    return !planned_ || *planned_ < now || *planned_ > *due_;
  }

  /// When the next commit is due. For the housekeeper alone, which plans to wake then.
  [[nodiscard]] std::optional<Instant> next_due() {
    planned_ = due_;
    return due_;
  }
  /// Returns whether a commit is due now. The caller then commits: it is no longer due.
  [[nodiscard]] bool take_due(Instant now) {
    if (!due_ || now < *due_) return false;
    due_.reset();
    refused_ = false;
    return true;
  }

  /// The database did not take the last commit; the background commits what waits.
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
  void clear_refusal() noexcept { refused_ = false; }

  /// How long to wait after the next of several failures in a row; `last` is the wait before it.
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
  /// What next_due() returned last.
  std::optional<Instant> planned_;
};

}  // namespace tidings::detail
