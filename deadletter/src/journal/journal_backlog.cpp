#include "journal/journal_backlog.hpp"

#include "schema/schema.hpp"
#include "sqlite/statement.hpp"
#include "sqlite/stored_time.hpp"

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <string>

namespace tidings::deadletter {
namespace {

/// Counting stops here: it reads whole pages of payloads.
constexpr std::int64_t kCounted = 10'000;
constexpr const char* kBacklog =
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM tidings_journal LIMIT 10001)),"
    " (SELECT max(id) - min(id) + 1 FROM tidings_journal),"
    " (SELECT published_at FROM tidings_journal ORDER BY id LIMIT 1)";
constexpr const char* kUnserved =
    "SELECT service, event_type, handler, owed, since FROM tidings_unserved_handlers"
    " ORDER BY owed DESC, service, event_type, handler LIMIT ?";

}  // namespace

JournalBacklog read_backlog(SQLite::Database& database) {
  SQLite::Statement row(database, kBacklog);
  JournalBacklog backlog;
  if (!row.executeStep()) return backlog;
  backlog.events = row.getColumn(0).getInt64();
  backlog.exact = backlog.events <= kCounted;
  // Ids are given in order and rows are deleted when they are finished, so there cannot be more than these.
  if (!backlog.exact) backlog.events = row.getColumn(1).getInt64();
  if (backlog.events > 0) backlog.oldest_published_at = time_of(row.getColumn(2).getInt64());
  return backlog;
}

std::vector<OwedToHandler> read_owed(SQLite::Database& database, std::string_view id, std::size_t limit) {
  const std::string by_foreign_id = is_of_third_version(database) ? " OR event.foreign_id = ?1" : "";
  SQLite::Statement row(
      database,
      "SELECT event.event_id, event.event_type, event.correlation_id, event.causation_id, event.published_at,"
      " event.service, owed.value FROM tidings_journal AS event, "
      " json_each(iif(json_valid(event.handlers), event.handlers, '[]')) AS owed"
      " WHERE (event.event_id = ?1 OR event.correlation_id = ?1" +
          by_foreign_id +
          ") AND NOT EXISTS (SELECT 1 FROM tidings_journal_deliveries AS delivery WHERE"
          " delivery.journal_id = event.id AND delivery.handler = owed.value AND delivery.done)"
          " ORDER BY event.id, owed.key LIMIT ?2");
  bind_all(row, std::string(id), static_cast<std::int64_t>(limit));
  std::vector<OwedToHandler> owed;
  while (row.executeStep()) {
    const auto event_id = EventId::parse(row.getColumn(0).getString());
    if (!event_id) continue;
    owed.push_back({*event_id, row.getColumn(1).getString(), row.getColumn(2).getString(),
                    EventId::parse(row.getColumn(3).getString()), time_of(row.getColumn(4).getInt64()),
                    row.getColumn(5).getString(), row.getColumn(6).getString()});
  }
  return owed;
}

std::vector<UnservedHandler> read_unserved(SQLite::Database& database, std::size_t limit) {
  SQLite::Statement row(database, kUnserved);
  row.bind(1, static_cast<std::int64_t>(limit));
  std::vector<UnservedHandler> handlers;
  while (row.executeStep()) {
    handlers.push_back({row.getColumn(0).getString(), row.getColumn(1).getString(),
                        row.getColumn(2).getString(), row.getColumn(3).getInt64(),
                        time_of(row.getColumn(4).getInt64())});
  }
  return handlers;
}

}  // namespace tidings::deadletter
