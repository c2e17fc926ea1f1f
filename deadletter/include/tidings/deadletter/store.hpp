#pragma once

#include <tidings/clock.hpp>
#include <tidings/letter_sink.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

struct StoreInternals;

struct StoreOptions {
  /// How long a write waits for that of another process before it fails as busy.
  std::chrono::milliseconds busy_timeout = std::chrono::seconds(5);
  /// Where letters are written if the database cannot take them; empty: `<database>.spill.jsonl`.
  std::filesystem::path spill_path = {};
  /// Disk space reserved for the spill file at open, in bytes, so that letters can be kept when the disk is
  /// full. Zero: none.
  std::uint64_t spill_reserve = 8ULL * 1024 * 1024;
  /// Mode of every file that is created, whatever the umask; 0600 to 0660. An existing file keeps its own.
  unsigned file_mode = 0600;
  /// How long resolved letters are kept; zero: for ever. The bus deletes older ones, a few at a time.
  /// Unresolved letters are never deleted.
  std::chrono::hours retention = std::chrono::hours(24 * 30);
  /// How long the rows of the audit are kept; zero: for ever.
  std::chrono::hours audit_retention = std::chrono::hours(24 * 365);
  /// How long the counters of each minute (tidings_minutes) are kept; zero: for ever.
  std::chrono::hours minutes_retention = std::chrono::hours(24 * 14);
  /// What payloads are encrypted with whose types ask for it (Event).
  PayloadEncryption encryption = {};
  /// Create tidings' tables in a database that another application owns, and touch nothing else there: its
  /// application_id, user_version and mode stay, migrations make no copy, and a database that is not in WAL
  /// mode is refused, since the mode is its owner's to change. A missing file is created, and its
  /// application_id and user_version are left for the application to set.
  bool adopt = false;
};

/// The dead letters of one or more services, in one SQLite file: the LetterSink that services use.
///
/// Thread-safe. Any number of processes may have the same file open. Letters are synced before `store`
/// returns. The schema is a public interface: docs/schema.md. Queries are Reader's.
///
/// After a failure of the database every call tries again, on a new connection, so a store recovers when its
/// database does. Once the file was deleted, moved or replaced (files are identified by device and inode),
/// every call throws DatabaseUnusable until a new store is opened, even if the first file comes back: letters
/// are spilled, and no row of the other file is touched. When a process ends while its disk is failing, a
/// spilled letter may be found in the database too.
///
/// A forked child may destroy a Store but not use it: calls throw Error(ForkedChild). Do not fork while
/// another thread is in `open`.
class Store final : public LetterSink {
 public:
  /// Opens or creates the database (WAL, mode 0600) and migrates an older schema, after a backup copy. Throws
  /// Error: DatabaseUnusable (missing folder, a directory, not readable or writable, corrupt),
  /// ForeignDatabase, NewerSchema, DatabaseBusy, InvalidArgument; nothing is written to a file that is
  /// refused. A failed migration leaves the database as it was. Paths are paths, never URIs; a relative one
  /// is resolved now. A file that is itself a mount point (DatabaseUnusable) is refused: its -wal file would
  /// stay behind. On a network file system SQLite's locks do not work; the bus's log and the doctor warn.
  /// When the last process to use it died, a file that tidings made is first checked for damage, for at most
  /// two seconds.
  [[nodiscard]] static std::shared_ptr<Store> open(const std::filesystem::path& path,
                                                   const StoreOptions& options = {});

  ~Store() override;

  /// A payload that nests deeper than kMaxJsonDepth is left out, and the letter says so.
  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters,
                                                 WhenBusy when_busy) override;
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) override;
  /// The path of the database.
  [[nodiscard]] std::string location() const override;
  /// StoreOptions, what the cipher says of itself, and the version of SQLite.
  [[nodiscard]] Json configuration() const override;
  /// Letters of every spill file that the database was ever used with. `open` imports too, for up to a
  /// second.
  [[nodiscard]] SpillImport import_spilled() override;
  /// Empties a -wal file of more than 64 MiB as soon as nobody reads an old state of the database.
  [[nodiscard]] SinkFiles look_after_files() override;
  /// The journal of durable events, in the same database. One bus of one process owns it at a time, by the
  /// lock of the file `<database>.owner`, and by its number in the database: an owner that has lost the
  /// journal to another is refused with JournalOwned. Lives as long as the store.
  [[nodiscard]] Journal* journal() noexcept override;
  [[nodiscard]] Redrives* redrives() noexcept override;
  [[nodiscard]] std::optional<UnresolvedLetters> unresolved_letters(std::string_view service) override;
  /// Counters of each minute, in the same database. Committed with letters and the journal's batches, or
  /// alone.
  [[nodiscard]] Minutes* minutes() noexcept override;
  /// StoreOptions::encryption.
  [[nodiscard]] PayloadEncryption encryption() const override;

  /// Copies the whole database, as it is at one moment, to the file `target` while it stays in use. The copy
  /// (mode 0600) is synced, and gets that name only when it is complete; an earlier file there is replaced. A
  /// crash leaves at most the folder `<target>.unfinished`, accessible to this user alone, which the next
  /// backup uses again. Throws Error: InvalidArgument, DatabaseUnusable, DatabaseBusy; then `target` is as it
  /// was. Put it back with `dead-letters restore`, or restore() of recovery.hpp, never by copying: a -wal
  /// file that is left in place would destroy it.
  void backup(const std::filesystem::path& target) const;

  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept;

 private:
  class Implementation;
  friend std::shared_ptr<Store> open_store(const std::filesystem::path& path, const StoreOptions& options,
                                           StoreInternals internals);
  explicit Store(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tidings::deadletter
