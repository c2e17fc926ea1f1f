#include "letters/query.hpp"

#include "file/claim_life.hpp"
#include "letters/field_condition.hpp"
#include "letters/payload_value.hpp"
#include "schema/schema.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/payload_cipher.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace tidings::deadletter {
namespace {

constexpr std::string_view kByTime = "dead_letters_by_time";
constexpr std::string_view kByType = "dead_letters_by_type";
constexpr std::string_view kByForeignId = "dead_letters_by_foreign_id";
constexpr std::string_view kHasForeignId = "foreign_id = ?";

/// The index that leaves the fewest rows to look at; none for letters by number. Names are those of
/// schema.cpp.
std::string_view choose_index(const Filter& filter) noexcept {
  if (filter.ids) return "";
  if (filter.running == true) return "dead_letters_claimed";
  if (filter.event_id) return "dead_letters_once";
  if (filter.foreign_id) return kByForeignId;
  if (filter.correlation_id) return "dead_letters_by_correlation";
  if (filter.resolved != false) return filter.event_type ? kByType : kByTime;
  if (filter.fingerprint) return "dead_letters_unresolved_by_fingerprint";
  if (filter.handler) return "dead_letters_unresolved_by_handler";
  if (filter.event_type) return "dead_letters_unresolved_by_type";
  return "dead_letters_unresolved_by_time";
}

/// Those of the letter's ordering key, and what nobody asked for among them. Of an index: a key may have any
/// number of letters.
constexpr const char* kOfSameKey =
    " FROM dead_letters AS other INDEXED BY dead_letters_unresolved_keys WHERE"
    " other.service = dead_letters.service AND other.event_type = dead_letters.event_type"
    " AND other.handler = dead_letters.handler AND other.ordering_key = dead_letters.ordering_key"
    " AND other.ordering_key IS NOT NULL AND other.reprocessed_at IS NULL AND other.id < dead_letters.id)";
constexpr const char* kIsNotAskedFor =
    " earlier.redrive_requested_at IS NULL AND earlier.claimed_by IS NULL AND earlier.reason <> 'shutdown'";

/// The first letter of the key and the one right before it speak for those between them.
std::string earlier_of_key(std::string_view column) {
  return "SELECT " + std::string(column) +
         " FROM dead_letters AS earlier WHERE earlier.id IN ((SELECT min(other.id)" + kOfSameKey +
         ", (SELECT max(other.id)" + kOfSameKey + ") AND" + kIsNotAskedFor;
}

}  // namespace

Query::Query(const Filter& filter, const std::optional<Page::Cursor>& after, ListOrder order)
    : index_(choose_index(filter)) {
  if (filter.ids) add("id IN (SELECT value FROM json_each(?))", Json(*filter.ids).dump());
  if (filter.event_id) add("event_id = ?", filter.event_id->to_string());
  add_text(kHasForeignId, filter.foreign_id);
  add_text("correlation_id = ?", filter.correlation_id);
  add_text("event_type = ?", filter.event_type);
  add_text("handler = ?", filter.handler);
  add_text("service = ?", filter.service);
  add_text("error_fingerprint = ?", filter.fingerprint);
  if (filter.reason) add("reason = ?", std::string(to_string(*filter.reason)));
  add_state(filter);
  add_times(filter, after, order);
  if (filter.up_to_id) add("id <= ?", *filter.up_to_id);
  if (filter.failed_in_redrive)
    add("redrive_requested_at IS NULL AND redrive_id = ?", *filter.failed_in_redrive);
  for (const FieldValue& each : filter.fields) {
    add(kFieldCondition, field_path(each.name));
    values_.emplace_back(field_path(each.name));
    values_.emplace_back(each.value);
  }
  // Last: they cost most.
  add_payload(filter.where);
  add_held_back(filter);
}

void Query::add_state(const Filter& filter) {
  if (filter.resolved) add_flag(*filter.resolved, "reprocessed_at IS NOT NULL", "reprocessed_at IS NULL");
  if (filter.marked)
    add_flag(*filter.marked, "redrive_requested_at IS NOT NULL", "redrive_requested_at IS NULL");
  if (filter.running) add_running(*filter.running);
  if (filter.has_payload) {
    add_flag(*filter.has_payload, "data_encoding NOT IN ('none', 'masked')",
             "data_encoding IN ('none', 'masked')");
  }
  if (filter.not_under_key) {
    add(kNotUnderKey, envelope_header(*filter.not_under_key));
    values_.emplace_back(envelope_header(*filter.not_under_key));
  }
  if (filter.has_handler) add_flag(*filter.has_handler, "handler <> ''", "handler = ''");
  if (filter.resolution) add("resolution = ?", std::string(to_string(*filter.resolution)));
  if (filter.resolved_before) add("reprocessed_at < ?", microseconds(*filter.resolved_before));
}

/// Few letters are claimed, and those have an index.
void Query::add_running(bool running) {
  if (running) add_flag(true, "claimed_by IS NOT NULL", "");
  add(std::string(kIsRunning) + " = ?", std::int64_t{running});
}

