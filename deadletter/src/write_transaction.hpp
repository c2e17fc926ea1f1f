#pragma once

#include "connection.hpp"

namespace tidings::deadletter {

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
