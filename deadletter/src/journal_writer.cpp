#include "journal_writer.hpp"

#include "letter_row.hpp"
#include "sqlite_error.hpp"
#include "stored_time.hpp"

#include <SQLiteCpp/Exception.h>

#include <array>
#include <chrono>

namespace tidings::deadletter {
namespace {

constexpr const char* kInsert =
    "INSERT INTO tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding,"
    " attributes, source, service, correlation_id, causation_id, causation_depth, traceparent, tracestate,"
    " published_at, handlers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kClaimKey =
    "INSERT INTO tidings_idempotency_keys (source, idempotency_key, event_id, published_at)"
    " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kFindKey =
    "SELECT event_id FROM tidings_idempotency_keys WHERE source = ? AND idempotency_key = ?";
constexpr const char* kChange =
    "INSERT OR REPLACE INTO tidings_journal_deliveries (journal_id, handler, done, attempts_made, attempts,"
    " failed_at, next_attempt_at, crashes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kFinishEvents = "DELETE FROM tidings_journal WHERE id BETWEEN ? AND ?";
constexpr const char* kFinishDeliveries =
    "DELETE FROM tidings_journal_deliveries WHERE journal_id BETWEEN ? AND ?";
constexpr const char* kForgetKeys =
    "DELETE FROM tidings_idempotency_keys WHERE (source, idempotency_key) IN"
    " (SELECT source, idempotency_key FROM tidings_idempotency_keys INDEXED BY "
    "tidings_idempotency_keys_by_time"
    " WHERE published_at < ? LIMIT ?)";
constexpr const char* kReportUnserved =
    "INSERT INTO tidings_unserved_handlers (service, event_type, handler, owed, since) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET owed = excluded.owed";
constexpr const char* kDropServed = "DELETE FROM tidings_unserved_handlers WHERE owed = 0";

constexpr const char* kHasDeliveries = "SELECT EXISTS (SELECT 1 FROM tidings_journal_deliveries)";

/// A few milliseconds of the write lock.
constexpr int kKeysForgottenAtOnce = 500;

void bind_time(Prepared& statement, const std::optional<Timestamp>& time) {
  time ? statement.integer(microseconds(*time)) : statement.null();
}

void bind_data(Prepared& statement, const EncodedData& data) {
  switch (data.encoding) {
    case DataEncoding::Json:
      return statement.text(data.bytes);
    case DataEncoding::Cbor:
      return statement.blob(data.bytes);
    case DataEncoding::None:
      return statement.null();
  }
}

Error too_large(std::string_view event_type, const SQLite::Exception& cause) {
  return {ErrorCode::NotEncodable,
          "an event of type " + printable(event_type) +
              " is larger than the journal takes; publish it without durability, or keep its bulk elsewhere",
          cause.getExtendedErrorCode()};
}

}  // namespace

JournalWriter::JournalWriter(SQLite::Database& database)
    : database_(database),
      insert_(database, kInsert),
      claim_key_(database, kClaimKey),
      find_key_(database, kFindKey),
      change_(database, kChange),
      finish_events_(database, kFinishEvents),
      finish_deliveries_(database, kFinishDeliveries),
      has_deliveries_(database.execAndGet(kHasDeliveries).getInt() != 0) {}

std::optional<EventId> JournalWriter::append(const JournalAppend& event, std::string_view service) {
  std::array<char, 36> id{};
  event.metadata->event_id.write_to(id.data());
  const std::string_view event_id(id.data(), id.size());
  try {
    if (!event.idempotency_key.empty()) {
      if (const auto first = claim_key(event, event_id)) return first;
    }
    insert(event, event_id, service);
  } catch (const SQLite::Exception& error) {
    if (error.getErrorCode() == SQLITE_TOOBIG) throw too_large(event.event_type, error);
    throw;
  }
  return std::nullopt;
}

std::optional<EventId> JournalWriter::claim_key(const JournalAppend& event, std::string_view event_id) {
  const PreparedUse claiming(claim_key_);
  claim_key_.text(event.metadata->source);
  claim_key_.text(event.idempotency_key);
  claim_key_.text(event_id);
  claim_key_.integer(microseconds(event.metadata->published_at));
  claim_key_.step();
  if (database_.getChanges() > 0) return std::nullopt;
  const PreparedUse finding(find_key_);
  find_key_.text(event.metadata->source);
  find_key_.text(event.idempotency_key);
  if (!find_key_.step()) return EventId();
  return EventId::parse(find_key_.column_text(0)).value_or(EventId());
}

/// In the order of kInsert's columns.
void JournalWriter::insert(const JournalAppend& event, std::string_view event_id, std::string_view service) {
  const PreparedUse use(insert_);
  const Metadata& metadata = *event.metadata;
  insert_.integer(event.id);
  insert_.text(event_id);
  insert_.text(event.event_type);
  insert_.integer(event.schema_version);
  bind_data(insert_, *event.data);
  insert_.text(to_string(event.data->encoding));
  if (!metadata.attributes.empty()) attributes_ = attributes_to_json(metadata.attributes);
  insert_.text(metadata.attributes.empty() ? std::string_view("{}") : attributes_);
  insert_.text(metadata.source);
  insert_.text(service);
  bind_context(metadata, event_id);
  insert_.integer(microseconds(metadata.published_at));
  insert_.text(event.handlers);
  insert_.step();
}

/// correlation_id to tracestate. An event that began its chain has its own id as correlation id.
void JournalWriter::bind_context(const Metadata& metadata, std::string_view event_id) {
  if (metadata.correlation_id == CorrelationId(metadata.event_id)) {
    insert_.text(event_id);
  } else {
    correlation_id_ = metadata.correlation_id.to_string();
    insert_.text(correlation_id_);
  }
  bind_chain(metadata);
}

void JournalWriter::bind_chain(const Metadata& metadata) {
  if (metadata.causation_id) {
    causation_id_ = metadata.causation_id->to_string();
    insert_.text(causation_id_);
  } else {
    insert_.null();
  }
  insert_.integer(metadata.causation_depth);
  if (metadata.traceparent) {
    traceparent_ = metadata.traceparent->to_string();
    insert_.text(traceparent_);
  } else {
    insert_.null();
  }
  metadata.tracestate.empty() ? insert_.null() : insert_.text(metadata.tracestate);
}

void JournalWriter::change(const JournalDelivery& delivery) {
  const std::string attempts = attempts_to_json(delivery.attempts);
  const PreparedUse use(change_);
  change_.integer(delivery.journal_id);
  change_.text(delivery.handler);
  change_.integer(delivery.done ? 1 : 0);
  change_.integer(delivery.attempts_made);
  change_.text(attempts);
  bind_time(change_, delivery.failed_at);
  bind_time(change_, delivery.next_attempt_at);
  change_.integer(delivery.crashes);
  change_.step();
  has_deliveries_ = true;
}

/// Neighbours go together: events are often finished in the order in which they were published.
void JournalWriter::finish(std::span<const std::int64_t> journal_ids) {
  int deliveries = 0;
  for (std::size_t first = 0; first < journal_ids.size();) {
    std::size_t last = first;
    while (last + 1 < journal_ids.size() && journal_ids[last + 1] == journal_ids[last] + 1) ++last;
    remove(finish_events_, journal_ids[first], journal_ids[last]);
    if (has_deliveries_) deliveries += remove(finish_deliveries_, journal_ids[first], journal_ids[last]);
    first = last + 1;
  }
  if (deliveries > 0) has_deliveries_ = database_.execAndGet(kHasDeliveries).getInt() != 0;
}

int JournalWriter::remove(Prepared& statement, std::int64_t first, std::int64_t last) {
  const PreparedUse use(statement);
  statement.integer(first);
  statement.integer(last);
  statement.step();
  return database_.getChanges();
}

bool JournalWriter::forget_keys(Timestamp published_before) {
  Prepared forget(database_, kForgetKeys);
  forget.integer(microseconds(published_before));
  forget.integer(kKeysForgottenAtOnce);
  forget.step();
  return database_.getChanges() == kKeysForgottenAtOnce;
}

void JournalWriter::report_unserved(std::span<const OwedTotal> handlers) {
  const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  database_.exec("UPDATE tidings_unserved_handlers SET owed = 0");
  Prepared report(database_, kReportUnserved);
  for (const OwedTotal& handler : handlers) {
    const PreparedUse use(report);
    report.text(handler.service);
    report.text(handler.event_type);
    report.text(handler.handler);
    report.integer(static_cast<std::int64_t>(handler.deliveries));
    report.integer(microseconds(now));
    report.step();
  }
  database_.exec(kDropServed);
}

}  // namespace tidings::deadletter
