#include <tidings/deadletter/recovery.hpp>

#include "copies/database_image.hpp"
#include "copies/integrity.hpp"
#include "copies/private_copy.hpp"
#include "copies/vfs_file.hpp"
#include "file/boot_clock.hpp"
#include "file/companions.hpp"
#include "file/owner_file.hpp"
#include "file/random_uuid.hpp"
#include "file/sqlite_error.hpp"
#include "operations/salvaged_table.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"
#include "sqlite/connection.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/error.hpp>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotRestore = "nothing was changed: cannot restore";
constexpr std::chrono::seconds kRestoreLockWait(2);
constexpr std::chrono::hours kRestoreTime(24);

using RestoreClock = std::chrono::steady_clock;

[[noreturn]] void refuse_in_use(const std::filesystem::path& database, const std::string& by) {
  throw unusable(kCannotRestore, database, by + "; stop the services that use it, and run this again",
                 ErrorCode::DatabaseBusy);
}

/// `20261121T093000Z`.
std::string stamp(Timestamp time) {
  std::string text;
  for (const char c : to_rfc3339(time).substr(0, 19)) {
    if (c != '-' && c != ':') text += c;
  }
  return text + "Z";
}

/// Where the old database goes: a name that none of its files has yet.
std::filesystem::path name_for_old(const std::filesystem::path& database, Timestamp now) {
  const std::string name = database.native() + ".before-restore-" + stamp(now);
  for (int tries = 1;; ++tries) {
    std::filesystem::path path = tries == 1 ? name : name + "-" + std::to_string(tries);
    if (!file_exists(path) && !file_exists(wal_path(path))) return path;
  }
}

/// Whether two paths name one file.
bool same_file(const std::filesystem::path& left, const std::filesystem::path& right) {
  std::error_code none;
  return left == right || std::filesystem::equivalent(left, right, none);
}

/// With what is in a -wal file of the backup's own, if somebody copied that too.
void copy_backup(const std::filesystem::path& backup, const ScratchFile& to) {
  const auto deadline = RestoreClock::now() + kRestoreTime;
  const Access access = file_exists(wal_path(backup)) ? Access::ReadOnly : Access::Immutable;
  Connection source(backup, access, "", RestoreClock::now() + kRestoreLockWait);
  Connection target(to.path(), Access::ReadWrite, "", deadline);
  target.execute("PRAGMA journal_mode = MEMORY");
  to.require_same(target);
  SQLite::Backup copy(target.database(), source.database());
  const int result = copy.executeStep(-1);
  if (result != SQLITE_DONE) throw SQLite::Exception(target.database().getHandle(), result);
}

class Restoration {
 public:
  Restoration(std::filesystem::path backup, std::filesystem::path database, const RestoreOptions& options)
      : backup_(std::move(backup)),
        database_(std::move(database)),
        options_(options),
        owner_(owner_path(database_), 0600, boot_id()) {}

  RestoreReport run() {
    require_paths();
    own_journal();
    const ScratchFile copy(database_.native() + ".restoring");
    copy_backup(backup_, copy);
    judge_copy(copy.path());
    require_replaceable();
    const auto kept = name_for_old(database_, options_.now);
    auto old = lock_old();
    if (old && !old_tables_) old_tables_ = tables_on_pages(*old);
    if (old_tables_) require_no_table_lost();
    if (options_.dry_run) {
      if (old) report_.kept.push_back(kept);
      return report_;
    }
    if (old && size_or_zero(wal_path(database_)) > 0) old = fold_log(std::move(old));
    if (report_.schema_version >= kSchemaVersion) renew_id(copy);
    finish_copy(copy);
    replace(copy, kept);
    forget_what_ran();
    return report_;
  }

 private:
  void require_paths() const {
    if (!file_exists(backup_))
      throw unusable(kCannotRestore, backup_, "there is no such file; check the path");
    // SQLite would wait for somebody who writes into a pipe, and look for a database in a device.
    for (const auto& path : {backup_, database_}) {
      std::error_code none;
      if (file_exists(path) && !std::filesystem::is_regular_file(path, none))
        throw unusable(kCannotRestore, path, "it is not a regular file; give the path of one");
    }
    if (same_file(backup_, database_)) {
      throw unusable(kCannotRestore, backup_, "it is the database itself; give a backup of it",
                     ErrorCode::InvalidArgument);
    }
    require_output(kCannotRestore, database_, {});
    require_writable(database_, kCannotRestore);
  }

