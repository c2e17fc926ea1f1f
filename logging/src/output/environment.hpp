#pragma once

#include <tidings/logging/level.hpp>
#include <tidings/logging/logger.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::logging {

/// A part of an environment variable that could not be understood.
struct EnvironmentProblem {
  std::string variable;
  std::string value;
  std::string allowed;
};

/// What the environment says about logging: TIDINGS_LOG_LEVEL (`info`, or `warning,orders.import=debug`),
/// TIDINGS_LOG_FORMAT (`auto`, `json`, `console`) and TIDINGS_LOG_PROCESS_FIELDS (`host,pid`, `all`, `none`).
struct Environment {
  std::optional<Level> level;
  std::vector<std::pair<std::string, Level>> level_by_prefix;
  Format format = Format::Auto;
  std::optional<ProcessFields> process_fields;
  std::vector<EnvironmentProblem> problems;

  [[nodiscard]] static Environment read();
};

/// Whether what is written to this file descriptor is seen by a person at once.
[[nodiscard]] bool is_terminal(int descriptor) noexcept;
/// NO_COLOR (no-color.org) and TERM=dumb forbid colours.
[[nodiscard]] bool colour_allowed() noexcept;

}  // namespace tidings::logging
