#pragma once

#include "sqlite/connection.hpp"

#include <atomic>
#include <cstdint>

namespace tidings::deadletter {

/// SQL of the number of the journal's owner: NULL, or no row, before the first.
inline constexpr const char* kOwnerNumber =
    "SELECT CAST(value AS INTEGER) FROM main.tidings_meta WHERE key = 'journal_owner'";

/// A store's number as the owner of the journal. Each new owner of the journal draws another number for the
/// database. An owner whose number is no longer there has lost the journal, though it may still hold the lock
/// of an owner file: the file was removed, or another system has the lock. Thread-safe.
class OwnerNumber {
 public:
  /// Inside the write transaction in which the journal is taken. Throws SQLite::Exception.
  void take(Connection& connection);
  void give_up() noexcept;
  /// Inside a transaction about the journal, with the result of kOwnerNumber. Throws Error(JournalOwned) if
  /// this is not the owner any more.
  void require(std::int64_t found);
  /// Throws Error(JournalOwned) once `require` has thrown it.
  void require_not_lost() const;
  [[nodiscard]] bool lost() const noexcept { return lost_; }

 private:
  std::atomic<std::int64_t> number_{0};  // 0: not the owner
  std::atomic<bool> lost_{false};
};

}  // namespace tidings::deadletter
