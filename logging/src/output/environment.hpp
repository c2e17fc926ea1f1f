#pragma once

#include <tidings/logging/level.hpp>
#include <tidings/logging/logger.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
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
/// TIDINGS_LOG_FORMAT (`auto`, `json`, `console`), TIDINGS_LOG_PROCESS_FIELDS (`host,pid`, `all`, `none`),
/// TIDINGS_LOG_OUTPUT (`stdout`, or `stdout,tidings.audit=/var/log/audit.log`), TIDINGS_LOG_ROTATION
/// (`size=100M,age=1d,keep=7`), TIDINGS_LOG_QUEUE (`8M`) and TIDINGS_LOG_SOURCE (`warning`).
struct Environment {
  std::optional<Level> level;
  std::vector<std::pair<std::string, Level>> level_by_prefix;
  Format format = Format::Auto;
  std::optional<ProcessFields> process_fields;
  std::string output;  // `stdout`, `stderr` or a path; empty: not set
  std::vector<std::pair<std::string, std::string>> output_by_prefix;
  std::uint64_t rotate_at_bytes = 0;  // this and the next two: for files
  std::chrono::seconds rotate_after{0};
  std::optional<unsigned> keep_rotated;
  std::size_t queue_bytes = 0;
  std::optional<Level> source_from;
  std::vector<EnvironmentProblem> problems;

  [[nodiscard]] static Environment read();
};

/// NO_COLOR (no-color.org) and TERM=dumb forbid colours.
[[nodiscard]] bool colour_allowed() noexcept;

}  // namespace tidings::logging
