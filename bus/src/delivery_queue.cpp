#include "delivery_queue.hpp"

#include <iterator>

namespace tidings::detail {

bool DeliveryQueue::try_reserve() noexcept {
  std::size_t occupied = occupied_.load();
  while (occupied < capacity_ + redriving_.load(std::memory_order_relaxed)) {
    if (occupied_.compare_exchange_weak(occupied, occupied + 1)) return true;
  }
  return false;
}

void DeliveryQueue::release() noexcept {
  occupied_.fetch_sub(1);
  // Whoever waits has counted itself before it looked at occupied_, so one of the two sees the other.
  if (waiters_.load() > 0) notify_waiters();
}

void DeliveryQueue::notify_waiters() {
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

void DeliveryQueue::wait_for_room(std::uint64_t wakes) {
  waiters_.fetch_add(1);
  {
    const MutexLock lock(mutex_);
    while (!has_room() && wakes_.load() == wakes) changed_.wait(mutex_);
  }
  waiters_.fetch_sub(1);
}

void DeliveryQueue::wake_publishers() {
  wakes_.fetch_add(1);
  notify_waiters();
}

bool DeliveryQueue::wait_empty(std::chrono::steady_clock::time_point deadline) {
  waiters_.fetch_add(1);
  bool in_time = true;
  {
    const MutexLock lock(mutex_);
    while (!empty() && in_time) in_time = changed_.wait_until(mutex_, deadline);
  }
  waiters_.fetch_sub(1);
  return empty();
}

bool DeliveryQueue::take_permit() {
  if (permits_ >= concurrency_) return false;
  ++permits_;
  return true;
}

DeliveryQueue::Pushed DeliveryQueue::enqueue(Delivery& delivery) {
  incoming_.push_back(std::move(delivery));
  return take_permit() ? Pushed::NeedsWorker : Pushed::Queued;
}

DeliveryQueue::Pushed DeliveryQueue::push(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  pushes_.fetch_add(1, std::memory_order_relaxed);
  const std::string* const key = delivery.ordering_key();
  if (key == nullptr) return enqueue(delivery);
  if (const auto dead = dead_keys_.find(*key); dead != dead_keys_.end()) {
    ++dead->second;
    ++parking_;
    return Pushed::Parked;
  }
  const auto [lane, is_new] = lanes_.try_emplace(*key);
  if (is_new) return enqueue(delivery);
  lane->second.push_back(std::move(delivery));
  ++held_;
  return Pushed::Queued;
}

DeliveryQueue::Pushed DeliveryQueue::push_retry(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  return enqueue(delivery);
}

std::optional<Delivery> DeliveryQueue::pop() {
  if (single()) {
    const std::size_t index = batch_next_.fetch_add(1, std::memory_order_acq_rel);
    if (index < batch_.size()) return std::move(batch_[index]);
  }
  const MutexLock lock(mutex_);
  if (incoming_.empty()) {
    --permits_;
    return std::nullopt;
  }
  if (!single()) {
    Delivery delivery = std::move(incoming_.front());
    incoming_.pop_front();
    return delivery;
  }
  batch_.clear();
  batch_.swap(incoming_);
  batch_next_.store(1, std::memory_order_release);
  return std::move(batch_.front());
}

std::vector<Delivery> DeliveryQueue::end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker) {
  const MutexLock lock(mutex_);
  std::vector<Delivery> refused;
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end()) return refused;
  std::deque<Delivery>& held = lane->second;
  if (outcome == KeyOutcome::Refuse && !held.empty()) {
    held_ -= held.size();
    refused.assign(std::make_move_iterator(held.begin()), std::make_move_iterator(held.end()));
    held.clear();
    return refused;
  }
  if (outcome == KeyOutcome::Refuse) {
    dead_keys_.try_emplace(key, 0);
    resuming_.erase(key);
  }
  if (resuming_.contains(key) && (held.empty() || held.front().redrive() == nullptr)) {
    idle_.insert(key);
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
  return lanes_.try_emplace(key).second;
}

void DeliveryQueue::set_backlog(bool there_is_more) {
  backlog_.store(there_is_more);
  if (!there_is_more && waiters_.load() > 0) notify_waiters();
}

void DeliveryQueue::begin_draining() {
  const MutexLock lock(mutex_);
  if (mode_ == Mode::Open) mode_ = Mode::Draining;
}

std::vector<Delivery> DeliveryQueue::close() {
  const MutexLock lock(mutex_);
  mode_ = Mode::Closed;
  std::vector<Delivery> rest;
  const std::size_t first = batch_next_.exchange(kStolen, std::memory_order_acq_rel);
  for (std::size_t index = first; index < batch_.size(); ++index) rest.push_back(std::move(batch_[index]));
  for (Delivery& delivery : incoming_) rest.push_back(std::move(delivery));
  incoming_.clear();
  for (auto& [key, held] : lanes_) {
    for (Delivery& delivery : held) rest.push_back(std::move(delivery));
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
