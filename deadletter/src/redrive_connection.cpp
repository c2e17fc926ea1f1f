#include "redrive_connection.hpp"

namespace tidings::deadletter {

RedriveConnection::RedriveConnection(const std::filesystem::path& path, const std::string& vfs,
                                     std::chrono::milliseconds busy_timeout)
    : busy_timeout_(busy_timeout),
      connection_(path, Access::ReadWrite, vfs, std::chrono::steady_clock::now() + busy_timeout),
      begin_(connection_.database(), "BEGIN IMMEDIATE"),
      commit_(connection_.database(), "COMMIT"),
      data_version_(connection_.database(), "PRAGMA data_version") {}

void RedriveConnection::wait_from_now() {
  connection_.wait_until(std::chrono::steady_clock::now() + busy_timeout_);
}

bool RedriveConnection::changed() {
  const StatementUse use(data_version_);
  const std::int64_t now = data_version_.executeStep() ? data_version_.getColumn(0).getInt64() : 0;
  return std::exchange(seen_, now) != now;
}

void RedriveConnection::begin(Sync sync) {
  if (sync != sync_) {
    connection_.execute(sync == Sync::Always ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    sync_ = sync;
  }
  wait_from_now();
  const StatementUse use(begin_);
  begin_.executeStep();
}

void RedriveConnection::end() {
  const StatementUse use(commit_);
  commit_.executeStep();
}

}  // namespace tidings::deadletter
