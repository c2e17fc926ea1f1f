#include "journal/journal_appender.hpp"

#include "file/sqlite_error.hpp"
#include "journal/owner_number.hpp"
#include "letters/letter_insert.hpp"
#include "letters/letter_row.hpp"
#include "sqlite/stored_time.hpp"

#include <SQLiteCpp/Exception.h>
#include <tidings/detail/context_json.hpp>

#include <array>
#include <chrono>

namespace tidings::deadletter {
namespace {

constexpr const char* kInsertEvent =
    "INSERT INTO main.tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding,"
    " attributes, source, service, correlation_id, causation_id, causation_depth, traceparent, tracestate,"
    " published_at, handlers, foreign_id, max_attempts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kClaimKey =
    "INSERT INTO main.tidings_idempotency_keys (source, idempotency_key, event_id, published_at)"
    " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET event_id = excluded.event_id, published_at ="
    " excluded.published_at WHERE published_at NOT BETWEEN ? AND ?";
constexpr const char* kFindKey =
    "SELECT event_id FROM main.tidings_idempotency_keys WHERE source = ? AND idempotency_key = ?";
constexpr std::string_view kNobody = "[]";

Error too_large(std::string_view event_type, const SQLite::Exception& cause) {
  return {ErrorCode::NotEncodable,
          "an event of type " + printable(event_type) +
              " is larger than the journal takes; publish it without durability, or keep its bulk elsewhere",
          cause.getExtendedErrorCode()};
}

}  // namespace

JournalAppender::IdempotencyKeys::IdempotencyKeys(sqlite3* connection)
    : claim(connection, kClaimKey), find(connection, kFindKey) {}

JournalAppender::JournalAppender(sqlite3* connection)
    : connection_(connection), insert_(connection, kInsertEvent), owner_number_(connection, kOwnerNumber) {}

std::int64_t JournalAppender::owner_number() {
  const StatementUse use(owner_number_);
  return owner_number_.step() ? owner_number_.column_integer(0) : 0;
}

void JournalAppender::prepare_idempotency_keys() {
  if (!idempotency_keys_) idempotency_keys_.emplace(connection_);
}

std::optional<EventId> JournalAppender::append(const JournalAppend& event, std::string_view service) {
  std::array<char, 36> id{};
  event.metadata->event_id.write_to(id.data());
  const std::string_view event_id(id.data(), id.size());
  try {
    if (!event.idempotency_key.empty()) {
      if (const auto first = claim_key(event, event_id)) return first;
    }
    if (event.handlers != kNobody) insert(event, event_id, service);
  } catch (const SQLite::Exception& error) {
    if (error.getErrorCode() == SQLITE_TOOBIG) throw too_large(event.event_type, error);
    throw;
  }
  return std::nullopt;
}

void JournalAppender::execute(const char* sql) {
  const int result = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw SQLite::Exception(connection_, result);
}

std::vector<std::optional<EventId>> JournalAppender::append_all(std::span<const JournalAppend> events,
                                                                std::string_view service) {
  std::vector<std::optional<EventId>> repeats;
  if (events.size() == 1 && events.front().idempotency_key.empty()) {
    repeats.push_back(append(events.front(), service));
    return repeats;
  }
  execute("SAVEPOINT tidings_append");
  try {
    for (const JournalAppend& event : events) repeats.push_back(append(event, service));
  } catch (...) {
    if (sqlite3_get_autocommit(connection_) == 0) {
      execute("ROLLBACK TO tidings_append");
      execute("RELEASE tidings_append");
    }
    throw;
  }
  execute("RELEASE tidings_append");
  return repeats;
}

std::optional<EventId> JournalAppender::claim_key(const JournalAppend& event, std::string_view event_id) {
  prepare_idempotency_keys();
  const StatementUse claiming(idempotency_keys_->claim);
  idempotency_keys_->claim.text(event.metadata->source);
  idempotency_keys_->claim.text(event.idempotency_key);
  idempotency_keys_->claim.text(event_id);
  idempotency_keys_->claim.integer(microseconds(event.metadata->published_at));
  idempotency_keys_->claim.integer(microseconds(event.key_period.from));
  idempotency_keys_->claim.integer(microseconds(event.key_period.to));
  idempotency_keys_->claim.step();
  if (sqlite3_changes(connection_) > 0) return std::nullopt;
  const StatementUse finding(idempotency_keys_->find);
  idempotency_keys_->find.text(event.metadata->source);
  idempotency_keys_->find.text(event.idempotency_key);
  if (!idempotency_keys_->find.step()) return EventId();
  return EventId::parse(idempotency_keys_->find.column_text(0)).value_or(EventId());
}

/// In the order of kInsertEvent's columns.
void JournalAppender::insert(const JournalAppend& event, std::string_view event_id,
                             std::string_view service) {
  const StatementUse use(insert_);
  const Metadata& metadata = *event.metadata;
  insert_.integer(event.id);
  insert_.text(event_id);
  insert_.text(event.event_type);
  insert_.integer(event.schema_version);
  bind_data(insert_, *event.data);
  insert_.text(to_string(event.data->encoding));
  if (!metadata.fields.empty()) attributes_ = tidings::detail::context_to_json(metadata.fields);
  insert_.text(metadata.fields.empty() ? std::string_view("{}") : attributes_);
  insert_.text(metadata.source);
  insert_.text(service);
  bind_chain(insert_, metadata, event_id, chain_);
  insert_.integer(microseconds(metadata.published_at));
  insert_.text(event.handlers);
  bind_foreign_id(insert_, metadata);
  metadata.max_attempts == 0 ? insert_.null() : insert_.integer(metadata.max_attempts);
  insert_.step();
}

}  // namespace tidings::deadletter
