#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::check_dead_letters {

/// What the program's standard output is.
enum class Output : std::uint8_t { Captured, FullDevice, Closed, PipeNobodyReads };

/// How to run the program, besides its arguments.
struct Circumstances {
  std::optional<std::string> tidings_db = {};
  Output output = Output::Captured;
  /// As a user who owns nothing; needs root.
  bool unprivileged = false;
  std::string working_folder = "/";
  std::string program = TIDINGS_CHECK_DEAD_LETTERS;
};

/// How a run of the program ended: 128 + signal if a signal ended it.
struct ToolRun {
  int exit_status = -1;
  std::string out;
  std::string err;
};

/// Runs the program, as built, and waits for its end and for the end of its output.
[[nodiscard]] ToolRun run_tool(const std::vector<std::string>& arguments,
                               const Circumstances& circumstances = {});

}  // namespace tidings::check_dead_letters
