#pragma once

#include "sqlite/statement.hpp"

#include <SQLiteCpp/Database.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace tidings::deadletter {

/// How a connection treats the file.
enum class Access : std::uint8_t {
  ReadWrite,
  ReadOnly,
  /// Takes no lock and makes no file. Safe only while no process has the database open: the content of a -wal
  /// file is not seen, and changes are not detected.
  Immutable,
};

/// One SQLite connection to an existing file. Never creates the file. Not thread-safe. Members that are not
/// noexcept throw SQLite::Exception.
///
/// No code of this module opens a database file by means other than SQLite: closing such a descriptor would
/// drop the POSIX locks that this process's connections hold on the file.
class Connection {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// `path` is absolute, so that SQLite never takes it for a URI. An empty `vfs` is the default one. Calls
  /// wait for locks until `deadline`. Commits of a ReadWrite connection are synced, and deleted data is
  /// overwritten.
  Connection(const std::filesystem::path& path, Access access, const std::string& vfs, Deadline deadline);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// From now on calls wait for locks until `deadline`.
  void wait_until(Deadline deadline) noexcept { deadline_ = deadline; }
  /// Calls that still compute at the deadline end with SQLITE_INTERRUPT.
  void interrupt_at_deadline();

  void execute(const std::string& sql) { database_.exec(sql); }
  /// The first column of the first row.
  [[nodiscard]] std::int64_t integer(const std::string& sql);
  [[nodiscard]] std::string text(const std::string& sql);
  [[nodiscard]] bool has_table(const std::string& name);

  [[nodiscard]] bool in_transaction() const noexcept;
  /// Ends an open transaction; does nothing without one. A failure shows in the next statement.
  void rollback() noexcept;
  /// Whether the file at the path is no longer the one that was opened.
  [[nodiscard]] bool file_moved() const noexcept;
  /// Whether it has a -wal file open: it is in WAL mode, and has read something.
  [[nodiscard]] bool has_wal() const noexcept;
  /// Called when the connection ends. If it returns true, the -wal and -shm files at the path no longer
  /// belong to this database and are not touched; otherwise the last connection of a database takes its -wal
  /// file in and removes both.
  void leave_log_if(std::function<bool()> not_ours) { not_ours_ = std::move(not_ours); }
  [[nodiscard]] bool read_only() const noexcept;
  /// Whether the file's header says WAL. `PRAGMA journal_mode` cannot tell through an immutable connection,
  /// and takes locks.
  [[nodiscard]] bool header_says_wal() const noexcept;

  [[nodiscard]] SQLite::Database& database() noexcept { return database_; }

 private:
  static int wait_for_lock(void* self, int waits) noexcept;
  static int past_deadline(void* self) noexcept;

  Deadline deadline_;
  std::function<bool()> not_ours_;  // may be empty
  SQLite::Database database_;
};

/// The absolute path of the connection's main file.
[[nodiscard]] std::filesystem::path path_of(SQLite::Database& database);

}  // namespace tidings::deadletter
