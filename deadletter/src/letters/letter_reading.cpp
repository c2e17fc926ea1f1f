#include "letters/letter_row.hpp"

#include "file/claim_life.hpp"
#include "file/sqlite_error.hpp"
#include "schema/schema.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/detail/context_json.hpp>
#include <tidings/detail/parse_json.hpp>

#include <nlohmann/json.hpp>

#include <limits>
#include <utility>

namespace tidings::deadletter {
namespace {

/// The values of one row from left to right, with the row's id and the column's name for error messages.
class RowReader {
 public:
  RowReader(SQLite::Statement& row, SQLite::Database& database)
      : row_(row), database_(database), id_(row.getColumn(0).getInt64()) {}

  std::int64_t integer() { return row_.getColumn(column_++).getInt64(); }
  std::string text() { return row_.getColumn(column_++).getString(); }
  Timestamp time() { return time_of(integer()); }

  /// An integer that fits the type.
  template <class Integer>
  Integer small() {
    const std::int64_t value = integer();
    if (!std::in_range<Integer>(value)) wrong("is " + std::to_string(value) + ", out of range");
    return static_cast<Integer>(value);
  }

  /// `read()`, or nullopt for null.
  template <class Read>
  auto optional(Read read) -> std::optional<decltype(read())> {
    if (row_.getColumn(column_).isNull()) {
      ++column_;
      return std::nullopt;
    }
    return read();
  }

  /// The result of `parse` for the text.
  template <class Parse>
  auto parsed(Parse parse) {
    const std::string value = text();
    auto result = parse(value);
    if (!result) wrong("is \"" + printable(value.substr(0, 100)) + "\", which tidings does not know");
    return *std::move(result);
  }

  [[noreturn]] void wrong(const std::string& what) {
    throw Error(ErrorCode::DatabaseUnusable, "dead letter " + std::to_string(id_) + " cannot be read: its " +
                                                 row_.getColumnName(column_ - 1) + " " + what +
                                                 "; correct the row, or " +
                                                 how_to_salvage(path_of(database_)));
  }

