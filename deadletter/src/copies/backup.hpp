#pragma once

#include "sqlite/connection.hpp"

#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// Copies a database with all that is committed, also what is in its -wal file, to `target` (mode 0600,
/// synced; replaces an earlier copy only when the new one is complete), while others read and write it.
/// Throws SQLite::Exception; Error: InvalidArgument when `target` is one of a database's own files,
/// DatabaseBusy while another is written there, DatabaseUnusable, whose message ends with the `consequence`.
void back_up(const std::filesystem::path& database, const std::filesystem::path& target,
             const std::string& vfs, Connection::Deadline deadline, const std::string& consequence);

}  // namespace tidings::deadletter
