#include "running/housekeeper.hpp"

#include "running/start_thread.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace tidings::detail {

namespace {
/// With nothing due the thread still looks once an hour: no clock has to wait for ever.
constexpr std::chrono::hours kIdle{1};

thread_local constinit const Housekeeper* housekeeper_of_this_thread = nullptr;
}  // namespace

Housekeeper::Housekeeper(std::shared_ptr<Clock> clock, Retry retry, Duty duty)
    : clock_(std::move(clock)), retry_(std::move(retry)), duty_(std::move(duty)) {}

Housekeeper::~Housekeeper() { stop(); }

void Housekeeper::start() {
  thread_ = start_thread([this] { run(); });
}

void Housekeeper::stop() {
  stopping_.store(true);
  signal_.raise();
  if (thread_.joinable()) thread_.join();
}

bool Housekeeper::later(const Entry& left, const Entry& right) noexcept {
  return left.due != right.due ? left.due > right.due : left.sequence > right.sequence;
}

bool Housekeeper::schedule(Instant due, const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
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
  if (next) wake();
  return true;
}

std::vector<Delivery> Housekeeper::take(const Subscriber& subscriber) {
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
  return taken;
}

bool Housekeeper::is_this_thread() const noexcept { return housekeeper_of_this_thread == this; }

void Housekeeper::run() {
  housekeeper_of_this_thread = this;
  while (!stopping_.load()) {
    const Instant now = clock_->monotonic_now();
    serve_due_retries(now);
    const std::optional<Instant> duty = duty_(now);
    const std::optional<Instant> retry = next_retry();
    const Instant idle = now + kIdle;
    clock_->wait_until(signal_, std::min({duty.value_or(idle), retry.value_or(idle), idle}));
  }
}

void Housekeeper::serve_due_retries(Instant now) {
  for (;;) {
    std::optional<Entry> entry;
    {
      const MutexLock lock(mutex_);
      if (entries_.empty() || entries_.front().due > now) return;
      std::pop_heap(entries_.begin(), entries_.end(), later);
      entry = std::move(entries_.back());
      entries_.pop_back();
    }
    retry_(entry->subscriber, entry->delivery);
  }
}

std::optional<Instant> Housekeeper::next_retry() const {
  const MutexLock lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  return entries_.front().due;
}

}  // namespace tidings::detail