 private:
  SQLite::Statement& row_;
  SQLite::Database& database_;
  std::int64_t id_;
  int column_ = 0;
};

template <class Convert>
auto from_json(RowReader& row, Convert convert) {
  const std::string text = row.text();
  try {
    return convert(text);
  } catch (const nlohmann::json::exception&) {
    row.wrong("is not the JSON that tidings writes");
  } catch (const Error&) {
    row.wrong("is not the JSON that tidings writes");
  }
}

void read_event(RowReader& row, DeadLetter& letter) {
  letter.metadata.event_id = row.parsed(&EventId::parse);
  letter.event_type = row.text();
  letter.schema_version = row.small<int>();
  letter.data.bytes = row.text();
  letter.data.encoding = row.parsed(&parse_data_encoding);
  letter.data.problem = row.text();
  letter.metadata.fields = from_json(row, tidings::detail::context_from_json);
  letter.metadata.source = row.text();
}

void read_failure(RowReader& row, DeadLetter& letter) {
  letter.handler = row.text();
  letter.service = row.text();
  letter.reason = row.parsed(&parse_reason);
  letter.error_type = row.text();
  letter.error_message = row.text();
  letter.error_fingerprint = row.text();
}

void read_context(RowReader& row, DeadLetter& letter) {
  const auto event_id = [&] { return row.parsed(&EventId::parse); };
  letter.metadata.correlation_id = row.parsed(&CorrelationId::parse);
  letter.metadata.causation_id = row.optional(event_id);
  letter.metadata.causation_depth = row.small<std::uint32_t>();
  letter.metadata.traceparent = row.optional([&] { return row.parsed(&TraceParent::parse); });
  letter.metadata.tracestate = row.text();
  letter.ordering_key = row.optional([&] { return row.text(); });
  letter.metadata.published_at = row.time();
  letter.failed_at = row.time();
  letter.retry_count = row.small<std::uint32_t>();
  letter.attempts = from_json(row, attempts_from_json);
}

void read_claim(RowReader& row, StoredLetter& stored) {
  auto by = row.optional([&] { return row.text(); });
  const auto life = static_cast<ClaimLife>(row.integer());
  if (by) stored.claim = Claim{*by, life != ClaimLife::Over};
}

}  // namespace

namespace {

/// Nothing if the attempt has no such id.
template <class Id>
std::optional<Id> read_id(const Json& attempt, const char* name) {
  const auto text = attempt.find(name);
  if (text == attempt.end()) return std::nullopt;
  auto id = Id::parse(text->template get_ref<const std::string&>());
  if (!id) throw Error(ErrorCode::NotDecodable, std::string("not a ") + name);
  return id;
}

}  // namespace

std::vector<Attempt> attempts_from_json(std::string_view text) {
  std::vector<Attempt> attempts;
  const auto json = tidings::detail::parse_json(text);
  for (const auto& each : json.get_ref<const Json::array_t&>()) {
    attempts.push_back(
        {time_of(each.at("at").get<std::int64_t>()),
         std::chrono::microseconds(each.at("duration_us").get<std::int64_t>()),
         each.at("error_type").get<std::string>(), each.at("error_message").get<std::string>(),
         each.contains("fields") ? tidings::detail::context_of_json(each["fields"]) : ContextFields(),
         read_id<SpanId>(each, "span_id"), read_id<TraceId>(each, "trace_id")});
  }
  return attempts;
}

// Three of the columns: if a summary leaves them out, SQLite does not read them at all.
#define TIDINGS_LETTER_COLUMNS(data, attributes, attempts)                                             \
  "id, event_id, event_type, schema_version, " data ", data_encoding, data_note, " attributes          \
  ", source, handler, service, reason, error_type, error_message, error_fingerprint, correlation_id, " \
  "causation_id, causation_depth, traceparent, tracestate, ordering_key, published_at, failed_at, "    \
  "retry_count, " attempts                                                                             \
  ", redrive_requested_at, reprocessed_at, resolution, edited_from, claimed_by, "                      \
  "tidings_claim_life(claimed_by, claimed_until), redrive_id, redrive_started_at, resolution_note"

std::string letter_columns(SQLite::Database& database, LetterParts parts) {
  const std::string columns =
      parts == LetterParts::All
          ? TIDINGS_LETTER_COLUMNS("event_data", "attributes", "attempts")
          : TIDINGS_LETTER_COLUMNS("NULL AS event_data", "'{}' AS attributes", "'[]' AS attempts");
  return columns +
         (is_of_third_version(database) ? ", host, pid, release, foreign_id" : ", NULL, NULL, NULL, NULL");
}

#undef TIDINGS_LETTER_COLUMNS

StoredLetter read_letter(SQLite::Statement& row, SQLite::Database& database) {
  RowReader reader(row, database);
  StoredLetter stored;
  stored.id = reader.integer();
  read_event(reader, stored.letter);
  read_failure(reader, stored.letter);
  read_context(reader, stored.letter);
  stored.redrive_requested_at = reader.optional([&] { return reader.time(); });
  stored.reprocessed_at = reader.optional([&] { return reader.time(); });
  stored.resolution = reader.optional([&] { return reader.parsed(&parse_resolution); });
  stored.edited_from = reader.optional([&] { return reader.parsed(&EventId::parse); });
  read_claim(reader, stored);
  stored.redrive_id = reader.optional([&] { return reader.integer(); });
  stored.redrive_started_at = reader.optional([&] { return reader.time(); });
  stored.resolution_note = reader.text();
  stored.letter.process.host = reader.text();
  stored.letter.process.pid = reader.integer();
  stored.letter.process.release = reader.text();
  stored.letter.metadata.foreign_id = reader.optional([&] { return reader.text(); });
  return stored;
}

}  // namespace tidings::deadletter
