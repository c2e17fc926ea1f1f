#pragma once

#include <tidings/deadletter/reader.hpp>
#include <tidings/event.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/payload_cipher.hpp>
#include <tidings/redrive.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Who makes a change, as recorded in the audit.
struct Actor {
  std::string user;
  std::string host;
};

/// How far a change of many letters has got.
struct Progress {
  /// Letters that were changed; committed.
  std::int64_t changed = 0;
  /// Letters that were not changed because their handler was running.
  std::int64_t running = 0;
  /// False while there is more to do, and at the end when the change was stopped early.
  bool complete = false;
};

/// Callbacks that follow a long change and can end it early.
struct Watch {
  /// Called after every batch, outside of any transaction. May be empty.
  std::function<void(const Progress&)> progress = {};
  /// Called between batches and while searching; returning true ends the change, and what is committed stays.
  /// May be empty.
  std::function<bool()> stop = {};
};

/// How letters are delivered again, as Bus::redrive takes it. The audit's Actor is written down as who
/// requested it, whatever `requested_by` says.
using tidings::RedriveOptions;

struct RedriveReport {
  /// The row of tidings_redrives; 0 when no letter was marked.
  std::int64_t id = 0;
  Progress progress;
  /// The service stopped the request (its canary failed, or stop_after was reached) before all were marked.
  bool stopped = false;
};

struct EditResult {
  /// The new letter, which takes the old one's place.
  std::int64_t id = 0;
  EventId event_id;
};

struct ImportOutcome {
  enum class Place : std::uint8_t {
    Imported,
    Duplicate,  ///< There is a letter of this (event_id, service, handler): `id`.
    Refused,    ///< It cannot be a row, or its payload nests deeper than kMaxJsonDepth; `problem` says why.
  };
  Place place = Place::Refused;
  std::int64_t id = 0;
  std::string problem = {};
};

struct RekeyResult {
  /// Letters and events of the journal with a payload that everybody can read.
  struct InTheClear {
    std::string event_type;
    std::int64_t rows = 0;
  };

  /// Letters that are encrypted with the first key now, and were not before.
  Progress progress;
  /// The same of events of the journal.
  std::int64_t journal_events = 0;
  /// What is still encrypted with other keys, or in the clear though it was named: because the cipher has not
  /// that key, because its bytes were changed, or (in spill files) because a service has yet to import it.
  /// Zero of each: the other keys are needed no more, except for backups and exports.
  std::int64_t letters_left = 0;
  std::int64_t journal_events_left = 0;
  std::int64_t spilled_left = 0;
  /// Of types that other rows have encrypted: what was stored before they were, or with no such rule.
  std::vector<InTheClear> in_the_clear = {};
  /// Why one of them could not be rewritten; empty if none was tried in vain.
  std::string problem = {};
};

struct EraseResult {
  Progress progress;
  /// Letters that were erased from spill files.
  std::int64_t spilled = 0;
  /// Matching events in the journal: they are owed to handlers, and were not erased.
  std::int64_t journal_events = 0;
  /// Discard reasons that were removed from the audit.
  std::int64_t cleared_reasons = 0;
  /// False: another connection reads the database and kept old pages in the -wal file.
  bool wal_cleared = false;
};

/// The changes that operators make to the dead letters of a database, while services write and redrive them.
/// One thread at a time per object; any number of processes. The program `dead-letters` has a verb of the
/// same name for each, except that it calls a redrive `retry`, as the audit does, and that `rehearse_import`
/// and `count_erasable` are its `import` and `erase` with `--dry-run`.
///
/// Every call leaves a row in tidings_audit, written in the transaction that makes the change: who, when,
/// what, how many letters, and which filters were given, without values that may be personal. Changes of many
/// letters are made in batches that hold the write lock for about 20 ms each, oldest letter first, with
/// pauses in which services get it. Each batch is a transaction, so a process that dies leaves whole batches.
/// Everything is synced when a call returns. Letters that arrive after a call began are not changed, nor are
/// those whose handler is running.
///
/// Calls throw Error: DatabaseBusy if a lock could not be acquired within the timeout, DatabaseUnusable,
/// InvalidArgument (an invalid pointer, a payload that nests deeper than kMaxJsonDepth, a reason that is not
/// UTF-8).
class Operations {
 public:
  struct Options {
    /// How long each batch waits for another process's lock.
    std::chrono::milliseconds busy_timeout = std::chrono::seconds(10);
    /// Has a record `letters_changed` for each row of the audit, under the name `tidings.audit`, which a
    /// route or TIDINGS_LOG_OUTPUT can send to a file of its own. Not set: the audit is in the database
    /// alone.
    std::optional<logging::Logger> logger = std::nullopt;
    /// For payloads that are stored encrypted: edit and rekey need it. Null: none.
    std::shared_ptr<const PayloadCipher> cipher = nullptr;
  };

