#include "schema/database_file.hpp"

#include "file/file_system.hpp"
#include "file/placement.hpp"
#include "file/sqlite_error.hpp"
#include "schema/schema.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace tidings::deadletter {
namespace {

constexpr const char* kOtherUser = "this user may not read it; run as the service's user or group";

std::string why_missing(const std::filesystem::path& path) {
  struct stat folder {};
  const std::string name = printable(path.parent_path().native());
  if (::stat(path.parent_path().c_str(), &folder) != 0)
    return "its folder " + name + " does not exist; create it first";
  if (!S_ISDIR(folder.st_mode)) return name + " is not a folder; check the path";
  return {};
}

/// Whether there is a file. Throws if the path is anything that cannot be a database.
bool require_regular_file(const std::filesystem::path& path, const std::string& what_failed) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno == EACCES)
      throw unusable(what_failed, path, "this user may not enter its folder; run as the service's user");
    if (errno != ENOENT && errno != ENOTDIR)
      throw unusable(what_failed, path, errno_text(errno) + "; check the path");
    const std::string why = why_missing(path);
    if (!why.empty()) throw unusable(what_failed, path, why);
    return false;
  }
  if (S_ISDIR(facts.st_mode)) throw unusable(what_failed, path, "it is a directory; give the path of a file");
  if (!S_ISREG(facts.st_mode))
    throw unusable(what_failed, path, "it is not a regular file; give the path of one");
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
    throw unusable(what_failed, path, kOtherUser);
  return true;
}

DatabaseIdentity identify(Connection& connection, const std::filesystem::path& path,
                          const std::string& what_failed) {
  using Kind = DatabaseIdentity::Kind;
  DatabaseIdentity identity;
  identity.application_id = connection.integer("PRAGMA application_id");
  identity.wal = connection.header_says_wal();
  if (connection.has_table("tidings_meta")) {
    identity.kind = Kind::Tidings;
    const auto version = read_schema_version(connection);
    if (!version) {
      throw unusable(what_failed, path,
                     "its table tidings_meta does not say which schema_version it has; it is damaged: " +
                         how_to_salvage(path));
    }
    identity.schema_version = *version;
    identity.adopted = read_meta(connection, meta::kOwner) == "application";
  } else if (identity.application_id == kApplicationId) {
    throw unusable(what_failed, path,
                   "it is tidings' but has lost its tables; it is damaged: " + how_to_salvage(path));
  } else {
    const bool bare = connection.integer("SELECT count(*) FROM sqlite_schema") == 0;
    identity.kind = bare && identity.application_id == 0 ? Kind::Empty : Kind::Foreign;
    identity.clashing_name = clashing_name(connection).value_or("");
  }
  return identity;
}

DatabaseIdentity look(const std::filesystem::path& path, Access access, const std::string& what_failed,
                      const std::string& vfs, Connection::Deadline deadline) {
  Connection connection(path, access, vfs, deadline);
  connection.execute("BEGIN");
  return identify(connection, path, what_failed);
}

/// Whether somebody deleted the -wal or -shm file of a database that a process has open: SQLite deletes them
/// only when the last process ends, under an exclusive lock. A process that opens the database does not make
/// them at once.
bool has_lost_log(const std::filesystem::path& path) {
  constexpr int kLooks = 50;
  constexpr std::chrono::milliseconds kBetweenLogLooks(4);
  for (int looks = 0;; ++looks) {
    if (file_exists(wal_path(path)) && file_exists(path.native() + "-shm")) return false;
    if (!is_shared_by_anyone(path)) return false;
    if (looks == kLooks) return true;
    std::this_thread::sleep_for(kBetweenLogLooks);
  }
}

[[noreturn]] void refuse_lost_log(const std::filesystem::path& path, const std::string& what_failed) {
  throw unusable(
      what_failed, path,
      "a process has it open, but its -wal or -shm file was deleted, so what was committed last may be "
      "seen by that process alone: stop the services that use it (with SIGTERM, not with SIGKILL), "
      "which writes it into the database, and start them again");
}

}  // namespace

std::filesystem::path wal_path(const std::filesystem::path& database) { return database.native() + "-wal"; }

std::uint64_t size_or_zero(const std::filesystem::path& file) noexcept {
  std::error_code missing;
  const auto size = std::filesystem::file_size(file, missing);
  return missing ? 0 : size;
}

bool file_exists(const std::filesystem::path& path) noexcept {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

DatabaseIdentity inspect(const std::filesystem::path& path, const std::string& what_failed,
                         const std::string& vfs, Connection::Deadline deadline) {
  if (!require_regular_file(path, what_failed)) return {};
  require_placement(what_failed, path, placement_of(path));
  const bool lost_log = has_lost_log(path);
  if (lost_log && file_exists(wal_path(path))) refuse_lost_log(path, what_failed);
  // Without a -wal file no process has the database open in WAL mode, and reading without a lock leaves no
  // trace. A process that opens it meanwhile makes one; then this reading does not count.
  for (int tries = 0;; ++tries) {
    const bool in_use = file_exists(wal_path(path)) || tries >= 3;
    const auto overtaken = [&] { return !in_use && file_exists(wal_path(path)); };
    try {
      auto identity = look(path, in_use ? Access::ReadOnly : Access::Immutable, what_failed, vfs, deadline);
      if (lost_log && identity.wal && !overtaken()) refuse_lost_log(path, what_failed);
      if (!overtaken()) return identity;
    } catch (const SQLite::Exception& error) {
      if (!overtaken()) throw unusable(what_failed, path, error);
    } catch (const Error&) {
      if (!overtaken()) throw;
    }
  }
}

void require_writable(const std::filesystem::path& path, const std::string& what_failed) {
  const auto folder = path.parent_path();
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    throw unusable(what_failed, path,
                   "this user may not create files in its folder " + printable(folder.native()) + " (" +
                       errno_text(errno) + "); change the folder's owner or mode");
  }
  if (file_exists(path) && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    throw unusable(what_failed, path,
                   "it is read-only for this user (" + errno_text(errno) + "); change its owner or mode");
  }
}

}  // namespace tidings::deadletter
