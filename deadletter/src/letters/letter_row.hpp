#pragma once

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <string>
#include <string_view>

namespace tidings::deadletter {

/// The columns that `read_letter` reads, in its order, for a SELECT. Those that version 2 does not
/// have are null in a database of it.
[[nodiscard]] std::string letter_columns(SQLite::Database& database, LetterParts parts = LetterParts::All);

/// The letter in the current row of a statement of the database. Throws Error(DatabaseUnusable), naming the
/// row's id and the column, and what saves it, when a value is not one that tidings writes.
[[nodiscard]] StoredLetter read_letter(SQLite::Statement& row, SQLite::Database& database);

/// A column's text until the row is left.
[[nodiscard]] inline std::string_view text_of(const SQLite::Column& column) {
  const char* text = column.getText();
  return {text, static_cast<std::size_t>(column.getBytes())};
}

/// The column `attempts`:
/// `[{"at":1767225600000000,"duration_us":1500,"error_type":"...","error_message":"...","fields":{"order_id":42}}]`;
/// `fields` only if something was bound, `span_id` only if it was traced.
[[nodiscard]] std::string attempts_to_json(const std::vector<Attempt>& attempts);
/// The column `span_id`: that of the last attempt; empty if there is none.
[[nodiscard]] std::string span_of(const std::vector<Attempt>& attempts);
/// Throws nlohmann::json::exception or Error for what is not such an array.
[[nodiscard]] std::vector<Attempt> attempts_from_json(std::string_view text);

}  // namespace tidings::deadletter
