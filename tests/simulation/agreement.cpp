#include "simulation/agreement.hpp"

#include "simulation/plan.hpp"

#include <cstdint>

namespace tidings::simulation {
namespace {

bool is_subscribed(const History& history, const std::string& handler) {
  const int life = static_cast<int>(history.lives().size()) - 1;
  return history.subscribed(handler, life, history.lines().size(), kNever).value_or(false);
}

}  // namespace

std::vector<std::string> disagreements(const std::string& reply, const History& history, const Facts& facts) {
  const Step told = parse_step(reply);
  std::vector<std::string> found;
  if (told.number("busy") != 0) found.push_back("idle, but busy: " + reply);
  if (told.number("unknown") != 0) found.push_back("the journal cannot be read: " + reply);
  std::int64_t to_nobody = 0;
  for (const Delivery& owed : facts.owed) {
    if (!is_subscribed(history, owed.first)) {
      ++to_nobody;
    } else {
      found.push_back(owed.first + ' ' + std::to_string(owed.second) + ": idle, but owed");
    }
  }
  if (told.number("nobody") != to_nobody)
    found.push_back("owed to nobody: " + std::to_string(to_nobody) + ", but the bus says " + reply);
  for (const auto& [name, value] : told.details) {
    if (name.starts_with("owed.")) found.push_back("idle, but the snapshot owes: " + reply);
  }
  if (facts.miscounted_causes != 0) found.push_back("tidings_causes is off");
  return found;
}

std::vector<std::string> disagreements_after_stop(const std::string& reply, const Facts& facts) {
  const Step told = parse_step(reply);
  std::vector<std::string> found;
  if (told.details.contains("error")) return found;
  if (told.number("running") != 0 || told.number("unknown") != 0) found.push_back("no end: " + reply);
  if (told.number("left") != static_cast<std::int64_t>(facts.owed.size()))
    found.push_back("the journal owes " + std::to_string(facts.owed.size()) + ", but the bus says " + reply);
  return found;
}

}  // namespace tidings::simulation
