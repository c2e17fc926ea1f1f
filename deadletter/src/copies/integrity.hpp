#pragma once

#include "sqlite/connection.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// Whether a process that had the database open seems to have died: its -wal file was left, and no process
/// holds a lock on the -shm file now. Call it before connecting. Where locks cannot be seen (those of another
/// container), the answer may be a false yes, which only costs a check.
[[nodiscard]] bool was_left_open(const std::filesystem::path& database) noexcept;

/// SQLite's checks report a page that could not be read in the same way as damage, as a finding with the
/// error's code. Pass each finding to this function, which throws SQLite::Exception if it is of that kind.
void require_was_read(const std::string& finding);

/// The findings of SQLite's quick check within the given time; empty if it found nothing wrong in the part
/// that it checked. Throws SQLite::Exception if it cannot begin, and if the disk reports an error.
[[nodiscard]] std::string quick_check(const std::filesystem::path& database, const std::string& vfs,
                                      std::chrono::milliseconds time);

}  // namespace tidings::deadletter
