#pragma once

#include <string>

namespace tidings::architecture {

/// What a command ended with.
struct CommandResult {
  int exit_status = -1;
  /// Standard output and standard error, as they came.
  std::string output;
};

/// Runs a line of shell. Throws std::runtime_error when no process could be started.
[[nodiscard]] CommandResult run_command(const std::string& line);

}  // namespace tidings::architecture
