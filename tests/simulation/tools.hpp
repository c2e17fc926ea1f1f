#pragma once

#include "simulation/facts.hpp"
#include "simulation/plan.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace tidings::simulation {

/// Runs `dead-letters` as the step says: verb (retry: all; retry_one, discard, edit: one of those that are on
/// their way, if there are any, or of the unresolved ones, as `pick` says; undo, purge), canary, stop. What
/// is wrong with how it ended.
[[nodiscard]] std::optional<std::string> tool_trouble(const std::filesystem::path& database,
                                                      const Step& step);

/// What `check-dead-letters` says that does not agree with the database.
[[nodiscard]] std::optional<std::string> what_the_check_gets_wrong(const std::filesystem::path& database,
                                                                   const Facts& facts);

}  // namespace tidings::simulation
