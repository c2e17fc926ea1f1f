#pragma once

#include <tidings/dead_letter.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// How a letter was resolved. `reprocessed`, `discarded`, `superseded`.
enum class Resolution : std::uint8_t { Reprocessed, Discarded, Superseded };
[[nodiscard]] std::string_view to_string(Resolution resolution) noexcept;
[[nodiscard]] std::optional<Resolution> parse_resolution(std::string_view text) noexcept;

/// A value inside the payload: what the JSON pointer (RFC 6901; empty: the whole) points at is the text
/// `value`, or is the JSON that `value` spells (`42`, `true`, `"42"`).
struct PayloadValue {
  std::string pointer;
  std::string value;
};

/// Selects the letters of a query; a member that is not set does not restrict. Values are bound as
/// parameters, never put into SQL text.
struct Filter {
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> service = {};
  std::optional<std::string> fingerprint = {};
  std::optional<std::string> correlation_id = {};
  std::optional<EventId> event_id = {};
  std::optional<Reason> reason = {};
  /// Resolved (true) or unresolved (false).
  std::optional<bool> resolved = {};
  /// failed_at: from, inclusive, and up to, exclusive.
  std::optional<Timestamp> since = {};
  std::optional<Timestamp> until = {};
  /// These letters, by number.
  std::optional<std::vector<std::int64_t>> ids = {};
  /// All of them must hold. Decodes the payload of every letter that the rest chooses.
  std::vector<PayloadValue> where = {};
  std::optional<Resolution> resolution = {};
  /// Resolved before this.
  std::optional<Timestamp> resolved_before = {};
  /// Whether they are marked to be delivered again.
  std::optional<bool> marked = {};
  /// Whether their handler is running now, so that they must not be changed.
  std::optional<bool> running = {};
  /// Whether the payload was kept, without which a letter cannot be delivered again.
  std::optional<bool> has_payload = {};
  /// Whether the letter has a handler. A letter without one (reason `unhandled`) is never claimed by a bus.
  std::optional<bool> has_handler = {};
  /// Whether a parked letter is held back by an earlier letter of its ordering key that is not marked.
  /// Letters that match `asked_for` count as marked.
  std::optional<bool> held_back = {};
  std::shared_ptr<const Filter> asked_for = {};
  /// Delivered last by this request, a row of tidings_redrives, and failed.
  std::optional<std::int64_t> failed_in_redrive = {};
  /// Numbers up to this one, which leaves out letters that arrive during a long change.
  std::optional<std::int64_t> up_to_id = {};
};

/// How much of a letter is read.
enum class LetterParts : std::uint8_t {
  All,
  Summary,  ///< Without payload, attributes and attempts, which may be long: they are empty, whatever the
            ///< encoding says.
};

/// In which order letters are listed: by failed_at, then by number.
enum class ListOrder : std::uint8_t { NewestFirst, OldestFirst };

/// Which bus holds a letter to deliver it again.
struct Claim {
  std::string by;
  /// Its lease has not passed, as far as can be determined, or the process that holds it is alive. Another
  /// machine cannot determine that.
  bool alive = false;
};

/// A letter as stored in the database.
struct StoredLetter {
  std::int64_t id = 0;
  DeadLetter letter;
  std::optional<Timestamp> redrive_requested_at = {};
  std::optional<Timestamp> reprocessed_at = {};
  std::optional<Resolution> resolution = {};
  std::optional<EventId> edited_from = {};
  std::optional<Claim> claim = {};
  std::optional<std::int64_t> redrive_id = {};
  std::optional<Timestamp> redrive_started_at = {};
  std::string resolution_note = {};

  /// Whether its handler is running now, so that it must not be changed.
  [[nodiscard]] bool is_running() const noexcept { return redrive_started_at && claim && claim->alive; }
};

/// One page of a list. `next` is where the next page begins; nullopt on the last page.
struct Page {
  struct Cursor {
    Timestamp failed_at;
    std::int64_t id = 0;
  };
  std::vector<StoredLetter> letters;
  std::optional<Cursor> next;
};

/// Letters with one cause: one fingerprint, handler and service, of any event type.
struct Group {
  std::string fingerprint;
  /// Of the newest letter of the group.
  std::string event_type;
  /// How many event types the letters have.
  std::int64_t event_types = 1;
  std::string handler;
  std::string service;
  /// Of the newest letter of the group.
  std::string error_type = {};
  std::string sample_error = {};
  std::int64_t newest_id = 0;
  std::int64_t count = 0;
  Timestamp first_failed_at{};
  Timestamp last_failed_at{};
};