  /// Throws as Reader::open does, and DatabaseUnusable if this user may not write.
  [[nodiscard]] static Operations open(const std::filesystem::path& path, Actor actor,
                                       const Options& options);
  [[nodiscard]] static Operations open(const std::filesystem::path& path, Actor actor);

  Operations(Operations&&) noexcept;
  Operations& operator=(Operations&&) noexcept;
  ~Operations();

  /// Marks unresolved letters that have a handler and are not marked yet; the bus of their service delivers
  /// them.
  [[nodiscard]] RedriveReport redrive(Filter filter, const RedriveOptions& options, const Watch& watch);
  /// Resolves unresolved letters as discarded. The reason is kept with each.
  [[nodiscard]] Progress discard(Filter filter, const std::string& reason, const Watch& watch);
  /// Makes discarded letters unresolved again.
  [[nodiscard]] Progress undo(Filter filter, const Watch& watch);
  /// Makes a corrected copy: a new event, caused by the old one, with the history of the old letter, which is
  /// resolved as superseded. It is encrypted if the old one was. Throws InvalidArgument if the letter is gone
  /// or resolved, if its fields are masked, or if it is encrypted and there is no cipher; DatabaseBusy if its
  /// handler is running.
  [[nodiscard]] EditResult edit(std::int64_t id, const Json& payload);
  /// Encrypts with the cipher's first key what is encrypted with another: letters, resolved or not, and
  /// events that the journal owes. Services may run; one that was started with the new key file writes with
  /// the first key already, and one that has not the new key cannot deliver what was rewritten. Throws
  /// InvalidArgument without a cipher, or for a name that no event type can have.
  ///
  /// `encrypt` names event types: what these have in the clear, from before they were stored encrypted, is
  /// encrypted too, in letters and in the journal. Services that deliver it need the key.
  [[nodiscard]] RekeyResult rekey(const Watch& watch, const std::vector<std::string>& encrypt = {});
  /// Imports letters, with their resolutions, until `next` returns nullopt. `tell` is called with the outcome
  /// of each, in order.
  [[nodiscard]] Progress import(const std::function<std::optional<StoredLetter>()>& next,
                                const std::function<void(const ImportOutcome&)>& tell, const Watch& watch);
  /// Reports for each letter what import would do with it now; changes nothing, and leaves no row in the
  /// audit. A Duplicate of an earlier letter of the same input has the `id` 0. The deliveries seen so far are
  /// kept in a temporary file (about 120 bytes a letter, in SQLITE_TMPDIR, TMPDIR or /var/tmp), not in
  /// memory. Throws DatabaseUnusable if that file cannot be written.
  [[nodiscard]] Progress rehearse_import(const std::function<std::optional<StoredLetter>()>& next,
                                         const std::function<void(const ImportOutcome&)>& tell,
                                         const Watch& watch);
  /// Deletes letters permanently: resolved ones, or unresolved ones if the filter says so. The newest letter
  /// of the database is kept, since its number would be used again.
  [[nodiscard]] Progress purge(Filter filter, const Watch& watch);
  /// A filter for the letters that purge deletes, for a Reader to count and to show. Purge skips those whose
  /// handler is running.
  [[nodiscard]] Filter purgeable(Filter filter);
  /// Deletes letters, resolved or not, with every edited version of them, from the database, its -wal file,
  /// its free pages and its spill files. Removes from the audit the reasons with which such letters were
  /// discarded, and every discard reason that contains a value of the filter (correlation id, event id, or of
  /// the payload). Other letters that share a reason keep it.
  [[nodiscard]] EraseResult erase(Filter filter, const Watch& watch);
  /// Reports what erase would delete and keep; erases nothing, and leaves no row in the audit. Needs a
  /// temporary file like rehearse_import, for letters that were edited. Not complete if the watch stopped it.
  [[nodiscard]] EraseResult count_erasable(const Filter& filter, const Watch& watch = {});
  /// Copies the database, as of one moment, to a file that does not exist yet (mode 0600, synced). restore()
  /// of recovery.hpp puts it back.
  void backup(const std::filesystem::path& target);

 private:
  class Implementation;
  explicit Operations(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

/// Throws Error(InvalidArgument) unless `pointer` is a JSON pointer (RFC 6901).
void require_pointer(std::string_view pointer);

}  // namespace tidings::deadletter
