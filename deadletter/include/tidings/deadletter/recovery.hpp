#pragma once

#include <tidings/clock.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// Rows of one table, by how they were saved.
struct SavedRows {
  std::string table;
  /// By queries: in the table's order, from both ends.
  std::int64_t in_order = 0;
  /// By queries for what lies between damaged pages.
  std::int64_t around_damage = 0;
  /// Rows that no query reaches, read from the file's pages.
  std::int64_t from_pages = 0;
  /// How many of all these rows had a value replaced that tidings cannot have written.
  std::int64_t mended = 0;
  /// Rows that were found, but are too damaged to be kept.
  std::int64_t unusable = 0;

  [[nodiscard]] std::int64_t saved() const noexcept { return in_order + around_damage + from_pages; }
};

/// A letter that is still in an index, but no longer in the table.
struct LostLetter {
  std::int64_t id = 0;
  std::string event_id;
  std::string service;
  std::string handler;
};

struct RecoveryReport {
  std::vector<SavedRows> tables;
  /// At most 100 of them.
  std::vector<LostLetter> lost;
  std::int64_t lost_letters = 0;
  /// Owed deliveries whose event is lost.
  std::int64_t lost_deliveries = 0;
  /// Events of the journal of which only a delivery's record is left.
  std::int64_t lost_events = 0;
  /// Pages that cannot be read, at least in part, and may have held rows of the tables.
  std::int64_t unread_pages = 0;
  /// Entries of tables and indexes that could not be read where they stand.
  std::int64_t unreadable_entries = 0;
  /// What SQLite's quick check reports about the damaged file, at most 10 lines.
  std::vector<std::string> damage;
  /// Pages that were committed to the -wal file, and taken from there.
  std::int64_t pages_from_wal = 0;
  /// The file's header was unusable, and was rebuilt in the copy.
  bool header_was_damaged = false;
  /// It is an application's database, or holds tables of one: only tidings' own tables were saved.
  bool adopted = false;
  /// Tables and views of other applications that its schema still names.
  std::vector<std::string> foreign_tables;
  /// Rows of no table of tidings, if the schema that would name their table cannot be read.
  std::int64_t foreign_rows = 0;

  [[nodiscard]] const SavedRows& of(const std::string& table) const;
  /// Whether the copy is complete: nothing is known to be missing, every page that can have held rows was
  /// read, and there were no tables other than tidings'.
  [[nodiscard]] bool is_whole() const noexcept;
};

/// Makes a new database (mode 0600) at `target`, with everything that can be saved of the damaged one at
/// `path` and its -wal file: letters, the journal with what is owed, redrive requests, the audit, idempotency
/// keys. Changes no byte of the damaged files: it works on a temporary copy beside `target`, which needs as
/// much disk space as the database. SQLite keeps no checksums, so values that are wrong but well formed
/// cannot be detected. `progress` is called with the number of rows saved so far; it may be empty.
///
/// Throws Error: DatabaseUnusable (there is no such file, it cannot be read, `target` cannot be written),
/// ForeignDatabase (it holds no data of tidings), DatabaseBusy (some process has it open), InvalidArgument
/// (`target` exists, or is one of the database's own files). Then no `target` is made.
[[nodiscard]] RecoveryReport recover(const std::filesystem::path& path, const std::filesystem::path& target,
                                     const std::function<void(std::int64_t)>& progress = {});

/// The default target of a recovery: `<path>.recovered`.
[[nodiscard]] std::filesystem::path recovery_target(const std::filesystem::path& path);

struct RestoreOptions {
  /// Check everything, and change nothing.
  bool dry_run = false;
  /// Part of the names under which the old files are kept.
  Timestamp now = {};
};

struct RestoreReport {
  /// The old database and its -wal file, under the names that they have (or would have) now.
  std::vector<std::filesystem::path> kept;
  int schema_version = 0;
  std::uint64_t bytes = 0;
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;
  /// Events that are owed to handlers, and will be delivered.
  std::int64_t journal_events = 0;
  /// Spill files of the database. They are not touched; the next service imports the letters in them.
  std::vector<std::filesystem::path> spills;
};

/// Replaces `database` by a copy of `backup`. The old database and its -wal and -shm files are kept beside it
/// under other names: a -wal file that is left in place would undo or destroy the backup. The copy is checked
/// before anything is changed. A process that is killed leaves the old database or the new one, and the call
/// can be repeated.
///
/// Throws Error: DatabaseBusy while any process has `database` open, or a bus owns its journal;
/// DatabaseUnusable (the backup is damaged or missing, files cannot be created), ForeignDatabase (the backup
/// is not a tidings database, or would replace an application's database, or one with tables that the backup
/// does not have), NewerSchema, InvalidArgument (both are the same file).
[[nodiscard]] RestoreReport restore(const std::filesystem::path& backup,
                                    const std::filesystem::path& database, const RestoreOptions& options);

}  // namespace tidings::deadletter
