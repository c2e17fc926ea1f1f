#include "store/wal_upkeep.hpp"

#include "file/sqlite_error.hpp"
#include "schema/database_file.hpp"

#include <tidings/deadletter/reader.hpp>

#include <sqlite3.h>

#include <chrono>
#include <utility>

namespace tidings::deadletter {
using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotEmpty = "cannot empty the -wal file of";

}  // namespace

WalUpkeep::WalUpkeep(const StoreSettings& settings)
    : settings_(settings), network_(settings.internals.placement(settings.path).network) {}

SinkFiles WalUpkeep::tend() {
  const MutexLock lock(mutex_);
  SinkFiles files;
  files.network_file_system = network_;
  files.database_bytes = size_or_zero(settings_.path);
  files.wal_bytes = size_or_zero(wal_path(settings_.path));
  if (files.wal_bytes > settings_.internals.large_wal) {
    truncate(files);
  } else {
    copied_.reset();
  }
  return files;
}

void WalUpkeep::truncate(SinkFiles& files) {
  settings_.internals.file->require_in_place(kCannotEmpty);
  const auto now = std::chrono::steady_clock::now();
  Connection connection(settings_.path, Access::ReadWrite, settings_.internals.vfs, now);
  static_cast<void>(connection.has_table("tidings_meta"));
  settings_.internals.file->admit(connection, settings_.path, kCannotEmpty);
  if (!copy_into_database(connection, files)) return;
  try {
    // The others of this process wait for their turn rather than for SQLite's lock.
    const WriteTurn::Hold turn(*settings_.internals.turn, now);
    sqlite3* const handle = connection.database().getHandle();
    static_cast<void>(
        sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr));
  } catch (const Error&) {
    return;  // A writer is at work: the next call tries again.
  }
  const std::uint64_t left = size_or_zero(wal_path(settings_.path));
  if (left < files.wal_bytes) files.wal_freed = files.wal_bytes - left;
}

/// What takes time goes on beside writers. True: all that was there is in the database. A reader of the
/// moment may be in the way as well as one that stays: only if no more was copied than the last time is it
/// one that stays.
bool WalUpkeep::copy_into_database(Connection& connection, SinkFiles& files) {
  int frames = 0;
  int copied = 0;
  const int result = sqlite3_wal_checkpoint_v2(connection.database().getHandle(), "main",
                                               SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  if (failure_kind(result) == FailureKind::Busy) return false;
  if (result != SQLITE_OK) throw SQLite::Exception(connection.database().getHandle(), result);
  const bool all = copied >= frames;
  const bool stuck = !all && copied_ == copied;
  copied_ = all ? std::nullopt : std::optional(copied);
  files.wal_is_held =
      stuck && is_wal_large(files.wal_bytes, files.database_bytes, settings_.internals.large_wal);
  return all;
}

}  // namespace tidings::deadletter
