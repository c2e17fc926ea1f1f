#include "copies/backup.hpp"

#include "copies/private_copy.hpp"
#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotWrite = "cannot write the backup copy";

/// All pages in one step: the source is read in one transaction, so the copy is of one moment. SQLite's
/// rollback data is kept in memory: a process that dies leaves only a copy that nobody uses.
void copy_pages(Connection& source, const ScratchFile& copy, const std::string& vfs,
                Connection::Deadline deadline) {
  Connection target(copy.path(), Access::ReadWrite, vfs, deadline);
  target.execute("PRAGMA journal_mode = MEMORY");
  copy.require_same(target);
  SQLite::Backup backup(target.database(), source.database());
  const int result = backup.executeStep(-1);
  if (result != SQLITE_DONE) throw SQLite::Exception(target.database().getHandle(), result);
}

void require_backup_target(Connection& source, const std::filesystem::path& database,
                           const std::filesystem::path& target) {
  require_output(kCannotWrite, target, {database, known_spills(source)});
  struct stat facts {};
  if (::lstat(target.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    throw unusable(kCannotWrite, target, "something is there that is not a regular file; give another path");
  }
  if (file_exists(wal_path(target))) {
    throw unusable(kCannotWrite, target,
                   "a database that is in use, or was not closed, is there; give another path");
  }
}

}  // namespace

void back_up(const std::filesystem::path& database, const std::filesystem::path& target,
             const std::string& vfs, Connection::Deadline deadline, const std::string& consequence) {
  try {
    Connection source(database, Access::ReadOnly, vfs, deadline);
    require_backup_target(source, database, target);
    const ScratchFile copy(target.native() + ".unfinished");
    copy_pages(source, copy, vfs, deadline);
    if (::fsync(copy.descriptor()) != 0) throw_errno();
    std::filesystem::rename(copy.path(), target);
    sync_folder(target.parent_path());
  } catch (const std::system_error& error) {
    throw unusable(kCannotWrite, target, error.code().message() + "; " + consequence);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + "; " + consequence, error.sqlite_code());
  }
}

}  // namespace tidings::deadletter
