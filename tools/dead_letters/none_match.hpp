#pragma once

#include "dead_letters/command.hpp"

namespace tidings::dead_letters {

/// For when no letter matches. Says which names given with --type, --handler and --service no unresolved
/// letter has, and which names are similar; and how to see the values of the fields given with --attribute.
void say_why_none_match(Command& command);

}  // namespace tidings::dead_letters
