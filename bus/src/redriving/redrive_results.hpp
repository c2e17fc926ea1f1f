#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/redrive.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Redrives that have ended, until the sink knows. A part of Redriver, guarded by its mutex.
class RedriveResults {
 public:
  /// Whether none waits to be reported to the sink.
  [[nodiscard]] bool empty() const noexcept { return results_.empty(); }
  /// Whether the sink knows of all.
  [[nodiscard]] bool all_settled() const noexcept { return results_.empty() && settling_ == 0; }
  /// True: it is the first that waits.
  bool add(RedriveResult result, Instant now) {
    patiently([&] { results_.push_back(std::move(result)); });
    const bool first = !oldest_;
    if (first) oldest_ = now;
    return first;
  }

  /// When they are to be reported to the sink at the latest.
  [[nodiscard]] std::optional<Instant> due() const {
    if (!oldest_) return std::nullopt;
    return std::max(*oldest_ + kSettledWithin, again_);
  }
  [[nodiscard]] bool may_flush(Instant now) const noexcept { return !results_.empty() && now >= again_; }
  [[nodiscard]] bool must_flush(Instant now) const noexcept {
    if (!may_flush(now)) return false;
    return results_.size() >= kSettledAtOnce || (oldest_ && now >= *oldest_ + kSettledWithin);
  }

  /// Takes all that wait, until settled() or put_back() is called with them.
  [[nodiscard]] std::vector<RedriveResult> take() noexcept {
    oldest_.reset();
    settling_ += results_.size();
    return std::exchange(results_, {});
  }
  void settled(const std::vector<RedriveResult>& batch) noexcept { settling_ -= batch.size(); }
  /// The sink could not keep them: it is not asked again before that time.
  void put_back(std::vector<RedriveResult>& batch, Instant again) {
    settling_ -= batch.size();
    again_ = again;
    oldest_ = again;
    patiently([&] { batch.reserve(batch.size() + results_.size()); });
    std::move(results_.begin(), results_.end(), std::back_inserter(batch));
    results_.swap(batch);
  }

 private:
  static constexpr std::size_t kSettledAtOnce = 32;
  static constexpr std::chrono::milliseconds kSettledWithin{20};

  std::vector<RedriveResult> results_;
  std::optional<Instant> oldest_;
  std::size_t settling_ = 0;
  Instant again_{};
};

}  // namespace tidings::detail
