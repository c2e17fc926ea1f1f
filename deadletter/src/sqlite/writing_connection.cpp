#include "sqlite/writing_connection.hpp"

#include <sqlite3.h>

#include <exception>

namespace tidings::deadletter {

WritingConnection::WritingConnection(const std::filesystem::path& path, const Options& options)
    : Connection(path, Access::ReadWrite, options.vfs,
                 std::chrono::steady_clock::now() + options.busy_timeout),
      busy_timeout_(options.busy_timeout),
      turn_(options.turn),
      begin_(database(), "BEGIN IMMEDIATE"),
      commit_(database(), "COMMIT") {
  if (options.row_limit > 0) {
    sqlite3_limit(database().getHandle(), SQLITE_LIMIT_LENGTH, options.row_limit);
  }
}

Connection::Deadline WritingConnection::wait_from_now() {
  const auto deadline = std::chrono::steady_clock::now() + busy_timeout_;
  wait_until(deadline);
  return deadline;
}

/// The setting takes effect between transactions; it is parsed, and so costs more than leaving it.
void WritingConnection::begin(Sync sync) {
  if (sync_ != sync) {
    execute(sync == Sync::Always ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    sync_ = sync;
  }
  take_lock();
}

void WritingConnection::take_lock() {
  const StatementUse use(begin_);
  begin_.executeStep();
}

bool WritingConnection::write_lock_is_free() noexcept {
  try {
    const auto now = std::chrono::steady_clock::now();
    wait_until(now);
    const WriteTurn::Hold hold(*turn_, now);
    take_lock();
    rollback();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void WritingConnection::end() {
  const StatementUse use(commit_);
  commit_.executeStep();
}

}  // namespace tidings::deadletter
