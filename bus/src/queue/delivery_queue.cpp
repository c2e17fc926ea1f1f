#include "queue/delivery_queue.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>

namespace tidings::detail {

namespace {

/// So many empty batches are kept for those who bring more (at most 2 KiB each).
constexpr std::size_t kSparesKept = 32;

}  // namespace

void DeliveryQueue::release() noexcept {
  places_.give_back();
  // Whoever waits has counted itself before it looked at the places, so one of the two sees the other.
  if (waiting_for_room_.load() > 0) {
    notify_waiters();
  } else {
    notify_if_empty();
  }
}

void DeliveryQueue::notify_if_empty() noexcept {
  if (waiting_for_empty_.load() > 0 && empty()) notify_waiters();
}

void DeliveryQueue::notify_waiters() {
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

void DeliveryQueue::wait_for_room(std::uint64_t wakes) {
  waiting_for_room_.fetch_add(1);
  {
    const MutexLock lock(mutex_);
    while (!has_room() && wakes_.load() == wakes) changed_.wait(mutex_);
  }
  waiting_for_room_.fetch_sub(1);
}

void DeliveryQueue::wake_publishers() {
  wakes_.fetch_add(1);
  notify_waiters();
}

bool DeliveryQueue::wait_empty(std::chrono::steady_clock::time_point deadline) {
  waiting_for_empty_.fetch_add(1);
  bool in_time = true;
  bool was_empty = false;
  {
    const MutexLock lock(mutex_);
    // Looked at once for each answer: what comes after it was empty is no reason to say that it never was.
    while (!(was_empty = empty()) && in_time) in_time = changed_.wait_until(mutex_, deadline);
  }
  waiting_for_empty_.fetch_sub(1);
  return was_empty;
}

bool DeliveryQueue::take_permit() {
  if (permits_ >= concurrency_) return false;
  ++permits_;
  return true;
}

/// What needs memory comes first: an empty batch in between would hide those behind it.
void DeliveryQueue::add_batch() {
  patiently([&] {
    mutex_.assert_held();
    if (spares_.empty()) spares_.emplace_front();
    spares_.front().reserve(batch_size_);
  });
  incoming_.splice(incoming_.end(), spares_, spares_.begin());
}

DeliveryQueue::Pushed DeliveryQueue::enqueue(Delivery& delivery) {
  if (incoming_.empty() || incoming_.back().size() == batch_size_) add_batch();
  incoming_.back().push_back(std::move(delivery));
  batches_waiting_.store(incoming_.size(), std::memory_order_relaxed);
  return take_permit() ? Pushed::NeedsWorker : Pushed::Queued;
}

DeliveryQueue::Pushed DeliveryQueue::push(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  const std::string* const key = delivery.ordering_key();
  if (key == nullptr) return enqueue(delivery);
  if (const auto dead = dead_keys_.find(*key); dead != dead_keys_.end()) {
    ++dead->second;
    ++parking_;
    return Pushed::Parked;
  }
  const auto [lane, is_new] = patiently([&] {
    mutex_.assert_held();
    return lanes_.try_emplace(*key);
  });
  if (is_new) return enqueue(delivery);
  auto& held = lane->second;
  patiently([&] { held.push_back(std::move(delivery)); });
  ++held_;
  return Pushed::Queued;
}

DeliveryQueue::Pushed DeliveryQueue::push_retry(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  return enqueue(delivery);
}

// --- serving ---

DeliveryQueue::Batch& DeliveryQueue::begin_serving() {
  const MutexLock lock(mutex_);
  const auto is_free = [](const auto& batch) { return !batch->held_; };
  const auto is_left = [](const auto& batch) { return !batch->held_ && batch->has_more(); };
  auto found = std::find_if(batches_.begin(), batches_.end(), is_left);
  if (found == batches_.end()) found = std::find_if(batches_.begin(), batches_.end(), is_free);
  if (found == batches_.end()) {
    auto batch = patiently([&] {
      auto made = std::make_unique<Batch>();
      made->events_.reserve(batch_size_);  // fill() must not throw
      return made;
    });
    patiently([&] {
      mutex_.assert_held();
      batches_.reserve(batches_.size() + 1);
    });
    found = batches_.insert(batches_.end(), std::move(batch));
  }
  (*found)->held_ = true;
  return **found;
}

void DeliveryQueue::pause_serving(Batch& batch) {
  const MutexLock lock(mutex_);
  batch.held_ = false;
}

std::optional<Delivery> DeliveryQueue::take_more(Batch& batch) {
  const MutexLock lock(mutex_);
  fill(batch);
  std::optional<Delivery> delivery = batch.take();
  if (!delivery) delivery = take_from_others(batch);
  if (delivery) return delivery;
  batch.held_ = false;
  --permits_;
  return std::nullopt;
}

void DeliveryQueue::fill(Batch& batch) {
  batch.deliveries_.clear();
  if (!incoming_.empty()) {
    batch.deliveries_.swap(incoming_.front());
    if (spares_.size() < kSparesKept && incoming_.front().capacity() > 0) {
      spares_.splice(spares_.begin(), incoming_, incoming_.begin());
    } else {
      incoming_.pop_front();
    }
  }
  batches_waiting_.store(incoming_.size(), std::memory_order_relaxed);
  batch.events_.clear();
  for (const Delivery& delivery : batch.deliveries_) batch.events_.push_back(delivery.event.get());
  for (std::size_t ahead = 0; ahead < std::min(Batch::kFetchedAhead, batch.events_.size()); ++ahead)
    prefetch_to_read(batch.events_[ahead], Batch::kFetchedOfEach);
  batch.next_.store(0, std::memory_order_release);
}

std::optional<Delivery> DeliveryQueue::take_from_others(const Batch& own) {
  for (const auto& batch : batches_) {
    if (batch.get() == &own || !batch->has_more()) continue;
    if (auto delivery = batch->take()) return delivery;
  }
  return std::nullopt;
}

// --- keys, and the end ---

std::vector<Delivery> DeliveryQueue::end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker) {
  const MutexLock lock(mutex_);
  std::vector<Delivery> refused;
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end()) return refused;
  std::deque<Delivery>& held = lane->second;
  if (outcome == KeyOutcome::Refuse && !held.empty()) {
    patiently([&] { refused.reserve(held.size()); });
    held_ -= held.size();
    refused.assign(std::make_move_iterator(held.begin()), std::make_move_iterator(held.end()));
    held.clear();
    return refused;
  }
  if (outcome == KeyOutcome::Refuse) {
    patiently([&] {
      mutex_.assert_held();
      dead_keys_.try_emplace(key, 0);
    });
    resuming_.erase(key);
  }
  if (resuming_.contains(key) && (held.empty() || held.front().redrive() == nullptr)) {
    patiently([&] {
      mutex_.assert_held();
      idle_.insert(key);
    });
    return refused;
  }
  if (held.empty()) {
    lanes_.erase(lane);
    return refused;
  }
  Delivery next = std::move(held.front());
  held.pop_front();
  --held_;
  needs_worker = enqueue(next) == Pushed::NeedsWorker;
  return refused;
}

