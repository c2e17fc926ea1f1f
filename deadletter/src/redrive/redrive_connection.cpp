#include "redrive/redrive_connection.hpp"

#include <sqlite3.h>

namespace tidings::deadletter {

RedriveConnection::RedriveConnection(const std::filesystem::path& path, const std::string& vfs,
                                     std::chrono::milliseconds busy_timeout, std::shared_ptr<WriteTurn> turn,
                                     ClaimJudge judge)
    : busy_timeout_(busy_timeout),
      turn_(std::move(turn)),
      connection_(path, Access::ReadWrite, vfs, std::chrono::steady_clock::now() + busy_timeout),
      begin_(connection_.database(), "BEGIN IMMEDIATE"),
      commit_(connection_.database(), "COMMIT"),
      data_version_(connection_.database(), "PRAGMA data_version") {
  ClaimJudge::define_on(connection_.database(), std::move(judge));
}

WriteTurn::Deadline RedriveConnection::wait_from_now() {
  const auto deadline = std::chrono::steady_clock::now() + busy_timeout_;
  connection_.wait_until(deadline);
  return deadline;
}

bool RedriveConnection::changed() {
  const StatementUse use(data_version_);
  const std::int64_t now = data_version_.executeStep() ? data_version_.getColumn(0).getInt64() : 0;
  const std::int64_t own = own_changes();
  const bool by_others = std::exchange(seen_, now) != now;
  return std::exchange(seen_own_, own) != own || by_others;
}

std::int64_t RedriveConnection::own_changes() noexcept {
  return sqlite3_total_changes64(database().getHandle());
}

void RedriveConnection::begin(Sync sync) {
  if (sync != sync_) {
    connection_.execute(sync == Sync::Always ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    sync_ = sync;
  }
  const StatementUse use(begin_);
  begin_.executeStep();
}

bool RedriveConnection::has_foreign_statements() noexcept {
  constexpr int kOwn = 3;
  int count = 0;
  sqlite3* const handle = database().getHandle();
  for (auto* each = sqlite3_next_stmt(handle, nullptr); each != nullptr;
       each = sqlite3_next_stmt(handle, each)) {
    ++count;
  }
  return count > kOwn;
}

void RedriveConnection::end() {
  const StatementUse use(commit_);
  commit_.executeStep();
}

}  // namespace tidings::deadletter
