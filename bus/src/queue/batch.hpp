#pragma once

#include "event/prefetch.hpp"
#include "queue/delivery.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace tidings::detail {

/// What the holder of a permit has taken at once. `deliveries_` is changed by the holder alone, under the
/// queue's mutex; its elements belong to whoever moved `next_` past them.
class Batch {
 public:
  /// The next delivery, as long as there is one.
  [[nodiscard]] std::optional<Delivery> take() noexcept {
    const std::size_t index = next_.fetch_add(1, std::memory_order_acq_rel);
    if (index >= deliveries_.size()) return std::nullopt;
    if (index + kFetchedAhead < events_.size())
      prefetch_to_read(events_[index + kFetchedAhead], kFetchedOfEach);
    return std::move(deliveries_[index]);
  }
  /// Whether many were taken at once. For the holder.
  [[nodiscard]] bool had_many() const noexcept { return deliveries_.size() >= kMany; }

 private:
  friend class Batches;
  static constexpr std::size_t kMany = 4;
  static constexpr std::size_t kNoMore = SIZE_MAX / 2;
  static constexpr std::size_t kFetchedAhead = 4;
  static constexpr std::size_t kFetchedOfEach = 2 * kCacheLine;

  [[nodiscard]] bool has_more() const noexcept {
    return next_.load(std::memory_order_relaxed) < deliveries_.size();
  }
  /// Moves what is left to `rest`, in order.
  void surrender(std::vector<Delivery>& rest) {
    const std::size_t first = next_.exchange(kNoMore, std::memory_order_acq_rel);
    for (std::size_t index = first; index < deliveries_.size(); ++index)
      rest.push_back(std::move(deliveries_[index]));
  }

  std::vector<Delivery> deliveries_;
  /// Where their events are: for the holder, since others may be moving the deliveries.
  std::vector<const void*> events_;
  std::atomic<std::size_t> next_{0};
  bool held_ = false;  // guarded by the queue's mutex
};

}  // namespace tidings::detail
