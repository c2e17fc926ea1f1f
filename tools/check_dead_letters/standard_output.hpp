#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// Writes all of `text` to a descriptor and closes it. Never waits past `deadline`, even if the reader does
/// not read. A closed pipe is an error, not a signal (if SIGPIPE is ignored). Returns what went wrong, or
/// nullopt on success.
[[nodiscard]] std::optional<std::string> write_and_close(int descriptor, std::string_view text,
                                                         std::chrono::steady_clock::time_point deadline);

/// Ignores SIGPIPE, and puts /dev/null, opened so that writing to it fails, in the place of each standard
/// stream that the caller closed: otherwise the next file to be opened would become the standard output.
void secure_standard_streams();

}  // namespace tidings::check_dead_letters
