#pragma once

#include <string>

namespace tidings::dead_letters {

/// A file, or what a shell makes of <(...). Throws Refusal(NoInput) when there is nothing to read.
void require_readable(const std::string& path);
/// The same for a database, which is read in any order: a pipe would be waited for, and has no end to go to.
void require_regular(const std::string& path);

}  // namespace tidings::dead_letters
