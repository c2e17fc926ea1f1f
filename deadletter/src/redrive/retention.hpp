#pragma once

#include "redrive/redrive_connection.hpp"

#include <tidings/clock.hpp>

#include <cstddef>

namespace tidings::deadletter {

/// Deletes resolved letters and rows of the audit that are old enough. Never the letter with the largest
/// number, which would be used again. Must be destroyed before the connection. Throws SQLite::Exception.
class Retention {
 public:
  /// Letters that one transaction deletes: about 10 ms of the write lock.
  static constexpr int kBatch = 500;

  explicit Retention(RedriveConnection& connection);

  /// Deletes at most kBatch letters that were resolved before `time`, and the requests that ended before it.
  /// Returns how many letters.
  std::size_t delete_before(Timestamp time);
  /// Deletes at most kBatch rows of the audit, the oldest first. True if there may be more.
  bool delete_audit_before(Timestamp time);

 private:
  RedriveConnection& connection_;
  SQLite::Statement any_;
  SQLite::Statement delete_;
  SQLite::Statement delete_requests_;
  SQLite::Statement oldest_audited_;
  SQLite::Statement delete_audit_;
};

}  // namespace tidings::deadletter
