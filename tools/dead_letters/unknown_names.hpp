#pragma once

#include "dead_letters/command.hpp"

namespace tidings::dead_letters {

/// Says which of --type, --handler and --service name what no unresolved letter has, and which names are
/// near.
void say_unknown_names(Command& command);

}  // namespace tidings::dead_letters