  /// No bus owns the journal, and none begins to, until this ends.
  void own_journal() {
    if (options_.dry_run && !file_exists(owner_.path())) return;
    try {
      static_cast<void>(owner_.lock(std::chrono::milliseconds(0)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::JournalOwned) throw;
      refuse_in_use(database_, error.what());
    }
  }

  void judge_copy(const std::filesystem::path& copy) {
    const auto identity = look_at(copy);
    if (identity.kind != DatabaseIdentity::Kind::Tidings) {
      throw unusable(kCannotRestore, backup_, "it is no database of tidings; check the path",
                     ErrorCode::ForeignDatabase);
    }
    if (identity.schema_version > kSchemaVersion) {
      throw unusable(kCannotRestore, backup_,
                     "its schema version is " + std::to_string(identity.schema_version) +
                         ", this tidings knows up to " + std::to_string(kSchemaVersion) +
                         "; use the tools of the newer tidings",
                     ErrorCode::NewerSchema);
    }
    is_of_application_ = identity.adopted;
    report_.schema_version = identity.schema_version;
    Connection connection(copy, Access::Immutable, "", RestoreClock::now() + kRestoreTime);
    require_sound(connection);
    count(connection);
    tables_ = foreign_tables(connection);
  }

  [[nodiscard]] DatabaseIdentity look_at(const std::filesystem::path& copy) const {
    try {
      return inspect(copy, kCannotRestore, "", RestoreClock::now() + kRestoreLockWait);
    } catch (const Error& error) {
      throw unusable(kCannotRestore, backup_,
                     std::string("its copy cannot be used (") + error.what() + "); give another backup",
                     error.code(), error.sqlite_code());
    }
  }

  void require_sound(Connection& connection) const {
    std::string found;
    try {
      found = connection.text("PRAGMA quick_check(1)");
      require_was_read(found);
    } catch (const SQLite::Exception& error) {
      if (!is_damage(error.getErrorCode())) throw;
      found = error.what();
    }
    if (found == "ok") return;
    throw unusable(kCannotRestore, backup_,
                   "the backup is damaged (quick check: " + printable(found) +
                       "); give another, or save what can be read with dead-letters recover",
                   ErrorCode::DatabaseUnusable, SQLITE_CORRUPT);
  }

  void count(Connection& connection) {
    report_.bytes = static_cast<std::uint64_t>(connection.integer("PRAGMA page_count") *
                                               connection.integer("PRAGMA page_size"));
    report_.letters = connection.integer("SELECT count(*) FROM dead_letters");
    report_.unresolved = connection.integer("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL");
    if (connection.has_table("tidings_journal"))
      report_.journal_events = connection.integer("SELECT count(*) FROM tidings_journal");
    report_.spills = known_spills(connection);
  }

  /// What an application keeps in its database is not tidings' to replace by anything but its own backup. A
  /// damaged database says nothing of its owner.
  void require_replaceable() {
    DatabaseIdentity old;
    try {
      old = inspect(database_, kCannotRestore, "", RestoreClock::now() + kRestoreLockWait);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::DatabaseBusy) refuse_in_use(database_, "some process holds its lock");
      return;
    }
    const bool is_foreign = old.kind == DatabaseIdentity::Kind::Foreign;
    if (!is_foreign && (!old.adopted || is_of_application_)) return list_old_tables();
    throw unusable(kCannotRestore, database_,
                   "it is an application's database and holds more than tidings'; give a backup of the whole "
                   "of it, or import the letters with dead-letters export and import",
                   ErrorCode::ForeignDatabase);
  }

  /// Left to the pages when SQLite cannot tell.
  void list_old_tables() {
    if (!file_exists(database_)) return;
    try {
      const Access access = file_exists(wal_path(database_)) ? Access::ReadOnly : Access::Immutable;
      Connection connection(database_, access, "", RestoreClock::now() + kRestoreLockWait);
      old_tables_ = foreign_tables(connection);
    } catch (const SQLite::Exception& error) {
      if (failure_kind(error.getErrorCode()) == FailureKind::Busy)
        refuse_in_use(database_, "some process holds its lock");
    }
  }

  /// What pages of the schema can still be read say of a database that is damaged.
  [[nodiscard]] std::vector<std::string> tables_on_pages(const VfsFile& old) const {
    const ScratchFile copy(database_.native() + ".damaged-copy");
    const CopyFacts facts = copy_damaged(old, wal_path(database_), copy);
    const MappedFile file(copy.path());
    DatabaseImage image(file.bytes(), facts.page_size);
    std::vector<std::string> names;
    const auto free = image.free_pages();
    for (std::uint32_t page = 1; page <= image.pages() && image.is_utf8(); ++page) {
      if (free[page]) continue;
      image.read_page(page, [&](const Record& record) {
        if (const auto name = foreign_table_of(record); name && !name->empty()) names.push_back(*name);
      });
    }
    return names;
  }

