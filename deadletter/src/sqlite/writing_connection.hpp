#pragma once

#include "sqlite/connection.hpp"
#include "sqlite/write_turn.hpp"

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tidings::deadletter {

/// Whether a commit is synced: one that is not survives the death of the process, but may be lost in a power
/// cut.
enum class Sync : std::uint8_t { Never, Always };

/// A connection through which a store writes, in turn with the others of its process. Not thread-safe. Throws
/// SQLite::Exception.
class WritingConnection : public Connection {
 public:
  struct Options {
    std::string vfs;
    std::chrono::milliseconds busy_timeout{};
    /// The largest row, in bytes; 0: as SQLite was built.
    int row_limit = 0;
    std::shared_ptr<WriteTurn> turn;
  };

  WritingConnection(const std::filesystem::path& path, const Options& options);

  /// Restarts the time limit for locks now, and returns its end.
  Deadline wait_from_now();
  [[nodiscard]] WriteTurn& turn() noexcept { return *turn_; }

  /// Runs `work` in one transaction, which holds the write lock from its beginning.
  template <class Work>
  void transact(Sync sync, Work work) {
    const WriteTurn::Hold hold(*turn_, wait_from_now());
    begin(sync);
    try {
      work();
      end();
    } catch (...) {
      rollback();
      throw;
    }
  }

  /// Whether no connection has it, determined without waiting.
  [[nodiscard]] bool write_lock_is_free() noexcept;

  // For a transaction that another object ends, which has the turn.
  void begin(Sync sync);
  void end();

 private:
  void take_lock();

  const std::chrono::milliseconds busy_timeout_;
  const std::shared_ptr<WriteTurn> turn_;
  SQLite::Statement begin_;
  SQLite::Statement commit_;
  Sync sync_ = Sync::Always;  // as a Connection begins
};

}  // namespace tidings::deadletter
