#include "queue/delivery_queue.hpp"

#include <tidings/detail/patiently.hpp>

namespace tidings::detail {

// --- coming in ---

DeliveryQueue::Pushed DeliveryQueue::enqueue(Delivery& delivery) {
  return batches_.add(delivery) ? Pushed::NeedsWorker : Pushed::Queued;
}

DeliveryQueue::Pushed DeliveryQueue::enqueue(KeyLanes::Admitted admitted, Delivery& delivery) {
  switch (admitted) {
    case KeyLanes::Admitted::Ready:
      return enqueue(delivery);
    case KeyLanes::Admitted::Held:
      return Pushed::Queued;
    case KeyLanes::Admitted::Dead:
      break;
  }
  return Pushed::Parked;
}

DeliveryQueue::Pushed DeliveryQueue::push(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  const std::string* const key = delivery.ordering_key();
  return key == nullptr ? enqueue(delivery) : enqueue(lanes_.admit(delivery, *key), delivery);
}

void DeliveryQueue::parked() {
  const MutexLock lock(mutex_);
  lanes_.parked();
}

DeliveryQueue::Pushed DeliveryQueue::push_redrive(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  begin_redrive();
  const std::string* const key = keyed_ ? delivery.ordering_key() : nullptr;
  return key == nullptr ? enqueue(delivery) : enqueue(lanes_.admit_redrive(delivery, *key), delivery);
}

DeliveryQueue::Pushed DeliveryQueue::push_retry(Delivery& delivery) {
  const MutexLock lock(mutex_);
  return mode_ == Mode::Open ? enqueue(delivery) : Pushed::Refused;
}

// --- serving ---

Batch& DeliveryQueue::begin_serving() {
  const MutexLock lock(mutex_);
  return batches_.begin_serving();
}

std::optional<Delivery> DeliveryQueue::take_more(Batch& batch) {
  const MutexLock lock(mutex_);
  return batches_.take_more(batch);
}

void DeliveryQueue::pause_serving(Batch& batch) {
  const MutexLock lock(mutex_);
  batches_.pause_serving(batch);
}

// --- ordering keys ---

std::vector<Delivery> DeliveryQueue::end_key(const std::string& key, KeyOutcome outcome, bool& needs_worker) {
  const MutexLock lock(mutex_);
  KeyLanes::Passed passed = lanes_.pass_on(key, outcome);
  if (passed.next) needs_worker = enqueue(*passed.next) == Pushed::NeedsWorker;
  return std::move(passed.refused);
}

bool DeliveryQueue::hold_key(const std::string& key) {
  const MutexLock lock(mutex_);
  return lanes_.hold(key);
}

bool DeliveryQueue::has_key(const std::string& key) const {
  const MutexLock lock(mutex_);
  return lanes_.has(key);
}

void DeliveryQueue::hold_keys(std::vector<std::string> dead, std::vector<std::string> resuming) {
  const MutexLock lock(mutex_);
  lanes_.hold_all(std::move(dead), std::move(resuming));
}

std::optional<KeyLook> DeliveryQueue::look_at_keys(bool& later) const {
  const MutexLock lock(mutex_);
  return lanes_.look(later);
}

DeliveryQueue::KeyTurn DeliveryQueue::settle_keys(const KeyLook& look, const UnresolvedKeys& unresolved) {
  const MutexLock lock(mutex_);
  KeyLanes::Settled settled = lanes_.settle(look, unresolved);
  KeyTurn turn{std::move(settled.parked), 0};
  for (Delivery& ready : settled.ready) turn.permits += enqueue(ready) == Pushed::NeedsWorker ? 1U : 0U;
  return turn;
}

bool DeliveryQueue::waits_for_redrives(const std::string& key) const {
  const MutexLock lock(mutex_);
  return lanes_.waits_for_redrives(key);
}

// --- the end ---

void DeliveryQueue::begin_draining() {
  const MutexLock lock(mutex_);
  if (mode_ == Mode::Open) mode_ = Mode::Draining;
}

std::vector<Delivery> DeliveryQueue::give_up_resuming() {
  const MutexLock lock(mutex_);
  return lanes_.give_up_resuming();
}

std::vector<Delivery> DeliveryQueue::close() {
  const MutexLock lock(mutex_);
  mode_ = Mode::Closed;
  std::vector<Delivery> rest;
  patiently([&] {
    mutex_.assert_held();
    rest.reserve(lanes_.held() + batches_.size_at_most());
  });
  batches_.surrender(rest);
  lanes_.surrender(rest);
  return rest;
}

std::size_t DeliveryQueue::waiting() const {
  const MutexLock lock(mutex_);
  return waiting_retries() + lanes_.held();
}

}  // namespace tidings::detail
