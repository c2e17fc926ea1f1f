#include "raw_letters.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace tidings::bench {

namespace {

constexpr const char* kInsert =
    "INSERT OR FAIL INTO dead_letters (event_id, event_type, schema_version, event_data, data_encoding,"
    " data_note, attributes, source, handler, service, reason, error_type, error_message, error_fingerprint,"
    " correlation_id, causation_id, causation_depth, traceparent, tracestate, ordering_key, published_at,"
    " failed_at, retry_count, attempts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (event_id, service, handler) DO NOTHING";
constexpr const char* kBytes =
    "SELECT sum(length(event_data) + length(error_message) + length(attempts) + length(attributes)) FROM "
    "dead_letters";

std::int64_t microseconds(Timestamp time) { return time.time_since_epoch().count(); }

std::string attempts_of(const DeadLetter& letter) {
  auto list = nlohmann::ordered_json::array();
  for (const Attempt& attempt : letter.attempts) {
    list.push_back({{"at", microseconds(attempt.at)},
                    {"duration_us", attempt.duration.count()},
                    {"error_type", attempt.error_type},
                    {"error_message", attempt.error_message}});
  }
  return list.dump();
}

RawRow raw_row(const DeadLetter& letter) {
  const Metadata& metadata = letter.metadata;
  const RawValue null;
  return {metadata.event_id.to_string(),
          letter.event_type,
          std::int64_t{letter.schema_version},
          letter.data.bytes,
          std::string(to_string(letter.data.encoding)),
          null,
          "{}",
          metadata.source.str(),
          letter.handler,
          letter.service,
          std::string(to_string(letter.reason)),
          letter.error_type,
          letter.error_message,
          letter.error_fingerprint,
          metadata.correlation_id.to_string(),
          null,
          std::int64_t{metadata.causation_depth},
          null,
          null,
          null,
          microseconds(metadata.published_at),
          microseconds(letter.failed_at),
          std::int64_t{letter.retry_count},
          attempts_of(letter)};
}

struct Binder {
  sqlite3_stmt* statement;
  int index;
  int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(const std::string& value) const {
    return sqlite3_bind_text(statement, index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
};

}  // namespace

std::vector<RawRow> raw_rows(const std::vector<DeadLetter>& letters) {
  std::vector<RawRow> rows;
  rows.reserve(letters.size());
  for (const DeadLetter& letter : letters) rows.push_back(raw_row(letter));
  return rows;
}

RawLetters::RawLetters(const std::filesystem::path& path, Synced synced) {
  require(sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
  execute(synced == Synced::Full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF");
  execute("PRAGMA secure_delete = ON");
  require(sqlite3_prepare_v2(database_, kInsert, -1, &insert_, nullptr));
}

RawLetters::~RawLetters() {
  sqlite3_finalize(insert_);
  sqlite3_close(database_);
}

void RawLetters::store(std::span<const RawRow> rows) {
  execute("BEGIN IMMEDIATE");
  for (const RawRow& row : rows) insert(row);
  execute("COMMIT");
}

void RawLetters::insert(const RawRow& row) {
  int index = 0;
  for (const RawValue& value : row) require(std::visit(Binder{insert_, ++index}, value));
  require(sqlite3_step(insert_), SQLITE_DONE);
  require(sqlite3_reset(insert_));
}

std::uint64_t RawLetters::bytes() {
  sqlite3_stmt* sum = nullptr;
  require(sqlite3_prepare_v2(database_, kBytes, -1, &sum, nullptr));
  const int result = sqlite3_step(sum);
  const auto bytes = static_cast<std::uint64_t>(sqlite3_column_int64(sum, 0));
  sqlite3_finalize(sum);
  require(result, SQLITE_ROW);
  return bytes;
}

void RawLetters::execute(const char* sql) {
  require(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr));
}

void RawLetters::require(int result, int expected) const {
  if (result != expected) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(database_));
}

}  // namespace tidings::bench
