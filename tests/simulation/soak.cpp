#include "simulation/soak.hpp"

#include "simulation/plan_generator.hpp"
#include "simulation/simulation.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

// TIDINGS_SEED=N begins with that seed, TIDINGS_SIMULATION_SECONDS=N goes on for so long (30),
// TIDINGS_PLAN=FILE does what a plan that was printed says, 20 times, and TIDINGS_HISTORY=FILE takes the
// history of what failed.

namespace tidings::simulation {
namespace {

std::string variable(const char* name, const std::string& otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

void tell(const Finding& finding) {
  std::cout << "this plan breaks what is promised:\n" << to_text(finding.plan) << "it breaks:\n";
  for (const std::string& broken : finding.outcome.broken) std::cout << "  " << broken << '\n';
  const std::string file = variable("TIDINGS_HISTORY", "");
  if (file.empty()) return;
  std::ofstream history(file);
  for (const std::string& line : finding.outcome.history) history << line << '\n';
}

std::optional<Finding> repeated(const std::string& file) {
  std::ifstream stream(file);
  const Plan plan = parse_plan({std::istreambuf_iterator<char>(stream), {}});
  for (int times = 0; times < 20; ++times) {
    Outcome outcome = simulate(plan);
    if (!outcome.broken.empty()) return Finding{plan, std::move(outcome)};
  }
  return std::nullopt;
}

}  // namespace

bool soak() {
  const std::string file = variable("TIDINGS_PLAN", "");
  const auto seed = std::stoull(variable("TIDINGS_SEED", std::to_string(std::random_device{}())));
  const std::chrono::seconds time(std::stoi(variable("TIDINGS_SIMULATION_SECONDS", "30")));
  Totals totals;
  std::cout << "TIDINGS_SEED=" << seed << std::endl;
  auto finding = file.empty() ? search(seed, time, totals) : repeated(file);
  std::cout << totals.plans << " plans, " << totals.lives << " lives, " << totals.kills << " killed, "
            << totals.quiets << " quiet points compared" << std::endl;
  if (!finding) return true;
  tell(*finding);
  if (file.empty())
    tell(shrunk(*finding, std::chrono::seconds(std::stoi(variable("TIDINGS_SHRINKING_SECONDS", "60")))));
  return false;
}

}  // namespace tidings::simulation
