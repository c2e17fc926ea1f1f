#pragma once

#include "dead_letters/command.hpp"

#include <string>
#include <vector>

namespace tidings::dead_letters {

/// All of dead-letters but the choice of streams: reads the command line (the arguments after the program's
/// name, and TIDINGS_DB's value, null when it is not set), does it, and says what went wrong. Throws nothing
/// but std::bad_alloc.
[[nodiscard]] ExitStatus run(const std::vector<std::string>& arguments, const char* environment_database,
                             const Streams& streams, Timestamp now);

}  // namespace tidings::dead_letters
