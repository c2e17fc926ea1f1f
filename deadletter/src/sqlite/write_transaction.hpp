#pragma once

#include "sqlite/connection.hpp"

#include <chrono>

namespace tidings::deadletter {

/// How long a change of many rows leaves the lock to others between two transactions: longer than services
/// wait between two tries for it, so that a waiting service gets it.
constexpr std::chrono::milliseconds kPauseBetweenWrites(12);

/// Holds the write lock from construction to `commit`, or rolls back. Throws SQLite::Exception.
class WriteTransaction {
 public:
  explicit WriteTransaction(Connection& connection) : connection_(connection) {
    connection_.execute("BEGIN IMMEDIATE");
  }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;
  ~WriteTransaction() { connection_.rollback(); }

  void commit() { connection_.execute("COMMIT"); }

 private:
  Connection& connection_;
};

}  // namespace tidings::deadletter
