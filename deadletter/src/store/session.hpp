#pragma once

#include <tidings/journal.hpp>
#include <tidings/letter_sink.hpp>

#include "journal/journal_rows.hpp"
#include "journal/owner_number.hpp"
#include "letters/letter_insert.hpp"
#include "minutes/minute_buffer.hpp"
#include "sqlite/writing_connection.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// A store's connection with all it keeps prepared; replaced as a whole when the database has failed. Not
/// thread-safe.
class Session {
 public:
  /// Connects to a database of the current schema. Letters and batches take what waits in `minutes` (may be
  /// null) with them. Throws SQLite::Exception.
  Session(const std::filesystem::path& path, const WritingConnection::Options& options,
          MinuteBuffer* minutes);

  /// All letters in one synced transaction. A letter that cannot be a row is Unsaved, with its problem, and
  /// holds up no other. Throws SQLite::Exception when the database takes nothing; then it took none.
  /// `without_end`: the journal may still owe the deliveries, which JournalReader is to know.
  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, bool without_end);
  /// Throws SQLite::Exception.
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler);
  /// Throws SQLite::Exception.
  [[nodiscard]] UnresolvedLetters unresolved(std::string_view service);
  /// One batch of the journal of `service` in one transaction. Letters whose outcome is Spilled or Unsaved
  /// already are left out of it; any other that cannot be a row makes it none: then false, with their
  /// outcomes. Throws CommitInDoubt, or SQLite::Exception when the database takes nothing, or
  /// Error(NotEncodable), or Error(JournalOwned) when `owner` has lost the journal; then it took nothing.
  [[nodiscard]] bool commit(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                            JournalCommit& result);
  /// What waits in the buffer, in a transaction of its own that is not synced. Throws SQLite::Exception.
  void keep_minutes();
  /// Made at first use: most stores keep letters alone.
  [[nodiscard]] JournalRows& journal();
  [[nodiscard]] WritingConnection& connection() noexcept { return connection_; }
  [[nodiscard]] LetterInsert& letters() noexcept { return letters_; }

 private:
  [[nodiscard]] bool commit_once(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                                 JournalCommit& result);
  void undo_journal() noexcept;
  [[nodiscard]] bool write(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                           JournalCommit& result);
  [[nodiscard]] bool take_all(const JournalBatch& batch, JournalCommit& result);

  WritingConnection connection_;
  MinuteBuffer* const minutes_;
  SQLite::Statement dead_keys_;
  LetterInsert letters_;
  std::optional<JournalRows> journal_;
};

}  // namespace tidings::deadletter
