#include "redrive/retention.hpp"

#include "sqlite/stored_time.hpp"

namespace tidings::deadletter {
namespace {

constexpr const char* kAny =
    "SELECT 1 FROM dead_letters INDEXED BY dead_letters_resolved_by_time"
    " WHERE reprocessed_at IS NOT NULL AND reprocessed_at < ? AND id < (SELECT max(id) FROM dead_letters)"
    " UNION ALL SELECT 1 FROM tidings_redrives WHERE state <> 'open' AND finished_at < ?1"
    " AND id < (SELECT max(id) FROM tidings_redrives) LIMIT 1";
constexpr const char* kDelete =
    "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters INDEXED BY "
    "dead_letters_resolved_by_time"
    " WHERE reprocessed_at IS NOT NULL AND reprocessed_at < ? AND id < (SELECT max(id) FROM dead_letters)"
    " ORDER BY reprocessed_at LIMIT ?)";
constexpr const char* kDeleteRequests =
    "DELETE FROM tidings_redrives WHERE state <> 'open' AND finished_at < ?"
    " AND id < (SELECT max(id) FROM tidings_redrives)";
// Their numbers follow their times, but for a clock that was set back.
constexpr const char* kOldestAudited = "SELECT at FROM tidings_audit ORDER BY id LIMIT 1";
constexpr const char* kDeleteAudit =
    "DELETE FROM tidings_audit WHERE at < ? AND id IN (SELECT id FROM tidings_audit ORDER BY id LIMIT ?)";

}  // namespace

Retention::Retention(RedriveConnection& connection)
    : connection_(connection),
      any_(connection.database(), kAny),
      delete_(connection.database(), kDelete),
      delete_requests_(connection.database(), kDeleteRequests),
      oldest_audited_(connection.database(), kOldestAudited),
      delete_audit_(connection.database(), kDeleteAudit) {}

bool Retention::delete_audit_before(Timestamp time) {
  const std::int64_t before = microseconds(time);
  {
    const StatementUse use(oldest_audited_);
    if (!oldest_audited_.executeStep() || oldest_audited_.getColumn(0).getInt64() >= before) return false;
  }
  int deleted = 0;
  connection_.transact_unseen(Sync::Never,
                              [&] { deleted = run(delete_audit_, before, std::int64_t{kBatch}); });
  return deleted == kBatch;
}

std::size_t Retention::delete_before(Timestamp time) {
  const std::int64_t before = microseconds(time);
  {
    const StatementUse use(any_);
    any_.bind(1, before);
    if (!any_.executeStep()) return 0;
  }
  int deleted = 0;
  connection_.transact_unseen(Sync::Never, [&] {
    deleted = run(delete_, before, std::int64_t{kBatch});
    run(delete_requests_, before);
  });
  return static_cast<std::size_t>(deleted);
}

}  // namespace tidings::deadletter
