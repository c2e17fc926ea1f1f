#include "opened_file.hpp"

#include "sqlite_error.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>

namespace tidings::deadletter {
namespace {

constexpr const char* kLost =
    "the file was deleted or replaced while it was in use, so nothing is written or read any more: put the "
    "right file in its place, and restart the service, which then imports the letters of its spill file";

}  // namespace

std::optional<FileIdentity> FileIdentity::of(const std::filesystem::path& path) noexcept {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return FileIdentity{facts.st_dev, facts.st_ino};
}

/// SQLite compares the path's file with the one that it has open; between two looks at the path that see the
/// same, that one is known.
std::optional<FileIdentity> FileIdentity::of(const Connection& connection,
                                             const std::filesystem::path& path) noexcept {
  const auto before = of(path);
  if (!before || connection.file_moved()) return std::nullopt;
  const auto after = of(path);
  return before == after ? before : std::nullopt;
}

void OpenedFile::admit(const Connection& connection, const std::filesystem::path& path,
                       const char* what_failed) {
  const auto found = FileIdentity::of(connection, path);
  const std::lock_guard lock(mutex_);
  if (!known_) {
    path_ = path;
    identity_ = found;
    known_ = true;
  }
  if (!found || !(found == identity_)) lost_ = true;
  if (lost_) fail(what_failed);
}

void OpenedFile::require_in_place(const char* what_failed) {
  if (!is_in_place()) fail(what_failed);
}

bool OpenedFile::is_in_place() noexcept {
  if (lost_) return false;
  if (!known_) return true;
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) != 0) {
    // What cannot be seen for another reason may be there: the connections have it open.
    if (errno == ENOENT || errno == ENOTDIR) lost_ = true;
  } else if (!(FileIdentity{facts.st_dev, facts.st_ino} == *identity_)) {
    lost_ = true;
  }
  return !lost_;
}

std::optional<FileIdentity> OpenedFile::identity() const {
  const std::lock_guard lock(mutex_);
  return identity_;
}

void OpenedFile::fail(const char* what_failed) const {
  throw unusable(what_failed, path_, kLost, ErrorCode::DatabaseUnusable, SQLITE_READONLY_DBMOVED);
}

}  // namespace tidings::deadletter
