#pragma once

#include "simulation/facts.hpp"
#include "simulation/history.hpp"

#include <string>
#include <vector>

namespace tidings::simulation {

/// What docs/semantics.md promises, held against what the shop wrote and what its database says. The model
/// knows no mechanism: an event was accepted, refused, or (killed, or in doubt) one of the two; each of its
/// deliveries ends handled or as a letter; and nothing else is there.
///
/// `at_the_end`: after lives in which nothing failed any more and everything was redriven, nothing is owed,
/// and no letter is left that could have been handled.
[[nodiscard]] std::vector<std::string> broken_promises(const History& history, const Facts& facts,
                                                       bool at_the_end);

/// Those of them that are about the order of queues and keys.
[[nodiscard]] std::vector<std::string> broken_order(const History& history, const Facts& facts);

}  // namespace tidings::simulation
