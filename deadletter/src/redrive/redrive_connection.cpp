#include "redrive/redrive_connection.hpp"

#include <sqlite3.h>

#include <utility>

namespace tidings::deadletter {

RedriveConnection::RedriveConnection(const std::filesystem::path& path, const Options& options,
                                     ClaimJudge judge)
    : WritingConnection(path, options), data_version_(database(), "PRAGMA data_version") {
  ClaimJudge::define_on(database(), std::move(judge));
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

bool RedriveConnection::has_foreign_statements() noexcept {
  constexpr int kOwn = 3;  // with those of WritingConnection
  int count = 0;
  sqlite3* const handle = database().getHandle();
  for (auto* each = sqlite3_next_stmt(handle, nullptr); each != nullptr;
       each = sqlite3_next_stmt(handle, each)) {
    ++count;
  }
  return count > kOwn;
}

}  // namespace tidings::deadletter
