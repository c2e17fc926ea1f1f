#pragma once

#include "file/claim_life.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/write_turn.hpp"

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace tidings::deadletter {

/// Whether a commit is synced: what is not survives the death of the process, and may be forgotten in a power
/// cut.
enum class Sync : std::uint8_t { Never, Always };

/// The connection that redrives work through, beside the one that letters are stored through: what others
/// commit, this process's store included, shows in its data_version. Not thread-safe. Throws
/// SQLite::Exception.
class RedriveConnection {
 public:
  RedriveConnection(const std::filesystem::path& path, const std::string& vfs,
                    std::chrono::milliseconds busy_timeout, std::shared_ptr<WriteTurn> turn,
                    ClaimJudge judge);

  [[nodiscard]] SQLite::Database& database() noexcept { return connection_.database(); }
  [[nodiscard]] Connection& connection() noexcept { return connection_; }
  /// Waits for locks anew from now, until the time that it returns.
  WriteTurn::Deadline wait_from_now();
  /// Whether anything has been changed since it was last asked, by others or through this connection; true at
  /// first.
  [[nodiscard]] bool changed();

  /// Runs `work` in one transaction, which holds the write lock from its beginning.
  template <class Work>
  void transact(Sync sync, Work work) {
    const WriteTurn::Hold turn(*turn_, wait_from_now());
    begin(sync);
    try {
      work();
      end();
    } catch (...) {
      connection_.rollback();
      throw;
    }
  }

  /// The same, for changes that changed() is not to tell of.
  template <class Work>
  void transact_unseen(Sync sync, Work work) {
    const std::int64_t before = own_changes();
    transact(sync, work);
    seen_own_ += own_changes() - before;
  }

  // For a transaction that somebody else ends, who has the turn.
  void begin(Sync sync);
  void end();
  void rollback() noexcept { connection_.rollback(); }
  void wait_until(WriteTurn::Deadline deadline) noexcept { connection_.wait_until(deadline); }
  /// Whether there are statements besides those of this object.
  [[nodiscard]] bool has_foreign_statements() noexcept;
  [[nodiscard]] bool in_transaction() const noexcept { return connection_.in_transaction(); }

 private:
  /// How many rows this connection has changed so far. Its data_version tells of those of others only.
  [[nodiscard]] std::int64_t own_changes() noexcept;

  const std::chrono::milliseconds busy_timeout_;
  const std::shared_ptr<WriteTurn> turn_;
  Connection connection_;
  SQLite::Statement begin_;
  SQLite::Statement commit_;
  SQLite::Statement data_version_;
  Sync sync_ = Sync::Always;  // as a Connection begins
  std::int64_t seen_ = -1;
  std::int64_t seen_own_ = 0;
};

namespace detail {

inline void bind_value(SQLite::Statement& statement, int index, std::int64_t value) {
  statement.bind(index, value);
}
inline void bind_value(SQLite::Statement& statement, int index, const std::string& value) {
  statement.bind(index, value);
}

}  // namespace detail

/// Binds values, integers or strings, from left to right.
template <class... Values>
void bind_all(SQLite::Statement& statement, const Values&... values) {
  int index = 0;
  (detail::bind_value(statement, ++index, values), ...);
}

/// Runs a kept statement that returns no rows, and says how many it changed.
template <class... Values>
int run(SQLite::Statement& statement, const Values&... values) {
  const StatementUse use(statement);
  bind_all(statement, values...);
  return statement.exec();
}

}  // namespace tidings::deadletter
