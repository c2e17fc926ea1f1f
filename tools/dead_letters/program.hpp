#pragma once

#include "dead_letters/command.hpp"

#include <string>
#include <vector>

namespace tidings::dead_letters {

/// All of dead-letters except the choice of streams: reads the command line (the arguments after the
/// program's name, and TIDINGS_DB's value, null if it is not set), carries it out, and reports errors. Throws
/// only std::bad_alloc.
[[nodiscard]] ExitStatus run(const std::vector<std::string>& arguments, const char* environment_database,
                             const Streams& streams, Timestamp now);

}  // namespace tidings::dead_letters
