#pragma once

namespace tidings::simulation {

/// Simulates plans at random for TIDINGS_SIMULATION_SECONDS, and reports what it finds. False: a plan breaks
/// what is promised.
[[nodiscard]] bool soak();

}  // namespace tidings::simulation
