#include "query.hpp"

#include <utility>

namespace tidings::deadletter {
namespace {

/// The index that leaves the fewest rows to look at. Names are those of schema.cpp.
std::string_view choose_index(const Filter& filter) noexcept {
  if (filter.event_id) return "dead_letters_once";
  if (filter.correlation_id) return "dead_letters_by_correlation";
  if (filter.resolved != false) return "dead_letters_by_time";
  if (filter.fingerprint) return "dead_letters_unresolved_by_fingerprint";
  if (filter.handler) return "dead_letters_unresolved_by_handler";
  if (filter.event_type) return "dead_letters_unresolved_by_type";
  return "dead_letters_unresolved_by_time";
}

std::int64_t microseconds(Timestamp time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

Query::Query(const Filter& filter, const std::optional<Page::Cursor>& after) : index_(choose_index(filter)) {
  if (filter.event_id) add("event_id = ?", filter.event_id->to_string());
  add_text("correlation_id = ?", filter.correlation_id);
  add_text("event_type = ?", filter.event_type);
  add_text("handler = ?", filter.handler);
  add_text("service = ?", filter.service);
  add_text("error_fingerprint = ?", filter.fingerprint);
  if (filter.reason) add("reason = ?", std::string(to_string(*filter.reason)));
  if (filter.resolved) {
    conditions_ += conditions_.empty() ? " WHERE " : " AND ";
    conditions_ += *filter.resolved ? "reprocessed_at IS NOT NULL" : "reprocessed_at IS NULL";
  }
  add_times(filter, after);
}

void Query::add_times(const Filter& filter, const std::optional<Page::Cursor>& after) {
  if (filter.since) add("failed_at >= ?", microseconds(*filter.since));
  // Of two upper bounds only the tighter is given: SQLite would seek by either.
  if (after && (!filter.until || after->failed_at < *filter.until)) {
    add("(failed_at, id) < (?, ?)", microseconds(after->failed_at));
    values_.emplace_back(after->id);
  } else if (filter.until) {
    add("failed_at < ?", microseconds(*filter.until));
  }
}

void Query::add(std::string_view condition, Value value) {
  conditions_ += conditions_.empty() ? " WHERE " : " AND ";
  conditions_ += condition;
  values_.push_back(std::move(value));
}

void Query::add_text(std::string_view condition, const std::optional<std::string>& value) {
  if (value) add(condition, *value);
}

std::string Query::sql(std::string_view columns, std::string_view rest) const {
  std::string text = "SELECT ";
  text += columns;
  text += " FROM dead_letters INDEXED BY ";
  text += index_;
  text += conditions_;
  text += ' ';
  return text += rest;
}

SQLite::Statement Query::prepare(SQLite::Database& database, std::string_view columns,
                                 std::string_view rest) const {
  SQLite::Statement statement(database, sql(columns, rest));
  int index = 0;
  for (const Value& value : values_) {
    ++index;
    std::visit([&](const auto& each) { statement.bind(index, each); }, value);
  }
  return statement;
}

}  // namespace tidings::deadletter
