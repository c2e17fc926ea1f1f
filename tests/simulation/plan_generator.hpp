#pragma once

#include "simulation/plan.hpp"

#include <cstdint>

namespace tidings::simulation {

/// The plan of a seed: the same in every run of this program, and of any built from the same sources.
[[nodiscard]] Plan plan_of(std::uint64_t seed);

}  // namespace tidings::simulation
