#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tidings {

/// Why a call was refused or failed. `to_string` gives the stable snake_case name used in logs and JSON.
enum class ErrorCode : std::uint8_t {
  InvalidArgument,   ///< An argument breaks its documented bounds. Nothing was done.
  DuplicateHandler,  ///< The bus has a handler of that name for that event type.
  NotEncodable,      ///< The event cannot be turned into JSON.
  NotDecodable,      ///< JSON (or an envelope) cannot be turned into the event asked for.
  QueueFull,         ///< A queue had no room and publish may not wait for it. Nothing was delivered.
  BusStopped,        ///< The bus was stopped. Nothing was delivered.
  ForkedChild,       ///< The bus belongs to the parent process of this one.
  CalledInHandler,   ///< The call would wait for the handler it was made from.
  DatabaseBusy,      ///< Another process held the database for longer than the busy timeout; try again.
  DatabaseUnusable,  ///< Missing, unreadable, corrupt, full or read-only; the message says which and what to
                     ///< do.
  ForeignDatabase,   ///< The file is not a tidings database. Nothing was written to it.
  NewerSchema,       ///< The database was written by a newer tidings. Nothing was written to it.
  NoJournal,         ///< A durable publish on a bus that owns no journal. Nothing was delivered.
  JournalOwned,      ///< Another bus owns the journal; the message names its process.
  InDoubt,  ///< An I/O error during a commit, whose outcome is unknown. In a durable publish the event may
            ///< be delivered after a restart, and publishing it again with the same idempotency key is safe.
            ///< A handler's transaction is found complete or not at all after a restart.
  NoThreads,  ///< The system cannot create the bus's threads; the message says what limits them.
};

/// The stable name of a code, e.g. `queue_full`. Never throws; the text is static.
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// The only exception type that tidings throws. `what()` says what was wrong and what to do about it, never
/// contains a payload, and is safe to print (no control characters).
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, int sqlite_code = 0)
      : std::runtime_error(message), code_(code), sqlite_code_(sqlite_code) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// SQLite's extended result code when storage was involved, else 0.
  [[nodiscard]] int sqlite_code() const noexcept { return sqlite_code_; }

 private:
  ErrorCode code_;
  int sqlite_code_;
};

}  // namespace tidings
