#pragma once

#include <tidings/clock.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace tidings::detail {

/// When a Redriver looks what there is to do. For the housekeeper's thread.
class RedriveSchedule {
 public:
  [[nodiscard]] Instant next() const noexcept { return std::min(poll_, claim_.value_or(poll_)); }
  [[nodiscard]] bool poll_is_due(Instant now) const noexcept { return now >= poll_; }
  [[nodiscard]] bool claim_is_due(Instant now) const noexcept { return claim_ && now >= *claim_; }

  void poll_again(Instant now) noexcept { poll_ = now + kPoll; }
  /// There is more upkeep: others get the database's lock meanwhile.
  void poll_soon(Instant now) noexcept { poll_ = now + kPause; }
  /// When the sink says that there is something to be claimed next; nullopt if it does not know.
  void claim_at(std::optional<Instant> next) noexcept { claim_ = next; }
  /// The sink has marked letters that it has not looked at yet, in a look that took so long.
  void look_on(Instant began, Instant ended) noexcept {
    const Instant go_on = ended + (ended - began) * kShare;
    claim_ = std::min(claim_.value_or(go_on), go_on);
  }

  void want_keys() noexcept { keys_are_due_ = true; }
  [[nodiscard]] bool keys_are_due(Instant now) const noexcept { return keys_are_due_ && now >= keys_; }
  void keys_refreshed(bool all, Instant began, Instant ended) noexcept {
    keys_are_due_ = !all;
    keys_ = ended + (ended - began) * kShare;
  }

  void succeeded() noexcept { backoff_ = std::chrono::milliseconds(0); }
  void failed(Instant now) noexcept {
    backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
    try_again(now + backoff_);
  }
  void try_again(Instant at) noexcept {
    poll_ = at;
    claim_.reset();
    keys_are_due_ = true;
  }

  static constexpr std::chrono::milliseconds kFirstBackoff{1'000};

 private:
  /// A mark is seen within a second, by no more than two wake-ups a second.
  static constexpr std::chrono::milliseconds kPoll{600};
  static constexpr std::chrono::milliseconds kPause{100};
  static constexpr std::chrono::milliseconds kLongestBackoff{30'000};
  /// After a look the next waits for this many times as long as the look took: the housekeeper has other
  /// duties.
  static constexpr int kShare = 2;

  Instant poll_{};
  std::optional<Instant> claim_;
  Instant keys_{};
  bool keys_are_due_ = true;
  std::chrono::milliseconds backoff_{0};
};

}  // namespace tidings::detail
