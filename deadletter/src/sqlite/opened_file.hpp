#pragma once

#include <tidings/detail/mutex.hpp>

#include "file/file_system.hpp"
#include "sqlite/connection.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace tidings::deadletter {

/// The file that a connection to `path` has open, if it is still at the path. Call it after the connection
/// has read something: from then on its -wal file belongs to the same database.
[[nodiscard]] std::optional<FileIdentity> identity_of(const Connection& connection,
                                                      const std::filesystem::path& path) noexcept;

/// The file that a store was opened on, with its -wal and -shm files. All of a store's connections are to
/// these: rows are identified by their numbers, which mean other rows in another database, and commits to a
/// deleted -wal file end with the last connection. SQLite keeps both as long as a connection has them open.
/// Once one of the three was found to be gone from its path, or replaced, the file stays lost: other
/// processes may have used it meanwhile under another name, or with another -wal file. Thread-safe.
class OpenedFile {
 public:
  /// How much is checked: each check of a file costs a system call.
  enum class Look : std::uint8_t {
    Database,   ///< Before a commit.
    Committed,  ///< After a commit: whether it would be found by whoever opens the database next.
    Everything,
  };

  /// Call it for each new connection, once that has read something. The first one decides which files they
  /// are. Must outlive the connection. Throws Error(DatabaseUnusable) for a connection to others.
  void admit(Connection& connection, const std::filesystem::path& path, const char* what_failed);
  /// Throws Error(DatabaseUnusable) if the file is lost.
  void require_in_place(const char* what_failed, Look look = Look::Everything);
  /// Checks again, unless the file is already lost. True before the first connection.
  [[nodiscard]] bool is_in_place(Look look = Look::Everything) noexcept;
  /// The database is where it was, and no process can have committed anything that the connections do not
  /// see: their view may be written into it.
  [[nodiscard]] bool is_only_writer() const noexcept;
  [[nodiscard]] std::optional<FileIdentity> identity() const;

 private:
  enum class Lost : std::uint8_t { Nothing, Database, Log };

  /// A file beside the database: its path, and its identity if that is known.
  struct Companion {
    std::filesystem::path path;
    std::optional<FileIdentity> identity;
  };

  [[nodiscard]] bool admit_log() TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool names_are_of_others() const noexcept;
  void lose(Lost what) noexcept;
  [[noreturn]] void fail(const char* what_failed) const;

  mutable tidings::detail::Mutex mutex_;
  // Not annotated, since they are read without a lock once they are constant: path_ and identity_ are written
  // under mutex_ until known_ is true, wal_ and shm_ until log_known_ is.
  std::filesystem::path path_;
  std::optional<FileIdentity> identity_;
  Companion wal_;
  Companion shm_;
  std::atomic<bool> known_{false};
  std::atomic<bool> log_known_{false};
  std::atomic<Lost> lost_{Lost::Nothing};
};

}  // namespace tidings::deadletter