/// Durable events that are still owed to a handler.
struct JournalBacklog {
  /// Exact up to 10,000; above that, an upper bound.
  std::int64_t events = 0;
  bool exact = true;
  /// Of the one that was published first.
  std::optional<Timestamp> oldest_published_at;
};

/// A handler to which events are owed and that has not been subscribed for a while.
struct UnservedHandler {
  std::string service;
  std::string event_type;
  /// Empty for events whose rows in the journal are damaged and do not say.
  std::string handler;
  std::int64_t owed = 0;
  Timestamp since{};

  friend bool operator==(const UnservedHandler&, const UnservedHandler&) = default;
};

/// A service that does not claim the letters that are marked for it.
struct IdleService {
  std::string service;
  /// Exact up to 10,000; above that, a lower bound.
  std::int64_t letters = 0;
  bool exact = true;
  /// When the first of them was marked.
  Timestamp since{};
};

enum class GroupOrder : std::uint8_t { ByCount, ByLastFailure };

/// A parked letter, and the earlier one of its ordering key that it waits for.
struct HeldBackLetter {
  std::int64_t id = 0;
  std::int64_t behind = 0;
};

/// Names that unresolved letters have, in their order.
struct UnresolvedNames {
  std::vector<std::string> event_types;
  std::vector<std::string> handlers;
  std::vector<std::string> services;
};

/// How many letters there are of each kind, most first.
struct Statistics {
  struct Count {
    std::string name;
    std::int64_t letters = 0;
    std::int64_t unresolved = 0;
  };
  struct Day {
    /// Midnight, UTC.
    Timestamp begin;
    std::int64_t letters = 0;
    std::int64_t unresolved = 0;
  };
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;
  std::vector<Count> by_type;
  std::vector<Count> by_handler;
  std::vector<Count> by_service;
  std::vector<Count> by_reason;
  /// By failed_at, oldest first; days without letters are left out.
  std::vector<Day> by_day;
};

/// A request to deliver letters again: a row of tidings_redrives.
struct RedriveState {
  std::int64_t id = 0;
  Timestamp requested_at;
  std::string requested_by;
  std::optional<std::int64_t> canary;
  std::optional<double> rate;
  std::optional<std::int64_t> stop_after;
  std::int64_t letters = 0;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  /// `open`, `stopped` (by its canary or stop_after) or `finished`. In the last two none of its letters is
  /// marked or claimed any more.
  std::string state;
};

/// What somebody changed: a row of tidings_audit.
struct AuditEntry {
  std::int64_t id = 0;
  Timestamp at;
  std::string user;
  std::string host;
  std::string verb;
  /// JSON: which filters were given, without personal values.
  std::string filter;
  std::int64_t letters = 0;
  std::string note;
};

/// Whether a -wal file is larger than writing explains: above 64 MiB (`threshold`) and the size of the
/// database, or above 1 GiB (16 times that). The cause is then a program that has been reading an old state
/// of the database for long; without it SQLite would reuse the file from its beginning.
inline constexpr std::uint64_t kLargeWal = 64ULL * 1024 * 1024;
[[nodiscard]] constexpr bool is_wal_large(std::uint64_t wal_bytes, std::uint64_t database_bytes,
                                          std::uint64_t threshold = kLargeWal) noexcept {
  return (wal_bytes > threshold && wal_bytes > database_bytes) || wal_bytes > 16 * threshold;
}

struct FileSizes {
  std::uint64_t database = 0;
  std::uint64_t wal = 0;
};

/// The state of a database, for its operators.
struct Examination {
  /// Letters that are marked for redrive and that no bus has claimed.
  struct Waiting {
    std::string service;
    std::string event_type;
    std::string handler;
    std::int64_t letters = 0;
    Timestamp since;
    /// A bus of that service holds other letters, or some of its letters were delivered or failed in the last
    /// ten seconds; it may still claim these.
    bool service_is_at_work = false;
  };
  struct Spill {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
  };
  int schema_version = 0;
  /// Whether an application keeps its own tables in the file.
  bool adopted = false;
  /// What is wrong with the file, at most 100 findings; empty: nothing.
  std::vector<std::string> damage;
  /// Whether the counts that triggers keep (tidings_causes) are those of the letters.
  bool counts_agree = true;
  std::uint64_t file_bytes = 0;
  std::uint64_t wal_bytes = 0;
  std::uint64_t free_bytes = 0;
  /// The file system that the database is on, when that may be shared with other machines; else empty.
  std::string network_file_system;
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;
  std::optional<Timestamp> oldest_unresolved;
  /// Events in the journal that are still owed to handlers.
  std::int64_t journal_events = 0;
  /// Letters that a bus holds, as far as can be determined. Filter::running finds those whose handler is
  /// running.
  std::int64_t live_claims = 0;
  /// Expired claims of processes that are gone; a running bus releases their letters.
  std::int64_t stale_claims = 0;
  std::vector<Waiting> waiting;
  /// Those with most events first, at most 10,000.
  std::vector<UnservedHandler> unserved;
  /// Only spill files that hold letters.
  std::vector<Spill> spills;
  std::vector<RedriveState> open_redrives;
  /// Newest first, at most 5.
  std::vector<AuditEntry> recent_changes;
};

