#pragma once

#include "sqlite/connection.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// Whether a process that had the database open seems to have died: its -wal file was left, and no process
/// holds a lock on the -shm file now. To be asked before connecting. Where locks cannot be seen (another
/// container's), it may say so wrongly, which costs no more than a check.
[[nodiscard]] bool was_left_open(const std::filesystem::path& database) noexcept;

/// SQLite's checks tell a page that could not be read as they tell damage, as a finding with the error's
/// code: whoever reads findings gives each to this, which throws SQLite::Exception when it is of that kind.
void require_was_read(const std::string& finding);

/// What SQLite's quick check has to say, in the time given; empty when it found nothing wrong as far as it
/// came. Throws SQLite::Exception when it cannot even begin, and when the disk reports an error.
[[nodiscard]] std::string quick_check(const std::filesystem::path& database, const std::string& vfs,
                                      std::chrono::milliseconds time);

}  // namespace tidings::deadletter
