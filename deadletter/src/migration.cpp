#include "migration.hpp"

#include "file_system.hpp"
#include "schema.hpp"
#include "sqlite_error.hpp"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace tidings::deadletter {
namespace {

void copy_pages(const std::filesystem::path& from, const std::filesystem::path& to, const std::string& vfs,
                Connection::Deadline deadline) {
  Connection source(from, Access::ReadOnly, vfs, deadline);
  Connection target(to, Access::ReadWrite, vfs, deadline);
  SQLite::Backup backup(target.database(), source.database());
  // All pages in one step: the source is read in one transaction, so the copy is of one moment.
  const int result = backup.executeStep(-1);
  if (result != SQLITE_DONE) throw SQLite::Exception(target.database().getHandle(), result);
}

void sync_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file || ::fsync(file.get()) != 0) {
    throw unusable("cannot save", path, errno_text(errno) + "; check the disk");
  }
}

}  // namespace

const std::vector<Migration>& migrations() {
  static const std::vector<Migration> steps = {{1, second_version()}};
  return steps;
}

std::optional<int> missing_step(int from, int to, std::span<const Migration> steps) {
  for (int version = from; version < to; ++version) {
    if (std::none_of(steps.begin(), steps.end(), [&](const auto& step) { return step.from == version; }))
      return version;
  }
  return std::nullopt;
}

void migrate(Connection& connection, int from, int to, std::span<const Migration> steps,
             bool owned_by_tidings) {
  for (int version = from; version < to; ++version) {
    const auto step =
        std::find_if(steps.begin(), steps.end(), [&](const auto& each) { return each.from == version; });
    for (const std::string& statement : step->statements) connection.execute(statement);
  }
  write_meta(connection, meta::kSchemaVersion, std::to_string(to));
  if (owned_by_tidings) connection.execute("PRAGMA user_version = " + std::to_string(to));
}

std::filesystem::path backup_path(const std::filesystem::path& database, int to) {
  return database.native() + ".before-v" + std::to_string(to) + ".bak";
}

void back_up(const std::filesystem::path& database, const std::filesystem::path& target,
             const std::string& vfs, Connection::Deadline deadline) {
  // Made under another name first: what bears the final name is whole.
  const std::filesystem::path unfinished = target.native() + ".unfinished";
  try {
    std::filesystem::remove(unfinished);
    static_cast<void>(create_file(unfinished, 0600));
    copy_pages(database, unfinished, vfs, deadline);
    sync_file(unfinished);
    std::filesystem::rename(unfinished, target);
    sync_folder(target.parent_path());
  } catch (const std::system_error& error) {
    throw unusable("cannot write the backup copy", target, error.code().message() + "; nothing was migrated");
  }
}

}  // namespace tidings::deadletter
