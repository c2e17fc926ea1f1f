#pragma once

#include "simulation/history.hpp"
#include "simulation/plan.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tidings::simulation {

/// How a simulation went.
struct Outcome {
  /// Empty: all promises were kept.
  std::vector<std::string> broken = {};
  /// All that was written, a line each.
  std::vector<std::string> history = {};
  int lives = 0;
  int kills = 0;
  int quiets = 0;
};

/// Does what the plan says, in a folder of its own, and then lives on without faults until everything is
/// done.
[[nodiscard]] Outcome simulate(const Plan& plan);

}  // namespace tidings::simulation
