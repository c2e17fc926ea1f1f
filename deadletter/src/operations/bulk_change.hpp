#pragma once

#include <tidings/deadletter/operations.hpp>

#include "sqlite/connection.hpp"

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <functional>

namespace tidings::deadletter {

/// The action of a bulk change on each letter.
struct LetterChange {
  enum class Outcome : std::uint8_t {
    Changed,
    Running,    ///< A handler is at work on it.
    Unfitting,  ///< It is gone, or in another state by now.
  };
  /// Inside a transaction.
  std::function<Outcome(std::int64_t id)> apply;
  /// Called before each transaction ends, with the number of letters that it changed. Returning false rolls
  /// it back and ends the change.
  std::function<bool(std::int64_t changed)> finish_batch;
};

/// Applies a change to all letters that match when it begins: see Operations. Each transaction reads every
/// letter again, as it may have changed since it was found. Throws SQLite::Exception.
[[nodiscard]] Progress change_letters(Connection& connection, Filter filter,
                                      std::chrono::milliseconds busy_timeout, const LetterChange& change,
                                      const Watch& watch);

/// While it lives, calls of the connection end with SQLITE_INTERRUPT when the watch requests a stop.
class InterruptibleSearch {
 public:
  /// The watch must outlive it.
  InterruptibleSearch(Connection& connection, const Watch& watch);
  InterruptibleSearch(const InterruptibleSearch&) = delete;
  InterruptibleSearch& operator=(const InterruptibleSearch&) = delete;
  ~InterruptibleSearch();

 private:
  sqlite3* handle_;
};

/// Whether the handler of a letter is running. Keeps its statement prepared. Throws SQLite::Exception.
class RunningQuestion {
 public:
  explicit RunningQuestion(Connection& connection);
  [[nodiscard]] bool ask(std::int64_t id);

 private:
  SQLite::Statement statement_;
};

/// One statement that changes the row :id unless its handler is running, and reports the result.
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
  RunningQuestion is_running_;
};

}  // namespace tidings::deadletter
