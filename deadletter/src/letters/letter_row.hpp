#pragma once

#include "sqlite/prepared.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/letter_sink.hpp>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

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
/// Payloads and times as the columns keep them.
void bind_data(Prepared& row, const EncodedData& data);
void bind_time(Prepared& row, std::optional<Timestamp> time);

/// The columns that `read_letter` reads, in its order, for a SELECT.
[[nodiscard]] std::string_view letter_columns(LetterParts parts = LetterParts::All) noexcept;

/// The letter in the current row of a statement of the database. Throws Error(DatabaseUnusable), naming the
/// row's id and the column, and what saves it, when a value is not one that tidings writes.
[[nodiscard]] StoredLetter read_letter(SQLite::Statement& row, SQLite::Database& database);

/// A column's text until the row is left.
[[nodiscard]] inline std::string_view text_of(const SQLite::Column& column) {
  const char* text = column.getText();
  return {text, static_cast<std::size_t>(column.getBytes())};
}

/// The column `attempts`:
/// `[{"at":1767225600000000,"duration_us":1500,"error_type":"...","error_message":"..."}]`.
[[nodiscard]] std::string attempts_to_json(const std::vector<Attempt>& attempts);
[[nodiscard]] std::vector<Attempt> attempts_from_json(std::string_view text);
/// The column `attributes`: one object, names in the order given.
[[nodiscard]] std::string attributes_to_json(const Attributes& attributes);
/// Throws nlohmann::json::exception or Error for what is not such an object; so does attempts_from_json.
[[nodiscard]] Attributes attributes_from_json(std::string_view text);

}  // namespace tidings::deadletter