bool DeliveryQueue::hold_key(const std::string& key) {
  const MutexLock lock(mutex_);
  if (dead_keys_.contains(key)) return false;
  return patiently([&] {
    mutex_.assert_held();
    return lanes_.try_emplace(key).second;
  });
}

bool DeliveryQueue::has_key(const std::string& key) const {
  const MutexLock lock(mutex_);
  return lanes_.contains(key);
}

void DeliveryQueue::set_backlog(bool there_is_more) {
  backlog_.store(there_is_more);
  notify_if_empty();
}

void DeliveryQueue::begin_draining() {
  const MutexLock lock(mutex_);
  if (mode_ == Mode::Open) mode_ = Mode::Draining;
}

std::vector<Delivery> DeliveryQueue::close() {
  const MutexLock lock(mutex_);
  mode_ = Mode::Closed;
  std::vector<Delivery> rest;
  patiently([&] {
    mutex_.assert_held();
    rest.reserve(held_ + incoming_.size() * batch_size_ + batches_.size() * batch_size_);
  });
  for (const auto& batch : batches_) batch->surrender(rest);
  for (auto& batch : incoming_) std::move(batch.begin(), batch.end(), std::back_inserter(rest));
  incoming_.clear();
  batches_waiting_.store(0, std::memory_order_relaxed);
  for (auto& [key, held] : lanes_) {
    std::move(held.begin(), held.end(), std::back_inserter(rest));
    held.clear();
  }
  held_ = 0;
  return rest;
}

std::size_t DeliveryQueue::waiting() const {
  const MutexLock lock(mutex_);
  return waiting_.load() + held_;
}

}  // namespace tidings::detail