  void require_no_table_lost() const {
    std::string lost;
    for (const std::string& name : *old_tables_) {
      if (std::find(tables_.begin(), tables_.end(), name) == tables_.end())
        lost += (lost.empty() ? "" : ", ") + printable(name);
    }
    if (lost.empty()) return;
    throw unusable(kCannotRestore, database_,
                   "it holds tables of an application that " + printable(backup_.native()) +
                       " does not have, and that would be gone: " + lost +
                       "; give a backup of the whole database, and take the letters over with dead-letters "
                       "export and import; or move the old database away first, if nobody needs these tables",
                   ErrorCode::ForeignDatabase);
  }

  /// Null if there is no database.
  [[nodiscard]] std::unique_ptr<VfsFile> lock_old() const {
    if (!file_exists(database_)) return nullptr;
    auto old = std::make_unique<VfsFile>(database_, "");
    if (!old->lock()) refuse_in_use(database_, "some process has it open");
    return old;
  }

  /// Brings what is in the -wal file into the old database, so that it is whole without that file, even if
  /// this process dies between the steps that follow. A damaged one is kept as it is.
  [[nodiscard]] std::unique_ptr<VfsFile> fold_log(std::unique_ptr<VfsFile> locked) const {
    locked.reset();
    try {
      // Not a Connection, which reads the schema at once: closing it would remove a log of which SQLite can
      // make nothing.
      SQLite::Database old(database_.native(), SQLite::OPEN_READWRITE,
                           static_cast<int>(std::chrono::milliseconds(kRestoreLockWait).count()));
      sqlite3_db_config(old.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
      old.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const SQLite::Exception& error) {
      if (failure_kind(error.getErrorCode()) == FailureKind::Busy)
        refuse_in_use(database_, "some process has it open");
    }
    return lock_old();
  }

  /// What happened in the old database since the backup did not happen in this one, where the same numbers
  /// will mean other letters.
  static void renew_id(const ScratchFile& copy) {
    Connection connection(copy.path(), Access::ReadWrite, "", RestoreClock::now() + kRestoreTime);
    copy.require_same(connection);
    write_meta(connection, meta::kDatabaseId, random_uuid());
  }

  /// The copy gets the old file's owner and mode: whoever runs this may be root.
  void finish_copy(const ScratchFile& copy) const {
    struct stat facts {};
    const bool has_old = ::stat(database_.c_str(), &facts) == 0;
    if (has_old && ::geteuid() == 0 && ::fchown(copy.descriptor(), facts.st_uid, facts.st_gid) != 0)
      throw std::system_error(errno, std::generic_category());
    if (has_old && ::fchmod(copy.descriptor(), facts.st_mode & 0660U) != 0)
      throw std::system_error(errno, std::generic_category());
    if (::fsync(copy.descriptor()) != 0) throw std::system_error(errno, std::generic_category());
    tidings::detail::kill_point("restore.copied");
  }

  void replace(const ScratchFile& copy, const std::filesystem::path& kept) {
    // The logs go first: beside the new database they would be taken for its own.
    for (const char* suffix : {"-wal", "-shm"}) {
      if (!file_exists(database_.native() + suffix)) continue;
      if (suffix == std::string("-wal") && size_or_zero(wal_path(database_)) == 0) {
        std::filesystem::remove(wal_path(database_));
        continue;
      }
      std::filesystem::rename(database_.native() + suffix, kept.native() + suffix);
      if (suffix == std::string("-wal")) report_.kept.emplace_back(kept.native() + suffix);
      tidings::detail::kill_point("restore.log_kept");
    }
    // A second name, so that there is a database at every moment.
    if (file_exists(database_)) {
      std::filesystem::create_hard_link(database_, kept);
      report_.kept.insert(report_.kept.begin(), kept);
      tidings::detail::kill_point("restore.old_kept");
    }
    std::filesystem::rename(copy.path(), database_);
    tidings::detail::kill_point("restore.replaced");
    sync_folder(database_.parent_path());
  }

  /// What the last owner was running when it died has other numbers in this journal.
  void forget_what_ran() {
    owner_.sign();
    owner_.release(true);
  }

  const std::filesystem::path backup_;
  const std::filesystem::path database_;
  const RestoreOptions& options_;
  OwnerFile owner_;
  bool is_of_application_ = false;
  /// The tables in the backup, and in the old database as far as they are known, that are not tidings'.
  std::vector<std::string> tables_;
  std::optional<std::vector<std::string>> old_tables_;
  RestoreReport report_;
};

}  // namespace

RestoreReport restore(const std::filesystem::path& backup, const std::filesystem::path& database,
                      const RestoreOptions& options) {
  const auto from = resolve_path(backup, "backup");
  const auto to = resolve_path(database, "dead-letter database");
  try {
    return Restoration(from, to, options).run();
  } catch (const SQLite::Exception& error) {
    throw unusable(kCannotRestore, from, error);
  } catch (const std::system_error& error) {
    throw unusable("cannot restore", to,
                   error.code().message() + "; check its folder and the disk, and run this again");
  }
}

}  // namespace tidings::deadletter
