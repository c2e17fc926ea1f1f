#pragma once

#include "simulation/driver.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace tidings::simulation {

struct Totals {
  int plans = 0;
  int lives = 0;
  int kills = 0;
  int quiets = 0;
};

struct Finding {
  Plan plan;
  Outcome outcome;
};

/// Simulates the plans of `seed` and those after it, some at a time, until the time is over or one fails.
[[nodiscard]] std::optional<Finding> search(std::uint64_t seed, std::chrono::seconds time, Totals& totals);

/// The finding with the smallest plan that is found within the time; each candidate is tried up to 20 times.
[[nodiscard]] Finding shrunk(Finding finding, std::chrono::seconds time);

}  // namespace tidings::simulation
