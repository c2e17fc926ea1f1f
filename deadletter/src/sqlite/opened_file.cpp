#include "sqlite/opened_file.hpp"

#include "file/sqlite_error.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>

namespace tidings::deadletter {
using tidings::detail::MutexLock;

namespace {

constexpr const char* kLost =
    "the file was deleted or replaced while it was in use, so nothing is written or read any more: put the "
    "right file in its place, and restart the service, which then imports the letters of its spill file";
constexpr const char* kLostLog =
    "its -wal or -shm file was deleted or replaced while it was in use, so nothing is written or read any "
    "more: stop the services that use it (with SIGTERM, not with SIGKILL) and start them again, which then "
    "import the letters of their spill files";

/// Whether another file than `identity` is at the path, or none.
bool is_gone(const std::filesystem::path& path, const std::optional<FileIdentity>& identity) noexcept {
  const auto found = FileIdentity::of(path);
  // A file that cannot be seen for another reason may be there: the connections have it open.
  if (!found) return errno == ENOENT || errno == ENOTDIR;
  return !(found == identity);
}

}  // namespace

/// SQLite compares the path's file with the one that it has open. If checks of the path before and after see
/// the same file, that is the open one.
std::optional<FileIdentity> identity_of(const Connection& connection,
                                        const std::filesystem::path& path) noexcept {
  const auto before = FileIdentity::of(path);
  if (!before || connection.file_moved()) return std::nullopt;
  const auto after = FileIdentity::of(path);
  return before == after ? before : std::nullopt;
}

void OpenedFile::admit(Connection& connection, const std::filesystem::path& path, const char* what_failed) {
  const auto found = identity_of(connection, path);
  connection.leave_log_if([this] { return names_are_of_others(); });
  const MutexLock lock(mutex_);
  if (!known_) {
    path_ = path;
    identity_ = found;
    wal_.path = path.native() + "-wal";
    shm_.path = path.native() + "-shm";
    known_ = true;
  }
  if (!found || !(found == identity_)) lose(Lost::Database);
  if (connection.has_wal() && !admit_log()) lose(Lost::Log);
  if (lost_ != Lost::Nothing) fail(what_failed);
}

/// As long as an earlier connection has them open, a file that SQLite makes again is another one.
bool OpenedFile::admit_log() {
  if (log_known_)
    return !is_gone(wal_.path, wal_.identity) && (!shm_.identity || !is_gone(shm_.path, shm_.identity));
  wal_.identity = FileIdentity::of(wal_.path);
  shm_.identity = FileIdentity::of(shm_.path);  // none: SQLite has it in memory
  log_known_ = wal_.identity.has_value();
  return log_known_;
}

void OpenedFile::require_in_place(const char* what_failed, Look look) {
  if (!is_in_place(look)) fail(what_failed);
}

bool OpenedFile::is_in_place(Look look) noexcept {
  if (lost_ != Lost::Nothing) return false;
  if (!known_) return true;
  if (is_gone(path_, identity_)) lose(Lost::Database);
  if (look == Look::Database || !log_known_) return lost_ == Lost::Nothing;
  if (is_gone(wal_.path, wal_.identity)) lose(Lost::Log);
  const bool has_shm = look == Look::Everything && shm_.identity.has_value();
  if (has_shm && is_gone(shm_.path, shm_.identity)) lose(Lost::Log);
  return lost_ == Lost::Nothing;
}

void OpenedFile::lose(Lost what) noexcept {
  Lost nothing = Lost::Nothing;
  lost_.compare_exchange_strong(nothing, what);
}

bool OpenedFile::is_only_writer() const noexcept {
  return known_ && log_known_ && !is_gone(path_, identity_) && !names_are_of_others();
}

/// A -wal file that was made again and is still empty belongs to no connection.
bool OpenedFile::names_are_of_others() const noexcept {
  if (!known_ || lost_ == Lost::Nothing) return false;
  const auto database = FileIdentity::of(path_);
  if (database && !(database == identity_)) return true;
  // A process that opened the database since has made a -shm file, and may have restarted the -wal file.
  struct stat index {};
  if (log_known_ && shm_.identity && ::stat(shm_.path.c_str(), &index) == 0 && index.st_size > 0 &&
      !(FileIdentity{index.st_dev, index.st_ino} == *shm_.identity))
    return true;
  struct stat log {};
  if (!log_known_ || ::stat(wal_.path.c_str(), &log) != 0 || log.st_size == 0) return false;
  return !(FileIdentity{log.st_dev, log.st_ino} == *wal_.identity);
}

std::optional<FileIdentity> OpenedFile::identity() const {
  const MutexLock lock(mutex_);
  return identity_;
}

void OpenedFile::fail(const char* what_failed) const {
  throw unusable(what_failed, path_, lost_ == Lost::Log ? kLostLog : kLost, ErrorCode::DatabaseUnusable,
                 SQLITE_READONLY_DBMOVED);
}

}  // namespace tidings::deadletter
