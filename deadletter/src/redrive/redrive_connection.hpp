#pragma once

#include "file/claim_life.hpp"
#include "sqlite/writing_connection.hpp"

#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// The connection that redrives work through, beside the one that letters are stored through: what others
/// commit, this process's store included, shows in its data_version. Not thread-safe. Throws
/// SQLite::Exception.
class RedriveConnection : public WritingConnection {
 public:
  RedriveConnection(const std::filesystem::path& path, const Options& options, ClaimJudge judge);

  /// Whether anything has been changed since it was last asked, by others or through this connection; true at
  /// first.
  [[nodiscard]] bool changed();

  /// As `transact`, for changes that changed() is not to report.
  template <class Work>
  void transact_unseen(Sync sync, Work work) {
    const std::int64_t before = own_changes();
    transact(sync, work);
    seen_own_ += own_changes() - before;
  }

  /// Whether there are statements besides those of this object.
  [[nodiscard]] bool has_foreign_statements() noexcept;

 private:
  /// How many rows this connection has changed so far. Its data_version counts those of others only.
  [[nodiscard]] std::int64_t own_changes() noexcept;

  SQLite::Statement data_version_;
  std::int64_t seen_ = -1;
  std::int64_t seen_own_ = 0;
};

}  // namespace tidings::deadletter
