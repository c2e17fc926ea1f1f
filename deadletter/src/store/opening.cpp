#include "store/opening.hpp"

#include "copies/backup.hpp"
#include "copies/integrity.hpp"
#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/owner_file.hpp"
#include "file/sqlite_error.hpp"
#include "schema/database_file.hpp"
#include "schema/schema.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/detail/kill_point.hpp>

#include <SQLiteCpp/Exception.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>

namespace tidings::deadletter {
namespace {

using Kind = DatabaseIdentity::Kind;
using std::chrono::steady_clock;

/// A service starts late by no more than this because its predecessor died, however large the database.
constexpr std::chrono::milliseconds kQuickCheckTime{2000};

/// One call's view of what it is to open.
struct Opening {
  explicit Opening(const StoreSettings& settings)
      : path(settings.path), options(settings.options), internals(settings.internals) {}

  const std::filesystem::path& path;
  const StoreOptions& options;
  const StoreInternals& internals;
  Connection::Deadline deadline = steady_clock::now() + options.busy_timeout;
};

[[noreturn]] void refuse(const Opening& opening, const std::string& why, ErrorCode code) {
  throw unusable(kCannotOpen, opening.path, why, code);
}

void require_not_newer(const Opening& opening, int version) {
  if (version <= opening.internals.schema_version) return;
  refuse(opening,
         "its schema version is " + std::to_string(version) + ", this tidings knows up to " +
             std::to_string(opening.internals.schema_version) + "; run the newer tidings",
         ErrorCode::NewerSchema);
}

/// Only Store::open's caller can say that an application's database may be used, and only its owner that it
/// becomes WAL: the mode is the whole file's, and is not changed behind the owner's back.
void require_acceptable(const Opening& opening, const DatabaseIdentity& identity) {
  if (identity.kind == Kind::Tidings) require_not_newer(opening, identity.schema_version);
  if (identity.kind == Kind::Foreign && !opening.options.adopt) {
    refuse(opening,
           "it is another application's database (application_id " + std::to_string(identity.application_id) +
               "); give another path, or set StoreOptions::adopt to keep dead letters in it",
           ErrorCode::ForeignDatabase);
  }
  if (identity.kind == Kind::Foreign && !identity.clashing_name.empty()) {
    refuse(opening,
           "it has a table, index or view \"" + printable(identity.clashing_name) +
               "\" of its own, a name that tidings needs; give another path",
           ErrorCode::ForeignDatabase);
  }
  if ((identity.kind == Kind::Foreign || identity.adopted) && !identity.wal) {
    refuse(opening,
           "it belongs to an application and is not in WAL mode, which tidings needs; its owner can run"
           " `PRAGMA journal_mode=WAL` on it once",
           ErrorCode::DatabaseUnusable);
  }
}

/// Switching needs the file to itself for a moment, and SQLite does not wait for that.
void switch_to_wal(Connection& connection, const Opening& opening) {
  for (;;) {
    try {
      const std::string mode = connection.text("PRAGMA journal_mode = WAL");
      if (mode == "wal") return;
      refuse(opening,
             "its file system does not support WAL (journal mode " + mode + "); put it on a local disk",
             ErrorCode::DatabaseUnusable);
    } catch (const SQLite::Exception& error) {
      if (failure_kind(error.getErrorCode()) != FailureKind::Busy || steady_clock::now() >= opening.deadline)
        throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

enum class Copy : std::uint8_t { None, BeforeMigration };

void bring_up_to_version(Connection& connection, const Opening& opening, int version, Copy copy) {
  const StoreInternals& internals = opening.internals;
  const int wanted = internals.schema_version;
  require_not_newer(opening, version);
  if (version == wanted) return;
  if (const auto missing = missing_step(version, wanted, internals.migrations)) {
    refuse(opening,
           "this tidings has no step from its schema version " + std::to_string(*missing) +
               "; open it once with an older tidings that has",
           ErrorCode::DatabaseUnusable);
  }
  const bool ours = read_meta(connection, meta::kOwner) != "application";
  if (ours && copy == Copy::BeforeMigration)
    back_up(opening.path, backup_path(opening.path, wanted), internals.vfs, opening.deadline,
            "nothing was migrated");
  tidings::detail::kill_point("migrate.copied");
  migrate(connection, version, wanted, internals.migrations, ours);
}

/// Inside the write transaction, so that of many processes one creates or migrates and the others find it
/// done.
void bring_up_to_date(Connection& connection, const Opening& opening,
                      const std::filesystem::path& spill_path) {
  const bool is_new = !connection.has_table("tidings_meta");
  if (is_new) create_schema(connection, opening.options.adopt ? Owner::Application : Owner::Tidings);
  bring_up_to_version(connection, opening, read_schema_version(connection).value_or(kFirstSchemaVersion),
                      is_new ? Copy::None : Copy::BeforeMigration);
  give_database_id(connection);
  remember_spill(connection, spill_path, opening.options.spill_reserve);
}

bool is_up_to_date(Connection& connection, const Opening& opening, const DatabaseIdentity& identity,
                   const std::filesystem::path& spill_path) {
  return identity.kind == Kind::Tidings && identity.schema_version == opening.internals.schema_version &&
         remembers_spill(connection, spill_path, opening.options.spill_reserve);
}

void write_schema(const Opening& opening, const DatabaseIdentity& identity,
                  const std::filesystem::path& spill_path) {
  Connection connection(opening.path, Access::ReadWrite, opening.internals.vfs, opening.deadline);
  if (connection.read_only()) {
    refuse(opening, "SQLite can only read it; check its owner and mode", ErrorCode::DatabaseUnusable);
  }
  if (!identity.wal) switch_to_wal(connection, opening);
  if (is_up_to_date(connection, opening, identity, spill_path)) return;
  WriteTransaction transaction(connection);
  bring_up_to_date(connection, opening, spill_path);
  tidings::detail::kill_point("migrate.before_commit");
  transaction.commit();
  tidings::detail::kill_point("migrate.committed");
}

/// A new file gets its mode before SQLite sees it; -wal and -shm take theirs from it. An empty one that
/// somebody made beforehand is as good as new, but not an application's.
void create_with_mode(const Opening& opening, Kind kind) {
  try {
    if (kind == Kind::Missing) {
      require_output(kCannotOpen, opening.path, {});
      if (create_file(opening.path, opening.options.file_mode)) return;
    }
  } catch (const std::system_error& error) {
    refuse(opening, "it cannot be created (" + error.code().message() + "); check its folder",
           ErrorCode::DatabaseUnusable);
  }
  if (kind != Kind::Empty || opening.options.adopt) return;
  struct stat facts {};
  if (::stat(opening.path.c_str(), &facts) == 0 && facts.st_uid != ::geteuid()) {
    refuse(opening,
           "it is empty and belongs to another user, who may have it open; remove it, or change its owner",
           ErrorCode::DatabaseUnusable);
  }
  if (::chmod(opening.path.c_str(), static_cast<mode_t>(opening.options.file_mode)) != 0) {
    refuse(opening, "its mode cannot be set (" + errno_text(errno) + "); change its owner",
           ErrorCode::DatabaseUnusable);
  }
}

/// For what a process that died may have left, when nobody has looked since. Never for an application's file:
/// that is its owner's to check.
void require_sound(const Opening& opening, const DatabaseIdentity& identity) {
  if (identity.kind != Kind::Tidings || identity.adopted) return;
  const std::string found = quick_check(opening.path, opening.internals.vfs, kQuickCheckTime);
  if (found.empty()) return;
  refuse(opening,
         "the database is damaged (quick check: " + printable(found) + "); " + how_to_salvage(opening.path),
         ErrorCode::DatabaseUnusable);
}

}  // namespace

void make_current(const StoreSettings& settings, const std::filesystem::path& spill_path) {
  // Closing a descriptor of ours drops the locks of other connections of this process: nobody opens while one
  // creates.
  static std::mutex creation;
  const std::lock_guard lock(creation);
  const Opening opening(settings);
  const auto& [path, options, internals, process] = settings;
  const bool left_unclean =
      was_left_open(path) || OwnerFile::was_left_unclean(owner_path(path), internals.boot_id);
  require_placement(kCannotOpen, path, internals.placement(path));
  // Even a look would have SQLite remove an empty -wal file.
  require_guarded_companions(kCannotOpen, path);
  const auto identity = inspect(path, kCannotOpen, internals.vfs, opening.deadline);
  require_acceptable(opening, identity);
  require_writable(path, kCannotOpen);
  create_with_mode(opening, identity.kind);
  const bool migrating = identity.kind == Kind::Tidings && identity.schema_version < internals.schema_version;
  translated(migrating ? "nothing was changed: cannot migrate the dead-letter database" : kCannotOpen, path,
             [&] {
               if (left_unclean) require_sound(opening, identity);
               write_schema(opening, identity, spill_path);
             });
}

void require_current(const StoreSettings& settings) {
  const Opening opening(settings);
  const auto identity = inspect(settings.path, kCannotOpen, settings.internals.vfs, opening.deadline);
  if (identity.kind == Kind::Missing) refuse(opening, "it was deleted", ErrorCode::DatabaseUnusable);
  if (identity.kind != Kind::Tidings) {
    refuse(opening, "it was replaced by a file that is not tidings'", ErrorCode::ForeignDatabase);
  }
  require_acceptable(opening, identity);
  if (identity.schema_version < settings.internals.schema_version) {
    refuse(opening, "it was replaced by one of an older schema; restart the service to migrate it",
           ErrorCode::DatabaseUnusable);
  }
}

}  // namespace tidings::deadletter
