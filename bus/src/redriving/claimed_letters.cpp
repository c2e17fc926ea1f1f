#include "redriving/claimed_letters.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace tidings::detail {

namespace {

std::string lane_of(const DeadLetter& letter) {
  if (!letter.ordering_key) return {};
  return letter.event_type + '\n' + letter.handler + '\n' + *letter.ordering_key;
}

}  // namespace

void ClaimedLetters::leave_out_busy(std::vector<ServedHandler>& handlers) const {
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> at_hand;
  for (const auto& [id, held] : held_) {
    ++at_hand[{held.event_type, held.handler}];
    ++at_hand[{"*", held.handler}];
  }
  std::erase_if(handlers, [&](const ServedHandler& each) {
    const auto found = at_hand.find({each.event_type, each.handler});
    return found != at_hand.end() && found->second >= kFew;
  });
}

std::vector<std::int64_t> ClaimedLetters::waiting_requests() const {
  std::vector<std::int64_t> requests;
  for (const auto& [id, held] : held_) {
    if (held.limited_request && !held.begun) requests.push_back(*held.limited_request);
  }
  return requests;
}

void ClaimedLetters::hold(const LetterClaim& claim) {
  for (const ClaimedLetter& letter : claim.letters) {
    // They are claimed: one that is not listed here would never be delivered.
    Held& held = patiently([&]() -> Held& { return held_[letter.id]; });
    held.event_type = patiently([&] { return letter.letter.event_type; });
    held.handler = patiently([&] { return letter.letter.handler; });
    held.lane = patiently([&] { return lane_of(letter.letter); });
    if (letter.limited) held.limited_request = letter.redrive_id;
  }
  claiming_ = false;
  for (const Block& each : blocks_) block(each);
  std::erase_if(blocks_, [](const Block& each) { return each.settled; });
}

ClaimedLetters::Begun ClaimedLetters::begin(std::int64_t id) {
  Held& held = held_[id];
  if (held.instead) return {held.instead, false};
  held.begun = true;
  const auto waits = [&](const auto& each) {
    return each.second.limited_request == held.limited_request && !each.second.begun;
  };
  return {std::nullopt, held.limited_request && std::none_of(held_.begin(), held_.end(), waits)};
}

bool ClaimedLetters::end(const RedriveResult& result) {
  const auto held = held_.find(result.id);
  if (held == held_.end()) return false;
  const bool limited = held->second.limited_request.has_value();
  block_behind(result, held->second.lane);
  held_.erase(held);
  return limited;
}

/// With AfterDeath::Park nothing of a lane is delivered before what came earlier.
void ClaimedLetters::block_behind(const RedriveResult& result, const std::string& lane) {
  using End = RedriveResult::End;
  if (!result.parks || lane.empty() || result.end == End::Reprocessed) return;
  const auto end = result.end == End::Returned ? End::Returned : End::Withdrawn;
  Block behind{result.id, patiently([&] { return lane; }), end, false};
  block(behind);
  patiently([&] { blocks_.push_back(std::move(behind)); });
}

void ClaimedLetters::block(const Block& block) {
  for (auto held = held_.upper_bound(block.id); held != held_.end(); ++held) {
    if (held->second.lane == block.lane && !held->second.instead) held->second.instead = block.behind;
  }
}

void ClaimedLetters::settled(const std::vector<RedriveResult>& results) {
  for (const RedriveResult& result : results) {
    for (Block& each : blocks_) each.settled = each.settled || each.id == result.id;
  }
  if (!claiming_) std::erase_if(blocks_, [](const Block& each) { return each.settled; });
}

}  // namespace tidings::detail
