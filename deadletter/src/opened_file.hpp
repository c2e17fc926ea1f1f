#pragma once

#include "connection.hpp"

#include <sys/types.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>

namespace tidings::deadletter {

/// A file, whatever its path: a path may lead to another one tomorrow.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  /// Nothing: there is no file, or it cannot be seen.
  [[nodiscard]] static std::optional<FileIdentity> of(const std::filesystem::path& path) noexcept;
  /// Of the file that a connection to `path` has open, if it is still at the path. To be asked after the
  /// connection has read something: from then on its -wal file is the same database's.
  [[nodiscard]] static std::optional<FileIdentity> of(const Connection& connection,
                                                      const std::filesystem::path& path) noexcept;

  friend bool operator==(const FileIdentity& left, const FileIdentity& right) noexcept {
    return left.device == right.device && left.inode == right.inode;
  }
};

/// The file that a store was opened on. All of a store's connections are to this file: rows are known by
/// their numbers, which mean others in another database. Once it was seen to be gone from its path, or
/// another in its place, it stays lost: while it was away others may have used it under another name, with
/// another -wal file. Thread-safe.
class OpenedFile {
 public:
  /// To be asked of each connection that is made, once it has read something. The first decides which file it
  /// is. Throws Error(DatabaseUnusable) for a connection to another.
  void admit(const Connection& connection, const std::filesystem::path& path, const char* what_failed);
  /// Throws Error(DatabaseUnusable) when the file is lost.
  void require_in_place(const char* what_failed);
  /// Looks again, unless the file is lost already. True before the first connection.
  [[nodiscard]] bool is_in_place() noexcept;
  [[nodiscard]] std::optional<FileIdentity> identity() const;

 private:
  [[noreturn]] void fail(const char* what_failed) const;

  mutable std::mutex mutex_;
  std::filesystem::path path_;            // guarded by mutex_ until it is set
  std::optional<FileIdentity> identity_;  // as path_
  std::atomic<bool> known_{false};
  std::atomic<bool> lost_{false};
};

}  // namespace tidings::deadletter
