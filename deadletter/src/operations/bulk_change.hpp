#pragma once

#include <tidings/deadletter/operations.hpp>

#include "sqlite/connection.hpp"

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <functional>

namespace tidings::deadletter {

/// What to do to each letter of a bulk change.
struct LetterChange {
  enum class Outcome : std::uint8_t {
    Changed,
    Running,    ///< A handler is at work on it.
    Unfitting,  ///< It is gone, or in another state by now.
  };
  /// Inside a transaction.
  std::function<Outcome(std::int64_t id)> apply;
  /// Before each transaction ends, with how many letters it changed. False rolls it back and ends the change.
  std::function<bool(std::int64_t changed)> finish_batch;
};

/// Applies a change to all letters that match when it begins: see Operations. Each transaction looks at every
/// letter anew, as it may have changed since it was found. Throws SQLite::Exception.
[[nodiscard]] Progress change_letters(Connection& connection, Filter filter,
                                      std::chrono::milliseconds busy_timeout, const LetterChange& change,
                                      const Watch& watch);

/// While it lives, what the connection computes ends with SQLITE_INTERRUPT when the watch says so.
class InterruptibleSearch {
 public:
  /// The watch outlives it.
  InterruptibleSearch(Connection& connection, const Watch& watch);
  InterruptibleSearch(const InterruptibleSearch&) = delete;
  InterruptibleSearch& operator=(const InterruptibleSearch&) = delete;
  ~InterruptibleSearch();

 private:
  sqlite3* handle_;
};

/// One statement that changes the row :id unless it is running, and says what came of it.
class GuardedStatement {
 public:
  /// `sql` holds :id and `kIsRunning`.
  GuardedStatement(Connection& connection, const std::string& sql);

  [[nodiscard]] SQLite::Statement& statement() noexcept { return statement_; }
  /// Throws SQLite::Exception.
  [[nodiscard]] LetterChange::Outcome apply(std::int64_t id);

 private:
  SQLite::Database& database_;
  SQLite::Statement statement_;
  SQLite::Statement is_running_;
};

}  // namespace tidings::deadletter
