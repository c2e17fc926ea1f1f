#pragma once

#include "letters/letter_versions.hpp"
#include "sqlite/prepared.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/letter_sink.hpp>

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// Writes letters into the table of a connection's main database. Keeps its statements prepared. Must be
/// destroyed before the connection.
class LetterInsert {
 public:
  explicit LetterInsert(sqlite3* connection);
  explicit LetterInsert(SQLite::Database& database) : LetterInsert(database.getHandle()) {}

  struct Result {
    std::int64_t id = 0;
    /// False: there was a letter of this delivery, and it was left as it was.
    bool inserted = false;
  };
  /// Throws SQLite::Exception.
  [[nodiscard]] Result insert(const DeadLetter& letter);
  /// The same in an open transaction, which a letter that cannot be a row leaves as it was: such a one is
  /// Unsaved, with its problem.
  [[nodiscard]] LetterOutcome take(const DeadLetter& letter);
  /// The letter of the same delivery; 0 if there is none. Throws SQLite::Exception.
  [[nodiscard]] std::int64_t find(const DeadLetter& letter);

 private:
  [[nodiscard]] std::int64_t find(const std::string& event_id, const DeadLetter& letter);

  sqlite3* connection_;
  LetterVersions versions_;
  Prepared insert_;
  Prepared find_;
};

/// What the columns of an event's chain have in another form than its metadata; kept until the row is reset.
struct ChainTexts {
  std::string correlation_id;
  std::string causation_id;
  std::string traceparent;
};
/// The columns correlation_id, causation_id, causation_depth, traceparent and tracestate.
void bind_chain(Prepared& row, const Metadata& metadata, std::string_view event_id, ChainTexts& texts);
/// The column foreign_id.
void bind_foreign_id(Prepared& row, const Metadata& metadata);
/// Payloads and times as the columns keep them.
void bind_data(Prepared& row, const EncodedData& data);
void bind_time(Prepared& row, std::optional<Timestamp> time);

}  // namespace tidings::deadletter
