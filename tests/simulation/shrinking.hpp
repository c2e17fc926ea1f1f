#pragma once

#include "simulation/plan.hpp"

#include <functional>

namespace tidings::simulation {

/// The least of a plan that still fails: steps are left out, many at first, as long as `fails` says so, until
/// `may_go_on` says no. Threads are in nobody's hands, so `fails` tries a plan more than once.
[[nodiscard]] Plan shrunk(Plan plan, const std::function<bool(const Plan&)>& fails,
                          const std::function<bool()>& may_go_on);

}  // namespace tidings::simulation