/// Reads the dead letters of a database, from any process, while services write: never waits for them, never
/// makes them wait, writes nothing. One thread at a time per Reader. Every call sees a consistent state of
/// its own. Once the file was deleted or replaced every call throws DatabaseUnusable: open another Reader.
class Reader {
 public:
  struct Options {
    /// After this a call gives up with Error(DatabaseBusy). Covers waiting and computing.
    std::chrono::milliseconds timeout = std::chrono::seconds(10);
  };

  /// Throws Error: DatabaseUnusable (missing, a directory, corrupt, or not readable for this user; the
  /// message says what to do), ForeignDatabase, NewerSchema, DatabaseBusy.
  [[nodiscard]] static Reader open(const std::filesystem::path& path, Options options);
  [[nodiscard]] static Reader open(const std::filesystem::path& path);

  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  [[nodiscard]] std::int64_t count(const Filter& filter);
  /// At most `limit` (1 to 10,000) letters, after `after`.
  [[nodiscard]] Page list(const Filter& filter, std::size_t limit, std::optional<Page::Cursor> after = {},
                          ListOrder order = ListOrder::NewestFirst, LetterParts parts = LetterParts::All);
  [[nodiscard]] std::optional<StoredLetter> find(std::int64_t id);
  /// Letters whose event id begins with `prefix` (lowercase), at most `limit`.
  [[nodiscard]] std::vector<StoredLetter> find_by_event(std::string_view prefix, std::size_t limit,
                                                        LetterParts parts = LetterParts::All);
  /// The one that failed first.
  [[nodiscard]] std::optional<StoredLetter> oldest(const Filter& filter);
  /// At most `limit`.
  [[nodiscard]] std::vector<Group> groups(const Filter& filter, std::size_t limit,
                                          GroupOrder order = GroupOrder::ByCount);
  /// Costs the same however many letters there are.
  [[nodiscard]] UnresolvedNames unresolved_names();
  [[nodiscard]] Statistics statistics(const Filter& filter);
  [[nodiscard]] std::optional<RedriveState> redrive(std::int64_t id);
  /// One of the matching letters that are held back. See Filter::held_back.
  [[nodiscard]] std::optional<HeldBackLetter> find_held_back(Filter filter);
  /// Services that were asked before `time` to deliver letters again, but hold none of their letters and had
  /// none delivered or failed in the minute after it; the longest-waiting service first. For a `time` some
  /// seconds ago. Costs the same however many letters there are.
  [[nodiscard]] std::vector<IdleService> idle_services(Timestamp time);
  /// `thorough` compares every index with its table, which takes minutes for millions of letters.
  [[nodiscard]] Examination examine(bool thorough);
  /// Backups that may still hold letters that were erased since: files beside the database, and those
  /// recorded in the audit. Whether the latter still exist is not checked.
  [[nodiscard]] std::vector<std::string> known_backups();
  /// Costs the same however long the journal is.
  [[nodiscard]] JournalBacklog journal_backlog();
  /// Those with most events first, at most `limit` (1 to 10,000). Known once a bus with a journal has run for
  /// some seconds.
  [[nodiscard]] std::vector<UnservedHandler> unserved_handlers(std::size_t limit);
  /// Zero for a file that does not exist. Throws Error.
  [[nodiscard]] FileSizes file_sizes() const;
  /// Bytes of letters in the spill files that wait for import; 0 if there are none. Throws Error.
  [[nodiscard]] std::uint64_t spill_bytes();
  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept;
  /// Every spill file that the database was ever used with.
  [[nodiscard]] const std::vector<std::filesystem::path>& spill_paths() const noexcept;

 private:
  class Implementation;
  explicit Reader(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tidings::deadletter
