#include "queue/key_lanes.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>

namespace tidings::detail {

Delivery KeyLanes::take_front(Lane& lane) noexcept {
  Delivery front = std::move(lane.front());
  lane.pop_front();
  --held_;
  return front;
}

void KeyLanes::take_lane(Lane& lane, std::vector<Delivery>& taken) {
  patiently([&] { taken.reserve(taken.size() + lane.size()); });
  held_ -= lane.size();
  std::move(lane.begin(), lane.end(), std::back_inserter(taken));
  lane.clear();
}

KeyLanes::Admitted KeyLanes::admit(Delivery& delivery, const std::string& key) {
  if (const auto dead = dead_keys_.find(key); dead != dead_keys_.end()) {
    ++dead->second;
    ++parking_;
    return Admitted::Dead;
  }
  const auto [lane, is_new] = patiently([&] { return lanes_.try_emplace(key); });
  if (is_new) return Admitted::Ready;
  Lane& held = lane->second;
  patiently([&] { held.push_back(std::move(delivery)); });
  ++held_;
  return Admitted::Held;
}

KeyLanes::Admitted KeyLanes::admit_redrive(Delivery& delivery, const std::string& key) {
  if (dead_keys_.contains(key)) patiently([&] { resuming_.insert(key); });
  dead_keys_.erase(key);
  const auto [lane, is_new] = patiently([&] { return lanes_.try_emplace(key); });
  if (is_new || idle_.erase(key) > 0) return Admitted::Ready;
  Lane& held = lane->second;
  const auto first_new =
      std::find_if(held.begin(), held.end(), [](const Delivery& each) { return each.redrive() == nullptr; });
  const auto place = first_new - held.begin();
  patiently([&] { held.push_back(std::move(delivery)); });
  std::rotate(held.begin() + place, held.end() - 1, held.end());
  ++held_;
  return Admitted::Held;
}

KeyLanes::Passed KeyLanes::pass_on(const std::string& key, KeyOutcome outcome) {
  Passed passed;
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end()) return passed;
  Lane& held = lane->second;
  if (outcome == KeyOutcome::Refuse && !held.empty()) {
    take_lane(held, passed.refused);
    return passed;
  }
  if (outcome == KeyOutcome::Refuse) {
    patiently([&] { dead_keys_.try_emplace(key, 0); });
    resuming_.erase(key);
  }
  if (resuming_.contains(key) && (held.empty() || held.front().redrive() == nullptr)) {
    patiently([&] { idle_.insert(key); });
  } else if (held.empty()) {
    lanes_.erase(lane);
  } else {
    passed.next = take_front(held);
  }
  return passed;
}

bool KeyLanes::hold(const std::string& key) {
  if (dead_keys_.contains(key)) return false;
  return patiently([&] { return lanes_.try_emplace(key).second; });
}

void KeyLanes::hold_all(std::vector<std::string> dead, std::vector<std::string> resuming) {
  for (std::string& key : dead) dead_keys_.try_emplace(std::move(key), 0);
  for (std::string& key : resuming) {
    lanes_.try_emplace(key);
    idle_.insert(key);
    resuming_.insert(std::move(key));
  }
}

std::optional<KeyLook> KeyLanes::look(bool& later) const {
  if (dead_keys_.empty() && resuming_.empty()) return std::nullopt;
  if (parking_ > 0) {
    later = true;
    return std::nullopt;
  }
  return KeyLook{{dead_keys_.begin(), dead_keys_.end()}, {resuming_.begin(), resuming_.end()}};
}

KeyLanes::Settled KeyLanes::settle(const KeyLook& look, const UnresolvedKeys& unresolved) {
  Settled settled;
  for (const auto& [key, refused] : look.dead) {
    const auto dead = dead_keys_.find(key);
    if (!unresolved.contains(key) && dead != dead_keys_.end() && dead->second == refused)
      dead_keys_.erase(dead);
  }
  for (const std::string& key : look.resuming) {
    if (!resuming_.contains(key)) continue;
    const auto letters = unresolved.find(key);
    if (letters == unresolved.end()) {
      free_key(key, settled);
    } else if (!letters->second) {
      lose_key(key, settled);
    }
  }
  return settled;
}

/// Its letters are resolved: what waits goes on.
void KeyLanes::free_key(const std::string& key, Settled& settled) {
  resuming_.erase(key);
  if (idle_.erase(key) == 0) return;
  const auto lane = lanes_.find(key);
  if (lane->second.empty()) {
    lanes_.erase(lane);
    return;
  }
  patiently([&] { settled.ready.reserve(settled.ready.size() + 1); });
  settled.ready.push_back(take_front(lane->second));
}

/// Its letters are not on their way any more: what waits is parked behind them, and then what comes.
void KeyLanes::lose_key(const std::string& key, Settled& settled) {
  if (!idle_.contains(key)) return;
  const auto lane = lanes_.find(key);
  if (!lane->second.empty()) return take_lane(lane->second, settled.parked);
  patiently([&] { dead_keys_.try_emplace(key, 0); });
  lanes_.erase(lane);
  idle_.erase(key);
  resuming_.erase(key);
}

std::vector<Delivery> KeyLanes::give_up_resuming() {
  std::vector<Delivery> given_up;
  for (const std::string& key : idle_) take_lane(lanes_.at(key), given_up);
  return given_up;
}

void KeyLanes::surrender(std::vector<Delivery>& rest) noexcept {
  for (auto& [key, lane] : lanes_) {
    std::move(lane.begin(), lane.end(), std::back_inserter(rest));
    lane.clear();
  }
  held_ = 0;
}

}  // namespace tidings::detail
