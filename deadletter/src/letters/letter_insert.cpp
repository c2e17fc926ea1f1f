#include "letters/letter_insert.hpp"

#include "file/sqlite_error.hpp"
#include "letters/letter_row.hpp"
#include "sqlite/stored_time.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <tidings/detail/context_json.hpp>
#include <tidings/detail/json_string.hpp>
#include <tidings/detail/parse_json.hpp>

#include <array>
#include <charconv>

namespace tidings::deadletter {
namespace {

using tidings::detail::append_json_string;

/// OR FAIL, since a statement with triggers that may have to be undone alone has SQLite copy every page
/// before it changes it, and nobody goes on with a transaction in which this one failed.
constexpr const char* kInsertLetter =
    "INSERT OR FAIL INTO main.dead_letters (event_id, event_type, schema_version, event_data, data_encoding,"
    " data_note, attributes, source, handler, service, reason, error_type, error_message, error_fingerprint,"
    " correlation_id, causation_id, causation_depth, traceparent, tracestate, ordering_key, published_at,"
    " failed_at, retry_count, attempts, host, pid, release, span_id, foreign_id, version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (event_id, service, handler) DO NOTHING";
constexpr const char* kFindLetter =
    "SELECT id FROM main.dead_letters WHERE event_id = ? AND service = ? AND handler = ?";

/// What is put in the place of a payload that would fail SQLite's JSON functions for the whole table. Whoever
/// hands over a letter loses the payload alone.
const EncodedData& data_within_limits(const DeadLetter& letter) {
  static const EncodedData too_deep{
      {}, DataEncoding::None, "the payload nests deeper than " + std::to_string(kMaxJsonDepth) + " levels"};
  return tidings::detail::nests_too_deeply(letter.data) ? too_deep : letter.data;
}

/// Characters for which room is made at once: growing by doubling copied each attempt several times.
constexpr std::size_t kUsualAttempt = 192;

void append_number(std::string& json, std::int64_t number) {
  std::array<char, 20> digits;  // as many as the least number has, with its sign
  json.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// What a row has in another form than the letter.
struct RowTexts {
  explicit RowTexts(const DeadLetter& letter)
      : data(data_within_limits(letter)),
        event_id(letter.metadata.event_id.to_string()),
        attributes(tidings::detail::context_to_json(letter.metadata.fields)),
        attempts(attempts_to_json(letter.attempts)),
        span_id(span_of(letter.attempts)) {}

  const EncodedData& data;
  std::string event_id;
  std::string attributes;
  std::string attempts;
  std::string span_id;
  ChainTexts chain = {};
};

void text_or_null(Prepared& row, std::string_view text) { text.empty() ? row.null() : row.text(text); }

/// In the order of kInsertLetter's columns.
void bind_letter(Prepared& row, const DeadLetter& letter, RowTexts& texts) {
  row.text(texts.event_id);
  row.text(letter.event_type);
  row.integer(letter.schema_version);
  bind_data(row, texts.data);
  row.text(to_string(texts.data.encoding));
  texts.data.problem.empty() ? row.null() : row.text(texts.data.problem);
  row.text(texts.attributes);
  row.text(letter.metadata.source);
  row.text(letter.handler);
  row.text(letter.service);
  row.text(to_string(letter.reason));
  row.text(letter.error_type);
  row.text(letter.error_message);
  row.text(letter.error_fingerprint);
  bind_chain(row, letter.metadata, texts.event_id, texts.chain);
  letter.ordering_key ? row.text(*letter.ordering_key) : row.null();
  bind_time(row, letter.metadata.published_at);
  bind_time(row, letter.failed_at);
  row.integer(letter.retry_count);
  row.text(texts.attempts);
  text_or_null(row, letter.process.host);
  letter.process.pid == 0 ? row.null() : row.integer(letter.process.pid);
  text_or_null(row, letter.process.release);
  text_or_null(row, texts.span_id);
  bind_foreign_id(row, letter.metadata);
}

}  // namespace

/// An event that began its chain has its own id as correlation id.
void bind_chain(Prepared& row, const Metadata& metadata, std::string_view event_id, ChainTexts& texts) {
  if (metadata.correlation_id == CorrelationId(metadata.event_id)) {
    row.text(event_id);
  } else {
    row.text(texts.correlation_id = metadata.correlation_id.to_string());
  }
  if (metadata.causation_id) texts.causation_id = metadata.causation_id->to_string();
  metadata.causation_id ? row.text(texts.causation_id) : row.null();
  row.integer(metadata.causation_depth);
  if (metadata.traceparent) texts.traceparent = metadata.traceparent->to_string();
  metadata.traceparent ? row.text(texts.traceparent) : row.null();
  metadata.tracestate.empty() ? row.null() : row.text(metadata.tracestate);
}

void bind_foreign_id(Prepared& row, const Metadata& metadata) {
  metadata.foreign_id ? row.text(*metadata.foreign_id) : row.null();
}

void bind_data(Prepared& row, const EncodedData& data) {
  switch (data.encoding) {
    case DataEncoding::Json:
    case DataEncoding::Masked:
      return row.text(data.bytes);
    case DataEncoding::Cbor:
    case DataEncoding::Encrypted:
      return row.blob(data.bytes);
    case DataEncoding::None:
      return row.null();
  }
}

void bind_time(Prepared& row, std::optional<Timestamp> time) {
  time ? row.integer(microseconds(*time)) : row.null();
}

std::string span_of(const std::vector<Attempt>& attempts) {
  return attempts.empty() || !attempts.back().span_id ? "" : attempts.back().span_id->to_string();
}

std::string attempts_to_json(const std::vector<Attempt>& attempts) {
  std::string json;
  json.reserve(2 + attempts.size() * kUsualAttempt);
  json += '[';
  for (const Attempt& attempt : attempts) {
    if (json.size() > 1) json += ',';
    append_number(json += "{\"at\":", microseconds(attempt.at));
    append_number(json += ",\"duration_us\":", attempt.duration.count());
    append_json_string(json += ",\"error_type\":", attempt.error_type);
    append_json_string(json += ",\"error_message\":", attempt.error_message);
    if (!attempt.fields.empty()) (json += ",\"fields\":") += tidings::detail::context_to_json(attempt.fields);
    if (attempt.span_id) ((json += ",\"span_id\":\"") += attempt.span_id->to_string()) += '"';
    if (attempt.trace_id) ((json += ",\"trace_id\":\"") += attempt.trace_id->to_string()) += '"';
    json += '}';
  }
  return json += ']';
}

LetterInsert::LetterInsert(sqlite3* connection)
    : connection_(connection),
      versions_(connection),
      insert_(connection, kInsertLetter),
      find_(connection, kFindLetter) {}

LetterInsert::Result LetterInsert::insert(const DeadLetter& letter) {
  RowTexts texts(letter);
  const StatementUse use(insert_);
  bind_letter(insert_, letter, texts);
  insert_.integer(versions_.next());
  insert_.step();
  if (sqlite3_changes(connection_) == 0) return {find(texts.event_id, letter), false};
  versions_.given();
  return {sqlite3_last_insert_rowid(connection_), true};
}

LetterOutcome LetterInsert::take(const DeadLetter& letter) {
  try {
    const auto result = insert(letter);
    return {
        result.inserted ? LetterOutcome::Place::Stored : LetterOutcome::Place::AlreadyStored, result.id, {}};
  } catch (const SQLite::Exception& error) {
    // Some failures end the transaction by themselves: then the others are not in it either.
    if (failure_kind(error.getErrorCode()) != FailureKind::Letter || sqlite3_get_autocommit(connection_) != 0)
      throw;
    return {LetterOutcome::Place::Unsaved, 0, explain(error.getErrorCode(), error.what())};
  }
}

std::int64_t LetterInsert::find(const DeadLetter& letter) {
  return find(letter.metadata.event_id.to_string(), letter);
}

std::int64_t LetterInsert::find(const std::string& event_id, const DeadLetter& letter) {
  const StatementUse use(find_);
  find_.text(event_id);
  find_.text(letter.service);
  find_.text(letter.handler);
  return find_.step() ? find_.column_integer(0) : 0;
}

}  // namespace tidings::deadletter
