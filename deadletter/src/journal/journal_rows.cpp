#include "journal/journal_rows.hpp"

#include "file/sqlite_error.hpp"
#include "letters/letter_insert.hpp"
#include "letters/letter_row.hpp"
#include "sqlite/stored_time.hpp"

#include <SQLiteCpp/Exception.h>

namespace tidings::deadletter {
namespace {

// A batch may be older than the transaction that ended the delivery, or its event, meanwhile: what is done
// stays done.
constexpr const char* kChange =
    "INSERT INTO tidings_journal_deliveries (journal_id, handler, done, attempts_made, attempts,"
    " failed_at, next_attempt_at, crashes) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
    " WHERE EXISTS (SELECT 1 FROM tidings_journal WHERE id = ?1) ON CONFLICT DO UPDATE SET"
    " done = max(done, excluded.done), attempts_made = excluded.attempts_made, attempts = excluded.attempts,"
    " failed_at = excluded.failed_at, next_attempt_at = excluded.next_attempt_at, crashes = "
    "excluded.crashes";
// Handlers that cannot be read keep their event.
constexpr const char* kFinishIfDone =
    "DELETE FROM tidings_journal WHERE id = ?1"
    " AND CASE WHEN json_valid(handlers) THEN json_array_length(handlers) ELSE 1e9 END"
    " <= (SELECT count(*) FROM tidings_journal_deliveries WHERE journal_id = ?1 AND done = 1)";
constexpr const char* kFinishEvents = "DELETE FROM tidings_journal WHERE id BETWEEN ? AND ?";
constexpr const char* kFinishDeliveries =
    "DELETE FROM tidings_journal_deliveries WHERE journal_id BETWEEN ? AND ?";
constexpr const char* kForgetKeys =
    "DELETE FROM tidings_idempotency_keys WHERE (source, idempotency_key) IN"
    " (SELECT source, idempotency_key FROM tidings_idempotency_keys INDEXED BY "
    "tidings_idempotency_keys_by_time"
    " WHERE published_at < ? OR published_at > ? LIMIT ?)";
constexpr const char* kReportUnserved =
    "INSERT INTO tidings_unserved_handlers (service, event_type, handler, owed, since) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET owed = excluded.owed";
constexpr const char* kDropServed = "DELETE FROM tidings_unserved_handlers WHERE owed = 0";

constexpr const char* kHasDeliveries = "SELECT EXISTS (SELECT 1 FROM tidings_journal_deliveries)";

/// A few milliseconds of the write lock.
constexpr int kKeysForgottenAtOnce = 500;

}  // namespace

JournalRows::JournalRows(SQLite::Database& database, std::atomic<bool>& may_have_deliveries)
    : JournalAppender(database.getHandle()),
      database_(database),
      may_have_deliveries_(may_have_deliveries),
      change_(database, kChange),
      finish_if_done_(database, kFinishIfDone),
      finish_events_(database, kFinishEvents),
      finish_deliveries_(database, kFinishDeliveries) {
  prepare_idempotency_keys();
}

void JournalRows::change(const JournalDelivery& delivery) {
  may_have_deliveries_ = true;
  const std::string attempts = attempts_to_json(delivery.attempts);
  const StatementUse use(change_);
  change_.integer(delivery.journal_id);
  change_.text(delivery.handler);
  change_.integer(delivery.done ? 1 : 0);
  change_.integer(delivery.attempts_made);
  change_.text(attempts);
  bind_time(change_, delivery.failed_at);
  bind_time(change_, delivery.next_attempt_at);
  change_.integer(delivery.crashes);
  change_.step();
  if (delivery.done) finish_if_done(delivery.journal_id);
}

/// Two transactions may each say that one handler is done and leave the end of the event to the other: the
/// second of them ends it here.
void JournalRows::finish_if_done(std::int64_t journal_id) {
  {
    const StatementUse use(finish_if_done_);
    finish_if_done_.integer(journal_id);
    finish_if_done_.step();
  }
  if (database_.getChanges() > 0) remove(finish_deliveries_, journal_id, journal_id);
}

/// Neighbours go together: events are often finished in the order in which they were published.
void JournalRows::finish(std::span<const std::int64_t> journal_ids) {
  const bool look = may_have_deliveries_;
  for (std::size_t first = 0; first < journal_ids.size();) {
    std::size_t last = first;
    while (last + 1 < journal_ids.size() && journal_ids[last + 1] == journal_ids[last] + 1) ++last;
    remove(finish_events_, journal_ids[first], journal_ids[last]);
    if (look) remove(finish_deliveries_, journal_ids[first], journal_ids[last]);
    first = last + 1;
  }
  if (look && !journal_ids.empty()) {
    may_have_deliveries_ = database_.execAndGet(kHasDeliveries).getInt() != 0;
  }
}

void JournalRows::remove(Prepared& statement, std::int64_t first, std::int64_t last) {
  const StatementUse use(statement);
  statement.integer(first);
  statement.integer(last);
  statement.step();
}

bool JournalRows::forget_keys(const KeyPeriod& remembered) {
  Prepared forget(database_, kForgetKeys);
  forget.integer(microseconds(remembered.from));
  forget.integer(microseconds(remembered.to));
  forget.integer(kKeysForgottenAtOnce);
  forget.step();
  return database_.getChanges() == kKeysForgottenAtOnce;
}

void JournalRows::report_unserved(std::span<const OwedTotal> handlers) {
  const std::int64_t now = wall_now();
  database_.exec("UPDATE tidings_unserved_handlers SET owed = 0");
  Prepared report(database_, kReportUnserved);
  for (const OwedTotal& handler : handlers) {
    const StatementUse use(report);
    report.text(handler.service);
    report.text(handler.event_type);
    report.text(handler.handler);
    report.integer(static_cast<std::int64_t>(handler.deliveries));
    report.integer(now);
    report.step();
  }
  database_.exec(kDropServed);
}

}  // namespace tidings::deadletter