void Query::add_times(const Filter& filter, const std::optional<Page::Cursor>& after, ListOrder order) {
  const bool downwards = after && order == ListOrder::NewestFirst;
  const bool upwards = after && order == ListOrder::OldestFirst;
  // Of two bounds on one side only the tighter is given: SQLite would seek by either.
  if (upwards && (!filter.since || after->failed_at >= *filter.since)) {
    add("(failed_at, id) > (?, ?)", microseconds(after->failed_at));
    values_.emplace_back(after->id);
  } else if (filter.since) {
    add("failed_at >= ?", microseconds(*filter.since));
  }
  if (downwards && (!filter.until || after->failed_at < *filter.until)) {
    add("(failed_at, id) < (?, ?)", microseconds(after->failed_at));
    values_.emplace_back(after->id);
  } else if (filter.until) {
    add("failed_at < ?", microseconds(*filter.until));
  }
}

void Query::add_payload(const std::vector<PayloadValue>& where) {
  for (const PayloadValue& each : where) {
    reads_payload_ = true;
    add(kPayloadCondition, each.pointer);
    values_.emplace_back(each.value);
  }
}

/// Names of columns inside of the question are those of the earlier letter.
std::string Query::earlier_not_in(std::string_view column, const std::shared_ptr<const Filter>& asked_for,
                                  std::vector<Value>& values) {
  std::string question = earlier_of_key(column);
  if (!asked_for) return question;
  const Query query(*asked_for);
  values.insert(values.end(), query.values_.begin(), query.values_.end());
  reads_payload_ = reads_payload_ || query.reads_payload_;
  constexpr std::string_view kWhere = " WHERE ";
  const std::string condition = query.conditions_.empty() ? "true" : query.conditions_.substr(kWhere.size());
  return question + " AND (" + condition + ") IS NOT TRUE";
}

void Query::add_held_back(const Filter& filter) {
  if (!filter.held_back) return;
  begin_condition();
  conditions_ += *filter.held_back ? "" : "NOT ";
  conditions_ += "(reason = 'parked' AND EXISTS (" + earlier_not_in("1", filter.asked_for, values_) + "))";
}

void Query::begin_condition() { conditions_ += conditions_.empty() ? " WHERE " : " AND "; }

void Query::add(std::string_view condition, Value value) {
  begin_condition();
  conditions_ += condition;
  values_.push_back(std::move(value));
}

void Query::add_flag(bool condition, std::string_view if_true, std::string_view if_false) {
  begin_condition();
  conditions_ += condition ? if_true : if_false;
}

void Query::add_text(std::string_view condition, const std::optional<std::string>& value) {
  if (value) add(condition, *value);
}

std::string Query::sql(std::string_view columns, std::string_view rest, std::string_view index) const {
  std::string text = "SELECT ";
  text += columns;
  text += " FROM dead_letters";
  if (in_table_order_) {
    text += " NOT INDEXED";
  } else if (!index.empty()) {
    text += " INDEXED BY ";
    text += index;
  }
  text += conditions_;
  text += ' ';
  return text += rest;
}

/// Two of the indexes, and the column foreign_id, are not in version 2, in which nothing has such an id.
std::string Query::sql_in(SQLite::Database& database, std::string_view columns, std::string_view rest) const {
  if (is_of_third_version(database)) return sql(columns, rest, index_);
  Query older = *this;
  if (index_ == kByType || index_ == kByForeignId) older.index_ = kByTime;
  std::string& text = older.conditions_;
  for (auto found = text.find(kHasForeignId); found != std::string::npos; found = text.find(kHasForeignId))
    text.replace(found, kHasForeignId.size(), "? IS NULL");
  return older.sql(columns, rest, older.index_);
}

SQLite::Statement Query::prepare(SQLite::Database& database, std::string_view columns,
                                 std::string_view rest) const {
  if (reads_payload_) define_payload_condition(database);
  SQLite::Statement statement(database, sql_in(database, columns, rest));
  int index = 0;
  for (const Value& value : values_) {
    ++index;
    std::visit([&](const auto& each) { statement.bind(index, each); }, value);
  }
  return statement;
}

std::optional<HeldBackLetter> Query::find_held_back(SQLite::Database& database, Filter filter) {
  filter.held_back = true;
  Query query(filter);
  std::vector<Value> values;
  const std::string behind = query.earlier_not_in("min(earlier.id)", filter.asked_for, values);
  query.values_.insert(query.values_.begin(), values.begin(), values.end());
  auto row = query.prepare(database, "(" + behind + "), id", "LIMIT 1");
  if (!row.executeStep()) return std::nullopt;
  return HeldBackLetter{row.getColumn(1).getInt64(), row.getColumn(0).getInt64()};
}

std::string_view order_by(ListOrder order) noexcept {
  return order == ListOrder::NewestFirst ? "ORDER BY failed_at DESC, id DESC " : "ORDER BY failed_at, id ";
}

}  // namespace tidings::deadletter
