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

/// Which letters a query is about; what is not set does not restrict. Values are bound, never made into SQL
/// text.
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
};

/// How a letter was resolved. `reprocessed`, `discarded`, `superseded`.
enum class Resolution : std::uint8_t { Reprocessed, Discarded, Superseded };
[[nodiscard]] std::string_view to_string(Resolution resolution) noexcept;
[[nodiscard]] std::optional<Resolution> parse_resolution(std::string_view text) noexcept;

/// A letter as the database has it.
struct StoredLetter {
  std::int64_t id = 0;
  DeadLetter letter;
  std::optional<Timestamp> redrive_requested_at = {};
  std::optional<Timestamp> reprocessed_at = {};
  std::optional<Resolution> resolution = {};
  std::optional<EventId> edited_from = {};
};

/// One page of a list, newest failure first. `next` is where the next page begins; nothing on the last.
struct Page {
  struct Cursor {
    Timestamp failed_at;
    std::int64_t id = 0;
  };
  std::vector<StoredLetter> letters;
  std::optional<Cursor> next;
};

/// Letters with one cause.
struct Group {
  std::string fingerprint;
  std::string event_type;
  std::string handler;
  std::string service;
  std::string error_type;
  /// Of the newest letter of the group.
  std::string sample_error;
  std::int64_t count = 0;
  Timestamp first_failed_at{};
  Timestamp last_failed_at{};
};

/// Durable events that are still owed to a handler.
struct JournalBacklog {
  /// Up to 10,000 they are counted; of more, at most this many.
  std::int64_t events = 0;
  bool exact = true;
  /// Of the one that was published first.
  std::optional<Timestamp> oldest_published_at;
};

/// A handler that events are owed to and that nobody has subscribed for a while.
struct UnservedHandler {
  std::string service;
  std::string event_type;
  /// Empty: of events whose rows in the journal do not say, being damaged.
  std::string handler;
  std::int64_t owed = 0;
  Timestamp since{};

  friend bool operator==(const UnservedHandler&, const UnservedHandler&) = default;
};

/// Reads the dead letters of a database, from any process, while services write: never waits for them, never
/// makes them wait, writes nothing. One thread at a time per Reader. Every call sees a consistent state of
/// its own.
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
  [[nodiscard]] Page list(const Filter& filter, std::size_t limit, std::optional<Page::Cursor> after = {});
  [[nodiscard]] std::optional<StoredLetter> find(std::int64_t id);
  /// The one that failed first.
  [[nodiscard]] std::optional<StoredLetter> oldest(const Filter& filter);
  /// Most letters first, at most `limit`.
  [[nodiscard]] std::vector<Group> groups(const Filter& filter, std::size_t limit);
  /// Costs the same however long the journal is.
  [[nodiscard]] JournalBacklog journal_backlog();
  /// Those with most events first, at most `limit` (1 to 10,000). Known once a bus with a journal has run for
  /// some seconds.
  [[nodiscard]] std::vector<UnservedHandler> unserved_handlers(std::size_t limit);
  /// Bytes of letters in the spill files that wait for import; 0 if there are none. Throws Error.
  [[nodiscard]] std::uint64_t spill_bytes();
  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept;

 private:
  class Implementation;
  explicit Reader(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tidings::deadletter
