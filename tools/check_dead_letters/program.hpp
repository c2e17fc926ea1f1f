#pragma once

#include <tidings/clock.hpp>

#include <string>
#include <vector>

namespace tidings::check_dead_letters {

/// The standard output of a run of check-dead-letters, and its exit status.
struct Result {
  std::string output;
  int exit_status = 3;
  /// When to give up writing the output.
  Instant deadline{};
};

/// All of check-dead-letters except the printing: reads the command line (the arguments after the program's
/// name, and TIDINGS_DB), checks, and writes the metrics file. `clock` gives the time for windows and ages;
/// the timeout is measured by the machine's clock. Throws only std::bad_alloc; call it from a process with
/// one thread.
[[nodiscard]] Result run(const std::vector<std::string>& arguments, const char* environment_databases,
                         const Clock& clock);

}  // namespace tidings::check_dead_letters
