#pragma once

#include "sqlite/prepared.hpp"

#include <cstddef>
#include <cstdint>

namespace tidings::deadletter {

/// Gives letters that are inserted their `version`: the next numbers of the connection's main database, which
/// is asked once for each transaction. Call it inside a write transaction. Must be destroyed before the
/// connection. Members throw SQLite::Exception.
class LetterVersions {
 public:
  explicit LetterVersions(sqlite3* connection);

  /// The number for the letter that is inserted next.
  [[nodiscard]] std::int64_t next();
  /// That letter was inserted.
  void given() noexcept;

 private:
  [[nodiscard]] unsigned data_version() const noexcept;

  sqlite3* connection_;
  Prepared ask_;
  std::int64_t next_ = 0;
  // The database when next_ was right: commits, and all changes through this connection.
  unsigned data_version_ = 0;
  std::int64_t changes_ = -1;
};

/// Numbers letters that programs have inserted which give no numbers: an older tidings that still runs, a
/// sqlite3 shell. At most `limit`, inside a write transaction; returns how many. Throws SQLite::Exception.
std::size_t number_letters(SQLite::Database& database, std::size_t limit);
/// Whether there are such letters.
inline constexpr const char* kHasUnnumbered =
    "SELECT EXISTS (SELECT 1 FROM dead_letters INDEXED BY dead_letters_by_version WHERE version = 0)";

}  // namespace tidings::deadletter
