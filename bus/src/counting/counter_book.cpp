#include "counting/counter_book.hpp"

#include "counting/list_count.hpp"

#include <chrono>
#include <new>
#include <string>

namespace tidings::detail {

namespace {

/// Keys that nobody holds and that have nothing are kept up to here.
constexpr std::size_t kKeptIdle = 1'000;

}  // namespace

std::shared_ptr<HandlerCount> CounterBook::find(std::string_view event_type, std::string_view handler) {
  if (!on_) return nullptr;
  const MutexLock lock(mutex_);
  const auto known = counts_.find({event_type, handler});
  if (known != counts_.end()) return known->second;
  if (counts_.size() >= most_keys_) forget_idle();
  if (counts_.size() >= most_keys_) return nullptr;
  auto count = std::make_shared<HandlerCount>(event_type, handler);
  counts_.emplace(Key(count->event_type(), count->handler()), count);
  return count;
}

std::shared_ptr<HandlerCount> CounterBook::find_or_lose(std::string_view event_type,
                                                        std::string_view handler) noexcept {
  try {
    if (auto count = find(event_type, handler)) return count;
  } catch (const std::bad_alloc&) {
  }
  lost_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

void CounterBook::gather(Timestamp minute, std::vector<MinuteRow>& rows) {
  const MutexLock lock(mutex_);
  for (ListCount* const list : lists_) list->collect();
  for (const auto& [key, count] : counts_) {
    rows.push_back({minute, count->event_type(), count->handler(), {}});
    rows.back().counts = count->take();
    if (rows.back().counts == DeliveryCounts{}) rows.pop_back();
  }
  if (counts_.size() > kKeptIdle) forget_idle();
}

/// Those that a subscriber or a list has are kept for as long as it lives.
void CounterBook::forget_idle() noexcept {
  std::erase_if(counts_,
                [](const auto& each) { return each.second.use_count() == 1 && each.second->is_empty(); });
}

}  // namespace tidings::detail
