#include "counting/handler_count.hpp"

#include <algorithm>
#include <utility>

namespace tidings::detail {

Counted& Counted::operator+=(const Counted& other) noexcept {
  deliveries += other.deliveries;
  retried += other.retried;
  durations += other.durations;
  queue_waits += other.queue_waits;
  return *this;
}

Counted HandlerCount::take() noexcept {
  Counted counted;
  const std::int64_t handled = std::max<std::int64_t>(0, handled_.load(std::memory_order_relaxed));
  if (handled > 0) handled_.fetch_sub(handled, std::memory_order_relaxed);
  counted.deliveries.handled = static_cast<std::uint64_t>(handled);
  counted.deliveries.published = taken(published_);
  counted.deliveries.failed = taken(failed_);
  counted.deliveries.dead = taken(dead_);
  counted.deliveries.slow = taken(slow_);
  counted.retried = taken(retried_);
  counted.durations = durations_.take();
  counted.queue_waits = queue_waits_.take();
  return counted;
}

void HandlerCount::collect(bool for_minutes) noexcept {
  const Counted counted = take();
  if (counted == Counted{}) return;
  series_->sum += counted;
  if (!for_minutes) return;
  for_minutes_ += counted.deliveries;
  for (std::size_t index = 0; index < for_minutes_.durations.size(); ++index)
    for_minutes_.durations[index] += counted.durations.counts[index];
}

DeliveryCounts HandlerCount::take_for_minutes() noexcept {
  return std::exchange(for_minutes_, DeliveryCounts{});
}

void HandlerCount::join(Series& series, bool for_minutes) noexcept {
  if (&series == series_) return;
  collect(for_minutes);
  series_ = &series;
}

bool HandlerCount::is_empty() const noexcept {
  const auto is_zero = [](const Count& count) { return count.load(std::memory_order_relaxed) == 0; };
  return handled_.load(std::memory_order_relaxed) == 0 && is_zero(published_) && is_zero(failed_) &&
         is_zero(retried_) && is_zero(dead_) && is_zero(slow_) && durations_.read() == DurationHistogram{} &&
         queue_waits_.read() == DurationHistogram{};
}

}  // namespace tidings::detail
