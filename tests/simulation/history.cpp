#include "simulation/history.hpp"

#include <algorithm>
#include <sstream>

namespace tidings::simulation {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

History::History(const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.verb != "burst") continue;
    const auto count = step.number("threads", 1) * step.number("events", 1);
    for (std::int64_t number = step.number("first", 1); number < step.number("first", 1) + count; ++number) {
      kinds_[number] = step.text("what", "order");
      if (step.number("keys") != 0) keyed_.insert(number);
    }
  }
}

void History::begin_life() {
  lives_.push_back({.began = lines_.size()});
  switches_.emplace_back();
  lines_.push_back("began " + std::to_string(lives_.size()));
}

void History::end_life(bool killed, bool sick) {
  lives_.back().ended = lines_.size();
  lives_.back().sick = sick;
  lives_.back().killed = killed;
  lines_.push_back(killed ? "killed" : "ended");
}

void History::add(const std::string& line) {
  const Place place = lines_.size();
  lines_.push_back(line);
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 2) return;
  if (words[0] == "on" || words[0] == "off") switches_.back()[words[1]].emplace_back(place, words[0] == "on");
  if (words[0] == "run" || words[0] == "end") return add_run(words, place);
  const bool idle = line.starts_with("reply quiet idle=1");
  disk_failed_ = disk_failed_ || line.starts_with("reply disk");
  if (idle) lives_.back().quiets.push_back(place);
  if (words[0] != "reply" && words[0] != "on" && words[0] != "off") add_publishing(words, place);
}

void History::add_tool(const std::string& verb) {
  lines_.push_back("tool " + verb);
  resolved_by_tools_ = resolved_by_tools_ || verb == "discard" || verb == "edit";
}

void History::add_publishing(const std::vector<std::string>& words, Place place) {
  const std::int64_t number = std::stoll(words[1]);
  Publishing& event = events_[number];
  if (words[0] == "try") {
    event.kind = kinds_[number];
    event.has_key = keyed_.contains(number);
    event.durable = event.durable || words[2] != "none";
    event.in_transaction = words[2] == "in";
    event.life = static_cast<int>(lives_.size()) - 1;
    event.first_try = std::min(event.first_try, place);
    event.tried_in.try_emplace(event.life, place);
    ++event.tries;
  } else if (words[0] == "accepted" || words[0] == "duplicate") {
    const bool of_nothing = event.tries - event.refusals <= 1 && event.accepted_at == kNever;
    if (words[0] == "duplicate" && of_nothing) event.duplicate_of_nothing = true;
    event.accepted_at = std::min(event.accepted_at, place);
    if (words[0] == "accepted") event.published_at = std::min(event.published_at, place);
  } else if (words[0] == "refused" || words[0] == "undone") {
    ++event.refusals;
  }
}

void History::add_run(const std::vector<std::string>& words, Place place) {
  std::vector<Run>& runs = runs_[{words[1], std::stoll(words[2])}];
  const int life = static_cast<int>(lives_.size()) - 1;
  const std::int64_t attempt = std::stoll(words[4]);
  if (words[0] == "run") return runs.push_back({life, place, kNever, words[3], attempt});
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (run->ended != kNever || run->attempt != attempt || run->event_id != words[3]) continue;
    run->ended = place;
    run->how = words[5];
    return;
  }
}

std::optional<bool> History::subscribed(const std::string& handler, int life, Place from, Place to) const {
  bool on = false;
  const auto& switches = switches_[static_cast<std::size_t>(life)];
  const auto found = switches.find(handler);
  if (found == switches.end()) return std::nullopt;
  for (const auto& [place, is_on] : found->second) {
    if (place > to) break;
    if (place >= from) return std::nullopt;
    on = is_on;
  }
  return on ? std::optional(true) : std::nullopt;
}

bool History::settled_after(int life, Place place) const {
  const LifeSpan& span = lives_[static_cast<std::size_t>(life)];
  if (span.ended != kNever && !span.killed) return true;
  return std::any_of(span.quiets.begin(), span.quiets.end(), [&](Place quiet) { return quiet > place; });
}

bool History::recorded_after(int life, Place place) const {
  const LifeSpan& span = lives_[static_cast<std::size_t>(life)];
  if (span.ended != kNever && !span.killed && !span.sick) return true;
  return std::any_of(span.quiets.begin(), span.quiets.end(), [&](Place quiet) { return quiet > place; });
}

bool History::cut_short() const {
  return std::any_of(lives_.begin(), lives_.end(),
                     [](const LifeSpan& span) { return span.killed || span.sick; });
}

int History::kills() const {
  return static_cast<int>(
      std::count_if(lives_.begin(), lives_.end(), [](const LifeSpan& span) { return span.killed; }));
}

}  // namespace tidings::simulation
