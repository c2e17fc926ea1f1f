#include "counting/counter_book.hpp"

#include "counting/list_count.hpp"

#include <new>
#include <string>

namespace tidings::detail {

namespace {

/// Keys that nobody holds and that have nothing are kept up to here.
constexpr std::size_t kKeptIdle = 1'000;

constexpr std::string_view kAllTypes = "*";

}  // namespace

CounterBook::CounterBook(For purpose, std::size_t most_keys, std::size_t most_series)
    : purpose_(purpose),
      most_keys_(most_keys),
      most_series_(most_series),
      other_types_(kOtherSeries, ""),
      other_handlers_(kOtherSeries, kOtherSeries) {}

// --- series ---

std::shared_ptr<HandlerCount> CounterBook::subscribed(std::string_view event_type, std::string_view handler) {
  if (!on()) return nullptr;
  const MutexLock lock(mutex_);
  begin_series(event_type, handler);
  if (event_type == kAllTypes) return for_minutes() ? nullptr : find_locked(event_type, handler);
  begin_series(event_type, "");
  return find_locked(event_type, handler);
}

void CounterBook::begin_series(std::string_view event_type, std::string_view handler) {
  auto& all = handler.empty() ? types_ : handlers_;
  const bool is_others = event_type == kOtherSeries && (handler.empty() || handler == kOtherSeries);
  if (is_others || all.contains({event_type, handler}) || all.size() >= most_series_) return;
  const auto known = counts_.find({event_type, handler});
  const auto count = known != counts_.end()
                         ? known->second
                         : std::make_shared<HandlerCount>(event_type, handler, others(handler).series);
  counts_.emplace(Key(count->event_type(), count->handler()), count);
  auto kept = std::make_unique<Kept>(Kept{{std::string(event_type), std::string(handler)}, count});
  all.emplace(Key(count->event_type(), count->handler()), std::move(kept));
  if (event_type != kAllTypes) return count->join(series_of(event_type, handler), for_minutes());
  for (const auto& [key, each] : counts_) {
    if (key.second == handler) each->join(series_of(key.first, handler), for_minutes());
  }
}

CounterBook::Kept* CounterBook::kept(std::string_view event_type, std::string_view handler) {
  const auto& all = handler.empty() ? types_ : handlers_;
  auto found = all.find({event_type, handler});
  if (found == all.end() && !handler.empty()) found = all.find({kAllTypes, handler});
  return found == all.end() ? nullptr : found->second.get();
}

Series& CounterBook::series_of(std::string_view event_type, std::string_view handler) {
  Kept* const own = kept(event_type, handler);
  return own != nullptr ? own->series : others(handler).series;
}

// --- keys ---

std::shared_ptr<HandlerCount> CounterBook::find(std::string_view event_type, std::string_view handler) {
  if (!on()) return nullptr;
  const MutexLock lock(mutex_);
  return find_locked(event_type, handler);
}

std::shared_ptr<HandlerCount> CounterBook::find_locked(std::string_view event_type,
                                                       std::string_view handler) {
  const auto known = counts_.find({event_type, handler});
  if (known != counts_.end()) return known->second;
  if (!for_minutes()) {
    Kept* const own = kept(event_type, handler);
    return own != nullptr ? own->count : others(handler).count;
  }
  if (!has_room()) return nullptr;
  auto count = std::make_shared<HandlerCount>(event_type, handler, series_of(event_type, handler));
  counts_.emplace(Key(count->event_type(), count->handler()), count);
  return count;
}

std::shared_ptr<HandlerCount> CounterBook::find_any(std::string_view event_type,
                                                    std::string_view handler) noexcept {
  if (!on()) return nullptr;
  try {
    if (auto count = find(event_type, handler)) return count;
  } catch (const std::bad_alloc&) {
  }
  lost_.fetch_add(1, std::memory_order_relaxed);
  return others(handler).count;
}

bool CounterBook::has_room() {
  if (counts_.size() < most_keys_) return true;
  if (!full_) forget_idle();
  full_ = counts_.size() >= most_keys_;
  return !full_;
}

/// Those that a subscriber, a list or a series has are kept for as long as it lives.
void CounterBook::forget_idle() noexcept {
  std::erase_if(counts_, [](const auto& each) {
    const HandlerCount& count = *each.second;
    return each.second.use_count() == 1 && count.is_empty() && !count.has_for_minutes();
  });
}

// --- what was counted ---

void CounterBook::collect() noexcept {
  for (ListCount* const list : lists_) list->collect();
  for (const auto& [key, count] : counts_) count->collect(for_minutes());
  other_types_.count->collect(false);
  other_handlers_.count->collect(false);
}

void CounterBook::gather(Timestamp minute, std::vector<MinuteRow>& rows) {
  const MutexLock lock(mutex_);
  collect();
  for (const auto& [key, count] : counts_) {
    if (!count->has_for_minutes()) continue;
    rows.push_back({minute, count->event_type(), count->handler(), {}});
    rows.back().counts = count->take_for_minutes();
  }
  full_ = false;
  if (counts_.size() > kKeptIdle) forget_idle();
}

void CounterBook::read(Metrics& metrics) {
  const auto add_type = [&](const Series& series) {
    const DeliveryCounts& counted = series.sum.deliveries;
    metrics.types.push_back(
        {.event_type = series.event_type, .published = counted.published, .dead = counted.dead});
  };
  const auto add_handler = [&](const Series& series) {
    const DeliveryCounts& counted = series.sum.deliveries;
    metrics.handlers.push_back({.event_type = series.event_type,
                                .handler = series.handler,
                                .handled = counted.handled,
                                .failed = counted.failed,
                                .retried = series.sum.retried,
                                .dead = counted.dead,
                                .slow = counted.slow,
                                .durations = series.sum.durations,
                                .queue_waits = series.sum.queue_waits});
  };
  const MutexLock lock(mutex_);
  collect();
  for (const auto& [key, each] : types_) add_type(each->series);
  add_type(other_types_.series);
  for (const auto& [key, each] : handlers_) add_handler(each->series);
  add_handler(other_handlers_.series);
  metrics.counts_lost = lost_.load(std::memory_order_relaxed);
}

}  // namespace tidings::detail
