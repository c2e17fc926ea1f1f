#pragma once

#include "sqlite/connection.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// The contents of a path.
struct DatabaseIdentity {
  enum class Kind : std::uint8_t {
    Missing,  ///< No file, in a folder that exists.
    Empty,    ///< Nothing in it, and nobody's mark on it: a file to be.
    Tidings,  ///< Has tidings' tables.
    Foreign,  ///< Another application's database.
  };
  Kind kind = Kind::Missing;
  int schema_version = 0;
  /// Whether the file is an application's that contains tidings' tables.
  bool adopted = false;
  std::int64_t application_id = 0;
  bool wal = false;
  /// A name needed by tidings that a foreign database uses for something of its own; empty if there is none.
  std::string clashing_name = {};
};

/// Looks without writing: no byte of the file changes and no file appears beside it, except that the -shm
/// file of a database that another process has open may be brought up to date. Waits for locks until
/// `deadline`.
///
/// Throws Error: DatabaseUnusable (missing folder, a directory, a mount point, not readable, damaged),
/// ForeignDatabase (not SQLite), DatabaseBusy. Each message begins with `what_failed` and the path.
[[nodiscard]] DatabaseIdentity inspect(const std::filesystem::path& path, const std::string& what_failed,
                                       const std::string& vfs, Connection::Deadline deadline);

/// The file in which SQLite keeps commits that are not yet in the database file. While it exists, the
/// database file alone is not the database.
[[nodiscard]] std::filesystem::path wal_path(const std::filesystem::path& database);
/// The size of a file; 0 if there is none, or it cannot be seen.
[[nodiscard]] std::uint64_t size_or_zero(const std::filesystem::path& file) noexcept;
[[nodiscard]] bool file_exists(const std::filesystem::path& path) noexcept;

/// Throws Error(DatabaseUnusable) unless this user may write the file and make files beside it.
void require_writable(const std::filesystem::path& path, const std::string& what_failed);

}  // namespace tidings::deadletter
