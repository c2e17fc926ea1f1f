#include "queue/delivery_queue.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

// What redrives do to the ordering keys of a queue.

namespace tidings::detail {

void DeliveryQueue::parked() {
  const MutexLock lock(mutex_);
  --parking_;
}

DeliveryQueue::Pushed DeliveryQueue::push_redrive(Delivery& delivery) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::Open) return Pushed::Refused;
  redrives_.fetch_add(1);
  redriving_.fetch_add(1);
  const std::string* const key = keyed_ ? delivery.ordering_key() : nullptr;
  if (key == nullptr) return enqueue(delivery);
  if (dead_keys_.contains(*key))
    patiently([&] {
      mutex_.assert_held();
      resuming_.insert(*key);
    });
  dead_keys_.erase(*key);
  const auto [lane, is_new] = patiently([&] {
    mutex_.assert_held();
    return lanes_.try_emplace(*key);
  });
  if (is_new || idle_.erase(*key) > 0) return enqueue(delivery);
  std::deque<Delivery>& held = lane->second;
  const auto first_new =
      std::find_if(held.begin(), held.end(), [](const Delivery& each) { return each.redrive() == nullptr; });
  const auto place = first_new - held.begin();
  patiently([&] { held.push_back(std::move(delivery)); });
  std::rotate(held.begin() + place, held.end() - 1, held.end());
  ++held_;
  return Pushed::Queued;
}

void DeliveryQueue::end_redrive() noexcept {
  redriving_.fetch_sub(1);
  notify_if_empty();
}

void DeliveryQueue::hold_keys(std::vector<std::string> dead, std::vector<std::string> resuming) {
  const MutexLock lock(mutex_);
  for (std::string& key : dead) dead_keys_.try_emplace(std::move(key), 0);
  for (std::string& key : resuming) {
    lanes_.try_emplace(key);
    idle_.insert(key);
    resuming_.insert(std::move(key));
  }
}

std::optional<DeliveryQueue::KeyLook> DeliveryQueue::look_at_keys(bool& later) const {
  const MutexLock lock(mutex_);
  if (dead_keys_.empty() && resuming_.empty()) return std::nullopt;
  if (parking_ > 0) {
    later = true;
    return std::nullopt;
  }
  return KeyLook{{dead_keys_.begin(), dead_keys_.end()}, {resuming_.begin(), resuming_.end()}};
}

DeliveryQueue::KeyTurn DeliveryQueue::settle_keys(const KeyLook& look, const UnresolvedKeys& unresolved) {
  const MutexLock lock(mutex_);
  KeyTurn turn;
  for (const auto& [key, refused] : look.dead) {
    const auto dead = dead_keys_.find(key);
    if (!unresolved.contains(key) && dead != dead_keys_.end() && dead->second == refused)
      dead_keys_.erase(dead);
  }
  for (const std::string& key : look.resuming) {
    if (!resuming_.contains(key)) continue;
    const auto letters = unresolved.find(key);
    if (letters == unresolved.end()) {
      release_key(key, turn);
    } else if (!letters->second) {
      lose_key(key, turn);
    }
  }
  return turn;
}

/// Its letters are resolved: what waits goes on.
void DeliveryQueue::release_key(const std::string& key, KeyTurn& turn) {
  resuming_.erase(key);
  if (idle_.erase(key) == 0) return;
  const auto lane = lanes_.find(key);
  if (lane->second.empty()) {
    lanes_.erase(lane);
    return;
  }
  Delivery next = std::move(lane->second.front());
  lane->second.pop_front();
  --held_;
  if (enqueue(next) == Pushed::NeedsWorker) ++turn.permits;
}

/// Its letters are not on their way any more: what waits is parked behind them, and then what comes.
void DeliveryQueue::lose_key(const std::string& key, KeyTurn& turn) {
  if (!idle_.contains(key)) return;
  const auto lane = lanes_.find(key);
  std::deque<Delivery>& held = lane->second;
  if (!held.empty()) {
    patiently([&] { turn.parked.reserve(turn.parked.size() + held.size()); });
    held_ -= held.size();
    std::move(held.begin(), held.end(), std::back_inserter(turn.parked));
    held.clear();
    return;
  }
  patiently([&] {
    mutex_.assert_held();
    dead_keys_.try_emplace(key, 0);
  });
  lanes_.erase(lane);
  idle_.erase(key);
  resuming_.erase(key);
}

bool DeliveryQueue::waits_for_redrives(const std::string& key) const {
  const MutexLock lock(mutex_);
  return idle_.contains(key);
}

std::vector<Delivery> DeliveryQueue::give_up_resuming() {
  const MutexLock lock(mutex_);
  std::vector<Delivery> given_up;
  for (const std::string& key : idle_) {
    std::deque<Delivery>& held = lanes_.at(key);
    patiently([&] { given_up.reserve(given_up.size() + held.size()); });
    held_ -= held.size();
    std::move(held.begin(), held.end(), std::back_inserter(given_up));
    held.clear();
  }
  return given_up;
}

}  // namespace tidings::detail
