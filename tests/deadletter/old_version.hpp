#pragma once

#include <SQLiteCpp/Database.h>

#include <filesystem>

namespace tidings::deadletter {

inline constexpr const char* kFirstVersionDump =
#include "deadletter/versions/version_1.sql.inc"
    ;
inline constexpr const char* kSecondVersionDump =
#include "deadletter/versions/version_2.sql.inc"
    ;

/// Makes a database as a tidings of an earlier schema version left it, closed: the dumps are of files that
/// these wrote.
inline void make_old_database(const std::filesystem::path& path, int version) {
  SQLite::Database connection(path.native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  connection.exec(version == 1 ? kFirstVersionDump : kSecondVersionDump);
  connection.exec("PRAGMA journal_mode = WAL");
}

}  // namespace tidings::deadletter
