#include "running/retry_timer.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <utility>

namespace tidings::detail {

bool RetryTimer::later(const Entry& left, const Entry& right) noexcept {
  return left.due != right.due ? left.due > right.due : left.sequence > right.sequence;
}

void RetryTimer::count(Subscriber& subscriber, int change) noexcept {
  subscriber.queue.count_waiting(change);
  gate_.need_care(change);
}

bool RetryTimer::schedule(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                          std::chrono::microseconds delay) {
  count(*subscriber, 1);
  if (add(clock_.monotonic_now() + delay, subscriber, delivery)) return true;
  count(*subscriber, -1);
  return false;
}

bool RetryTimer::add(Instant due, const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
  bool next = false;
  {
    const MutexLock lock(mutex_);
    // Checked under the mutex that take() holds: a retry is either refused here or found there.
    if (subscriber->state.load() != SubscriberState::Open) return false;
    Entry entry{due, ++sequence_, subscriber, std::move(delivery)};
    patiently([&] {
      mutex_.assert_held();
      entries_.push_back(std::move(entry));
    });
    std::push_heap(entries_.begin(), entries_.end(), later);
    next = entries_.front().sequence == sequence_;
  }
  if (next) housekeeper_.wake();
  return true;
}

std::vector<Delivery> RetryTimer::take(Subscriber& subscriber) {
  const MutexLock lock(mutex_);
  const auto mine = std::stable_partition(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.subscriber.get() != &subscriber;
  });
  std::sort(mine, entries_.end(),
            [](const Entry& left, const Entry& right) { return left.sequence < right.sequence; });
  std::vector<Delivery> taken;
  patiently([&] {
    mutex_.assert_held();
    taken.reserve(static_cast<std::size_t>(entries_.end() - mine));
  });
  for (auto entry = mine; entry != entries_.end(); ++entry) taken.push_back(std::move(entry->delivery));
  entries_.erase(mine, entries_.end());
  std::make_heap(entries_.begin(), entries_.end(), later);
  count(subscriber, -static_cast<int>(taken.size()));
  return taken;
}

/// A retry stops counting as waiting before a worker can take it, so that an ended delivery never counts.
void RetryTimer::serve_due(Instant now) {
  for (;;) {
    std::optional<Entry> entry;
    {
      const MutexLock lock(mutex_);
      if (entries_.empty() || entries_.front().due > now) return;
      std::pop_heap(entries_.begin(), entries_.end(), later);
      entry = std::move(entries_.back());
      entries_.pop_back();
    }
    count(*entry->subscriber, -1);
    due_(entry->subscriber, entry->delivery);
  }
}

std::optional<Instant> RetryTimer::next() const {
  const MutexLock lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  return entries_.front().due;
}

}  // namespace tidings::detail
