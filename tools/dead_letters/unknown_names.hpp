#pragma once

#include "dead_letters/command.hpp"

namespace tidings::dead_letters {

/// Says which names given with --type, --handler and --service no unresolved letter has, and which names are
/// similar.
void say_unknown_names(Command& command);

}  // namespace tidings::dead_letters
