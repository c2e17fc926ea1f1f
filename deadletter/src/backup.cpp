#include "backup.hpp"

#include "database_file.hpp"
#include "file_system.hpp"
#include "owner_file.hpp"
#include "sqlite_error.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotWrite = "cannot write the backup copy";
constexpr unsigned kMode = 0600;

[[noreturn]] void throw_errno() { throw std::system_error(errno, std::generic_category()); }

/// The file that becomes the copy, under another name until it is whole. Its lock keeps another backup to the
/// same place from writing into it; one that a crash left is used again.
Descriptor create_unfinished(const std::filesystem::path& path, const std::filesystem::path& target) {
  for (int tries = 0; tries < 10; ++tries) {
    Descriptor file;
    if (!create_file(path, kMode, &file)) {
      file = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    }
    if (!file && errno == ENOENT) continue;
    if (!file) throw_errno();
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw_errno();
      throw unusable(kCannotWrite, target, "another backup to the same place is being written",
                     ErrorCode::DatabaseBusy);
    }
    struct stat ours {};
    struct stat current {};
    const bool still_there = ::fstat(file.get(), &ours) == 0 && ::stat(path.c_str(), &current) == 0 &&
                             ours.st_ino == current.st_ino && ours.st_dev == current.st_dev;
    if (!still_there) continue;
    if (::fchmod(file.get(), kMode) != 0 || ::ftruncate(file.get(), 0) != 0) throw_errno();
    return file;
  }
  throw unusable(kCannotWrite, target, "other backups to the same place begin and end all the time",
                 ErrorCode::DatabaseBusy);
}

void copy_pages(const std::filesystem::path& from, const std::filesystem::path& to, const std::string& vfs,
                Connection::Deadline deadline) {
  Connection source(from, Access::ReadOnly, vfs, deadline);
  Connection target(to, Access::ReadWrite, vfs, deadline);
  SQLite::Backup backup(target.database(), source.database());
  // All pages in one step: the source is read in one transaction, so the copy is of one moment.
  const int result = backup.executeStep(-1);
  if (result != SQLITE_DONE) throw SQLite::Exception(target.database().getHandle(), result);
}

}  // namespace

void back_up(const std::filesystem::path& database, const std::filesystem::path& target,
             const std::string& vfs, Connection::Deadline deadline, const std::string& consequence) {
  const std::filesystem::path unfinished = target.native() + ".unfinished";
  try {
    const Descriptor file = create_unfinished(unfinished, target);
    try {
      copy_pages(database, unfinished, vfs, deadline);
      if (::fsync(file.get()) != 0) throw_errno();
      std::filesystem::rename(unfinished, target);
    } catch (...) {
      static_cast<void>(::unlink(unfinished.c_str()));
      throw;
    }
    sync_folder(target.parent_path());
  } catch (const std::system_error& error) {
    throw unusable(kCannotWrite, target, error.code().message() + "; " + consequence);
  }
}

void require_backup_target(const std::filesystem::path& database, const std::filesystem::path& spill,
                           const std::filesystem::path& target) {
  for (const std::filesystem::path& own :
       {database, wal_path(database), std::filesystem::path(database.native() + "-shm"), owner_path(database),
        spill}) {
    if (target != own) continue;
    throw unusable(kCannotWrite, target, "that is a file of the database itself; give another path",
                   ErrorCode::InvalidArgument);
  }
  struct stat facts {};
  if (::lstat(target.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    throw unusable(kCannotWrite, target, "something is there that is not a regular file; give another path");
  }
  if (file_exists(wal_path(target))) {
    throw unusable(kCannotWrite, target,
                   "a database that is in use, or was not closed, is there; give another path");
  }
}

}  // namespace tidings::deadletter
