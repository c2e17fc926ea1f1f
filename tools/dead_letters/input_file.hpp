#pragma once

#include <string>

namespace tidings::dead_letters {

/// A file, or what a shell makes of <(...). Throws Refusal(NoInput) when there is nothing to read.
void require_readable(const std::string& path);
/// The same for a database, which is read in any order: reading a pipe could block, and it cannot be
/// searched.
void require_regular(const std::string& path);

}  // namespace tidings::dead_letters
