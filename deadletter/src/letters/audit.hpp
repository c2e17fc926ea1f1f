#pragma once

#include <tidings/deadletter/operations.hpp>
#include <tidings/logging/logger.hpp>

#include "sqlite/connection.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// A filter as JSON for the audit: names of types, handlers, services and causes, times, numbers of letters,
/// pointers into payloads. Never a value of a payload, a correlation id, or an event id.
[[nodiscard]] std::string describe_filter(const Filter& filter);

/// One row of tidings_audit, which grows with each batch of a change.
class Audit {
 public:
  Audit(Actor actor, std::string verb, std::string filter)
      : actor_(std::move(actor)), verb_(std::move(verb)), filter_(std::move(filter)) {}

  /// Inside the transaction that changes the letters. Throws SQLite::Exception.
  void add(SQLite::Database& database, std::int64_t letters);
  /// Before the first add().
  void set_note(std::string note) { note_ = std::move(note); }
  /// Before the first add(): what an edit changed, by describe_changes().
  void set_changes(Json changes) { changes_ = std::move(changes); }
  [[nodiscard]] const Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] const std::string& filter() const noexcept { return filter_; }

  /// Logs the row as it was committed, without its note and without the values of its changes, which `erase`
  /// could not clear in a log. Nothing is
  /// logged where nothing was committed. Call it outside of a transaction. Throws nothing.
  void mirror(SQLite::Database& database, const logging::Logger& log) const noexcept;

 private:
  Actor actor_;
  std::string verb_;
  std::string filter_;
  std::string note_;
  Json changes_;  // null: none
  std::int64_t id_ = 0;
};

/// Rows of the audit with a discard reason, in an operator's words, for which `is_meant` returns true. Reads
/// the whole table, which has a row for each change that an operator made. Throws SQLite::Exception.
[[nodiscard]] std::vector<std::int64_t> find_reasons(
    Connection& connection, const std::function<bool(const std::string& reason)>& is_meant);
/// Rows of edits with their changes: the letters that each was about, and the changes as text, are given to
/// `is_meant`. Throws SQLite::Exception.
[[nodiscard]] std::vector<std::int64_t> find_changes(
    Connection& connection,
    const std::function<bool(const std::vector<std::int64_t>& letters, const std::string& changes)>&
        is_meant);
/// Removes the changes of these rows. Inside a transaction. Throws SQLite::Exception.
void clear_changes(Connection& connection, const std::vector<std::int64_t>& rows);
/// Removes the reasons of these rows. Inside a transaction. Throws SQLite::Exception.
void clear_reasons(Connection& connection, const std::vector<std::int64_t>& rows);

}  // namespace tidings::deadletter
