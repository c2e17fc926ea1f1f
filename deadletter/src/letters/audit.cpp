#include "letters/audit.hpp"

#include "letters/payload_changes.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/detail/parse_json.hpp>

#include <SQLiteCpp/Statement.h>
#include <nlohmann/json.hpp>

#include <exception>

namespace tidings::deadletter {
namespace {

using OrderedJson = nlohmann::ordered_json;

template <class T>
void put(OrderedJson& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = *value;
}

void put_time(OrderedJson& json, const char* name, const std::optional<Timestamp>& time) {
  if (time) json[name] = to_rfc3339(*time);
}

}  // namespace

std::string describe_filter(const Filter& filter) {
  OrderedJson json = OrderedJson::object();
  constexpr std::size_t kNamedIds = 100;
  if (filter.ids && filter.ids->size() <= kNamedIds) json["ids"] = *filter.ids;
  if (filter.ids && filter.ids->size() > kNamedIds) json["ids"] = filter.ids->size();
  put(json, "type", filter.event_type);
  put(json, "handler", filter.handler);
  put(json, "service", filter.service);
  put(json, "fingerprint", filter.fingerprint);
  if (filter.correlation_id) json["correlation_id"] = true;
  if (filter.event_id) json["event_id"] = true;
  if (filter.foreign_id) json["foreign_id"] = true;
  if (filter.reason) json["reason"] = to_string(*filter.reason);
  put(json, "resolved", filter.resolved);
  if (filter.resolution) json["resolution"] = to_string(*filter.resolution);
  put_time(json, "since", filter.since);
  put_time(json, "until", filter.until);
  put_time(json, "resolved_before", filter.resolved_before);
  for (const PayloadValue& each : filter.where) json["where"].push_back(each.pointer);
  for (const FieldValue& each : filter.fields) json["attribute"].push_back(each.name);
  return json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

void Audit::add(SQLite::Database& database, std::int64_t letters) {
  if (id_ != 0) {
    run(database, "UPDATE tidings_audit SET letters = letters + ? WHERE id = ?", letters, id_);
    return;
  }
  run(database,
      "INSERT INTO tidings_audit (at, user, host, verb, filter, letters, note, changes)"
      " VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''))",
      wall_now(), actor_.user, actor_.host, verb_, filter_, letters, note_,
      changes_.is_null() ? std::string() : changes_.dump(-1, ' ', true, Json::error_handler_t::replace));
  id_ = database.getLastInsertRowid();
}

void Audit::mirror(SQLite::Database& database, const logging::Logger& log) const noexcept try {
  if (id_ == 0) return;
  SQLite::Statement row(
      database, "SELECT letters FROM tidings_audit WHERE id = ? AND verb = ? AND user = ? AND host = ?");
  // A row that was rolled back has left its number to others.
  row.bind(1, id_);
  row.bind(2, verb_);
  row.bind(3, actor_.user);
  row.bind(4, actor_.host);
  if (!row.executeStep()) return;
  const Json filter = tidings::detail::parse_json(filter_);
  std::vector<logging::Field> fields{
      {"audit_id", id_},  {"verb", verb_},       {"letters", row.getColumn(0).getInt64()},
      {"filter", filter}, {"user", actor_.user}, {"actor_host", actor_.host}};
  const logging::Field paths{"changed_paths", changes_.is_null() ? Json() : paths_of(changes_)};
  if (!changes_.is_null()) fields.push_back(paths);
  log.log(logging::Level::Info, "letters_changed", fields, {});
} catch (const std::exception& error) {
  log.error("audit_not_read", {{"verb", verb_}, logging::error_of(error)}, {});
}

std::vector<std::int64_t> find_reasons(Connection& connection,
                                       const std::function<bool(const std::string& reason)>& is_meant) {
  SQLite::Statement row(connection.database(),
                        "SELECT id, note FROM tidings_audit WHERE verb = 'discard' AND note IS NOT NULL");
  std::vector<std::int64_t> rows;
  while (row.executeStep()) {
    if (is_meant(row.getColumn(1).getString())) rows.push_back(row.getColumn(0).getInt64());
  }
  return rows;
}

std::vector<std::int64_t> find_changes(Connection& connection,
                                       const std::function<bool(const std::vector<std::int64_t>& letters,
                                                                const std::string& changes)>& is_meant) {
  // An edit's filter is the old letter, `{"ids":[4]}`, and its note the new one, `letter 5`.
  SQLite::Statement row(connection.database(),
                        "SELECT id, json_extract(filter, '$.ids[0]'), substr(note, 8), changes"
                        " FROM tidings_audit WHERE verb = 'edit' AND changes IS NOT NULL");
  std::vector<std::int64_t> rows;
  while (row.executeStep()) {
    if (is_meant({row.getColumn(1).getInt64(), row.getColumn(2).getInt64()}, row.getColumn(3).getString()))
      rows.push_back(row.getColumn(0).getInt64());
  }
  return rows;
}

void clear_changes(Connection& connection, const std::vector<std::int64_t>& rows) {
  SQLite::Statement update(connection.database(), "UPDATE tidings_audit SET changes = NULL WHERE id = ?");
  for (const auto id : rows) run(update, id);
}

void clear_reasons(Connection& connection, const std::vector<std::int64_t>& rows) {
  SQLite::Statement update(connection.database(), "UPDATE tidings_audit SET note = NULL WHERE id = ?");
  for (const auto id : rows) run(update, id);
}

}  // namespace tidings::deadletter
