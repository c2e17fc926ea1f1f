#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace tidings::detail {

/// The ids that events get in the journal, and which of them may not be there yet, or not in the queues. A
/// part of OwedLedger, guarded by its mutex.
class JournalIds {
 public:
  explicit JournalIds(std::int64_t next) noexcept : next_(next) {}

  [[nodiscard]] std::int64_t next() const noexcept { return next_; }
  std::int64_t take() noexcept { return next_++; }

  /// Takes the next id for an event that a transaction of the application appends. Changes nothing when it
  /// throws.
  std::int64_t reserve() {
    reserved_.push_back(next_);
    return take();
  }
  /// Ids of transactions that may not have ended, in ascending order.
  [[nodiscard]] const std::vector<std::int64_t>& reserved() const noexcept { return reserved_; }
  /// The transactions of these ids, in ascending order, have ended. An id is settled by its number alone,
  /// never by its place before another. True: some of them were reserved.
  bool settle_reserved(std::span<const std::int64_t> ids) {
    const auto ended = [&](std::int64_t id) { return std::binary_search(ids.begin(), ids.end(), id); };
    return std::erase_if(reserved_, ended) > 0;
  }

  /// A publisher puts the next ids into its queues, until placed() is called with what this returns.
  std::int64_t place() {
    placing_.push_back(next_);
    return next_;
  }
  /// True: wake_after_placing() was called meanwhile.
  bool placed(std::int64_t first) {
    placing_.erase(std::find(placing_.begin(), placing_.end(), first));
    return std::exchange(wake_after_placing_, false);
  }
  /// False: no publisher is placing.
  bool wake_after_placing() noexcept {
    if (placing_.empty()) return false;
    wake_after_placing_ = true;
    return true;
  }

  /// A commit appends this id, and those after it.
  void begin_appending(std::int64_t first) noexcept { appending_ = first; }
  void end_appending() noexcept { appending_.reset(); }

  /// Every id up to this one is settled; `waiting` is the first that no commit has taken.
  [[nodiscard]] std::int64_t settled_up_to(std::optional<std::int64_t> waiting) const {
    std::int64_t first_open = appending_.value_or(waiting.value_or(next_));
    if (!reserved_.empty()) first_open = std::min(first_open, reserved_.front());
    if (!placing_.empty()) first_open = std::min(first_open, placing_.front());
    return first_open - 1;
  }

 private:
  std::int64_t next_;
  std::vector<std::int64_t> reserved_;
  /// The first id that the commit appends that is running.
  std::optional<std::int64_t> appending_;
  /// The first ids of what publishers are placing, in order.
  std::vector<std::int64_t> placing_;
  bool wake_after_placing_ = false;
};

}  // namespace tidings::detail
