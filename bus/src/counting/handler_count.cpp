#include "counting/handler_count.hpp"

#include <algorithm>
#include <cstddef>

namespace tidings::detail {

namespace {

/// Most are zero, and are not written.
std::uint64_t taken(std::atomic<std::uint64_t>& count) noexcept {
  return count.load(std::memory_order_relaxed) == 0 ? 0 : count.exchange(0, std::memory_order_relaxed);
}

}  // namespace

DeliveryCounts HandlerCount::take() noexcept {
  DeliveryCounts counts;
  const std::int64_t handled = std::max<std::int64_t>(0, handled_.load(std::memory_order_relaxed));
  handled_.fetch_sub(handled, std::memory_order_relaxed);
  counts.handled = static_cast<std::uint64_t>(handled);
  counts.published = taken(published_);
  counts.failed = taken(failed_);
  counts.dead = taken(dead_);
  counts.slow = taken(slow_);
  for (std::size_t index = 0; index < durations_.size(); ++index)
    counts.durations[index] = taken(durations_[index]);
  return counts;
}

bool HandlerCount::is_empty() const noexcept {
  const auto is_zero = [](const Count& count) { return count.load(std::memory_order_relaxed) == 0; };
  return handled_.load(std::memory_order_relaxed) == 0 && is_zero(published_) && is_zero(failed_) &&
         is_zero(dead_) && is_zero(slow_) && std::all_of(durations_.begin(), durations_.end(), is_zero);
}

}  // namespace tidings::detail
