#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::simulation {

/// One thing that happens: a verb and what is said about it, `burst first=1 threads=2 how=batch`.
struct Step {
  std::string verb;
  std::map<std::string, std::string> details = {};

  /// A detail as a number; `otherwise` if nothing is said.
  [[nodiscard]] std::int64_t number(const std::string& name, std::int64_t otherwise = 0) const;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = "") const;
  friend bool operator==(const Step&, const Step&) = default;
};

/// What happens in one simulation. Any part of a plan, in its order, is a plan too, so that plans shrink.
///
/// Steps of the driver: `life` starts a service (what comes before the first is done in one with nothing
/// special), `kill` ends it, `lock` and `unlock` hold SQLite's write lock in another process, `tool` runs
/// dead-letters. All others are sent to the service: see Service.
struct Plan {
  std::uint64_t seed = 0;
  std::vector<Step> steps = {};
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// One step a line, the seed on the first.
[[nodiscard]] std::string to_text(const Step& step);
[[nodiscard]] std::string to_text(const Plan& plan);
[[nodiscard]] Step parse_step(std::string_view line);
/// Throws std::invalid_argument.
[[nodiscard]] Plan parse_plan(const std::string& text);

}  // namespace tidings::simulation
