#pragma once

#include "simulation/facts.hpp"
#include "simulation/history.hpp"

#include <string>
#include <vector>

namespace tidings::simulation {

/// Where the bus, when it was idle, does not agree with the database: its reply to `quiet`, with wait_idle
/// and its snapshot, against what the journal owes to handlers that are subscribed and to others.
[[nodiscard]] std::vector<std::string> disagreements(const std::string& reply, const History& history,
                                                     const Facts& facts);

/// Where the report of a stop does not agree with the database that it has left: its reply to `stop`.
[[nodiscard]] std::vector<std::string> disagreements_after_stop(const std::string& reply, const Facts& facts);

}  // namespace tidings::simulation
