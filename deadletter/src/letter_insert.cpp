#include "connection.hpp"
#include "letter_row.hpp"
#include "stored_time.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace tidings::deadletter {
namespace {

constexpr const char* kInsert =
    "INSERT INTO dead_letters (event_id, event_type, schema_version, event_data, data_encoding, data_note, "
    "attributes,"
    " source, handler, service, reason, error_type, error_message, error_fingerprint, correlation_id, "
    "causation_id,"
    " causation_depth, traceparent, tracestate, ordering_key, published_at, failed_at, retry_count, attempts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (event_id, service, handler) DO NOTHING";
constexpr const char* kFind =
    "SELECT id FROM dead_letters WHERE event_id = ? AND service = ? AND handler = ?";

/// JSON text of a string. Most need no escape, and then building a JSON value would be most of the cost.
void append_json_string(std::string& json, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return c >= ' ' && c != '"' && c != '\\' && c != '\x7f'; });
  if (plain) {
    json += '"';
    json += text;
    json += '"';
  } else {
    json += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

/// Binds the values of one row from left to right. What it is given must outlive the statement's use.
class RowBinder {
 public:
  explicit RowBinder(SQLite::Statement& statement) : statement_(statement) {}

  void text(const std::string& value) {
    require_length(value);
    statement_.bindNoCopy(++index_, value);
  }
  void text_or_null(const std::string& value, bool present) { present ? text(value) : null(); }
  void blob(const std::string& value) {
    require_length(value);
    statement_.bindNoCopy(++index_, value.data(), static_cast<int>(value.size()));
  }
  void integer(std::int64_t value) { statement_.bind(++index_, value); }
  void time(Timestamp value) { integer(microseconds(value)); }
  void null() { statement_.bind(++index_); }

 private:
  /// SQLite takes lengths as int.
  static void require_length(const std::string& value) {
    if (value.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw SQLite::Exception("string or blob too big", SQLITE_TOOBIG);
    }
  }

  SQLite::Statement& statement_;
  int index_ = 0;
};

/// Texts of a row that the letter has in another form.
struct RowTexts {
  explicit RowTexts(const DeadLetter& letter)
      : event_id(letter.metadata.event_id.to_string()),
        encoding(to_string(letter.data.encoding)),
        attributes(attributes_to_json(letter.metadata.attributes)),
        source(letter.metadata.source.view()),
        reason(to_string(letter.reason)),
        correlation_id(letter.metadata.correlation_id.to_string()),
        causation_id(letter.metadata.causation_id ? letter.metadata.causation_id->to_string()
                                                  : std::string()),
        traceparent(letter.metadata.traceparent ? letter.metadata.traceparent->to_string() : std::string()),
        tracestate(letter.metadata.tracestate.view()),
        attempts(attempts_to_json(letter.attempts)) {}

  std::string event_id;
  std::string encoding;
  std::string attributes;
  std::string source;
  std::string reason;
  std::string correlation_id;
  std::string causation_id;
  std::string traceparent;
  std::string tracestate;
  std::string attempts;
};

void bind_data(RowBinder& row, const EncodedData& data) {
  switch (data.encoding) {
    case DataEncoding::Json:
      return row.text(data.bytes);
    case DataEncoding::Cbor:
      return row.blob(data.bytes);
    case DataEncoding::None:
      return row.null();
  }
}

/// In the order of kInsert's columns.
void bind_letter(SQLite::Statement& statement, const DeadLetter& letter, const RowTexts& texts) {
  RowBinder row(statement);
  row.text(texts.event_id);
  row.text(letter.event_type);
  row.integer(letter.schema_version);
  bind_data(row, letter.data);
  row.text(texts.encoding);
  row.text_or_null(letter.data.problem, !letter.data.problem.empty());
  row.text(texts.attributes);
  row.text(texts.source);
  row.text(letter.handler);
  row.text(letter.service);
  row.text(texts.reason);
  row.text(letter.error_type);
  row.text(letter.error_message);
  row.text(letter.error_fingerprint);
  row.text(texts.correlation_id);
  row.text_or_null(texts.causation_id, letter.metadata.causation_id.has_value());
  row.integer(letter.metadata.causation_depth);
  row.text_or_null(texts.traceparent, letter.metadata.traceparent.has_value());
  row.text_or_null(texts.tracestate, !texts.tracestate.empty());
  letter.ordering_key ? row.text(*letter.ordering_key) : row.null();
  row.time(letter.metadata.published_at);
  row.time(letter.failed_at);
  row.integer(letter.retry_count);
  row.text(texts.attempts);
}

}  // namespace

std::string attempts_to_json(const std::vector<Attempt>& attempts) {
  std::string json = "[";
  for (const Attempt& attempt : attempts) {
    if (json.size() > 1) json += ',';
    json += "{\"at\":" + std::to_string(microseconds(attempt.at));
    json += ",\"duration_us\":" + std::to_string(attempt.duration.count());
    json += ",\"error_type\":";
    append_json_string(json, attempt.error_type);
    json += ",\"error_message\":";
    append_json_string(json, attempt.error_message);
    json += '}';
  }
  return json += ']';
}

std::string attributes_to_json(const Attributes& attributes) {
  std::string json = "{";
  for (const auto& [name, value] : attributes) {
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
  }
  return json += '}';
}

LetterInsert::LetterInsert(SQLite::Database& database)
    : database_(database), insert_(database, kInsert), find_(database, kFind) {}

LetterInsert::Result LetterInsert::insert(const DeadLetter& letter) {
  const RowTexts texts(letter);
  const StatementUse use(insert_);
  bind_letter(insert_, letter, texts);
  insert_.exec();
  if (database_.getChanges() == 0) return {find(texts.event_id, letter), false};
  return {database_.getLastInsertRowid(), true};
}

std::int64_t LetterInsert::find(const std::string& event_id, const DeadLetter& letter) {
  const StatementUse use(find_);
  find_.bind(1, event_id);
  find_.bind(2, letter.service);
  find_.bind(3, letter.handler);
  return find_.executeStep() ? find_.getColumn(0).getInt64() : 0;
}

}  // namespace tidings::deadletter
