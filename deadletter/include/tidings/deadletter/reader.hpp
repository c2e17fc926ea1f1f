#pragma once

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/examination.hpp>
#include <tidings/deadletter/filter.hpp>
#include <tidings/deadletter/statistics.hpp>
#include <tidings/deadletter/stored_letter.hpp>

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

/// Reads the dead letters of a database, from any process, while services write: never waits for them, never
/// makes them wait, writes nothing. One thread at a time per Reader. Every call sees a consistent state of
/// its own. Once the file was deleted or replaced every call throws DatabaseUnusable: open another Reader.
/// The program `dead-letters` shows what it finds: `list`, `show` (find), `groups`, `stats` (statistics) and
/// `doctor` (examine).
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
  /// By the value of the context field `name`, at most `limit`. Reads every letter that matches: about a
  /// second for half a million.
  [[nodiscard]] std::vector<FieldGroup> groups_by_field(const Filter& filter, std::string_view name,
                                                        std::size_t limit,
                                                        GroupOrder order = GroupOrder::ByCount);
  /// Costs the same however many letters there are.
  [[nodiscard]] UnresolvedNames unresolved_names();
  [[nodiscard]] Statistics statistics(const Filter& filter);
  /// What services counted, minute by minute; up to the last second. Nullopt for a database of version 2,
  /// which has no counters. Reads every row of the minutes in question.
  [[nodiscard]] std::optional<DeliveryRates> rates(const RateFilter& filter);
  [[nodiscard]] std::optional<RedriveState> redrive(std::int64_t id);
  /// One of the matching letters that are held back. See Filter::held_back.
  [[nodiscard]] std::optional<HeldBackLetter> find_held_back(Filter filter);
  /// Services that were asked before `time` to deliver letters again, but hold none of their letters and had
  /// none delivered or failed in the minute after it; the longest-waiting service first. For a `time` some
  /// seconds ago. Costs the same however many letters there are.
  [[nodiscard]] std::vector<IdleService> idle_services(Timestamp time);
  /// `thorough` compares every index with its table, which takes minutes for millions of letters.
  [[nodiscard]] Examination examine(bool thorough);
  /// With which keys payloads of letters and of the journal are encrypted. Reads every letter.
  [[nodiscard]] std::vector<KeyUse> key_uses();
  /// Backups that may still hold letters that were erased since: files beside the database, and those
  /// recorded in the audit. Whether the latter still exist is not checked.
  [[nodiscard]] std::vector<std::string> known_backups();
  /// Costs the same however long the journal is.
  [[nodiscard]] JournalBacklog journal_backlog();
  /// The correlation ids of letters whose events this one caused, at most 10. Reads every letter.
  [[nodiscard]] std::vector<std::string> requests_caused_by(const EventId& cause);
  /// What the journal owes of the event with this id, its own or a foreign one, or of the request with this
  /// correlation id; in order of publishing, at most `limit` (1 to 10,000). Reads the whole journal.
  [[nodiscard]] std::vector<OwedToHandler> owed_deliveries(std::string_view id, std::size_t limit);
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
