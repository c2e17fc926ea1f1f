#include "check_dead_letters/render_json.hpp"

#include "check_dead_letters/database_label.hpp"
#include "check_dead_letters/render_text.hpp"

#include <nlohmann/json.hpp>

namespace tidings::check_dead_letters {
namespace {

// Keeps the keys in the order of the documentation.
using OrderedJson = nlohmann::ordered_json;

template <class T>
OrderedJson or_null(const std::optional<T>& value) {
  return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

OrderedJson range_json(const std::optional<Range>& range) {
  return range ? OrderedJson(range->to_string()) : OrderedJson(nullptr);
}

OrderedJson thresholds_json(const Thresholds& thresholds) {
  return {{"warning", range_json(thresholds.warning)},
          {"critical", range_json(thresholds.critical)},
          {"oldest_warning", range_json(thresholds.oldest_warning)},
          {"oldest_critical", range_json(thresholds.oldest_critical)}};
}

OrderedJson selection_json(const Selection& selection, Timestamp now) {
  return {{"window_seconds", selection.window.count()},
          {"since", to_rfc3339(now - selection.window)},
          {"event_type", or_null(selection.event_type)},
          {"handler", or_null(selection.handler)},
          {"service", or_null(selection.service)}};
}

OrderedJson letter_json(const LetterFacts& letter, Timestamp now) {
  return {{"id", letter.id},
          {"event_id", letter.event_id},
          {"event_type", letter.event_type},
          {"handler", letter.handler},
          {"service", letter.service},
          {"error_type", letter.error_type},
          {"correlation_id", letter.correlation_id},
          {"failed_at", to_rfc3339(letter.failed_at)},
          {"age_seconds", age(letter.failed_at, now).count()}};
}

OrderedJson group_json(const deadletter::Group& group, int verbosity) {
  OrderedJson json = {{"fingerprint", group.fingerprint},
                      {"event_type", group.event_type},
                      {"event_types", group.event_types},
                      {"handler", group.handler},
                      {"service", group.service},
                      {"error_type", group.error_type},
                      {"count", group.count},
                      {"first_failed_at", to_rfc3339(group.first_failed_at)},
                      {"last_failed_at", to_rfc3339(group.last_failed_at)},
                      {"newest_letter", group.newest_id}};
  if (verbosity >= 2) json["sample_error"] = group.sample_error;
  return json;
}

void add_details(OrderedJson& json, const DatabaseFacts& facts, const Report& report) {
  if (report.verbosity >= 1) {
    json["groups"] = OrderedJson::array();
    for (const auto& group : facts.groups) json["groups"].push_back(group_json(group, report.verbosity));
    json["more_groups"] = facts.more_groups;
  }
  if (report.verbosity >= 3) {
    json["newest"] = OrderedJson::array();
    for (const auto& letter : facts.newest) json["newest"].push_back(letter_json(letter, report.now));
  }
}

OrderedJson journal_json(const deadletter::JournalBacklog& journal, Timestamp now) {
  OrderedJson json = {{"events", journal.events}, {"exact", journal.exact}};
  const auto& oldest = journal.oldest_published_at;
  json["oldest_published_at"] = oldest ? OrderedJson(to_rfc3339(*oldest)) : OrderedJson(nullptr);
  json["oldest_age_seconds"] = oldest ? OrderedJson(age(*oldest, now).count()) : OrderedJson(nullptr);
  return json;
}

OrderedJson unserved_json(const deadletter::UnservedHandler& handler) {
  return {{"service", handler.service},
          {"event_type", handler.event_type},
          {"handler", handler.handler},
          {"owed", handler.owed},
          {"since", to_rfc3339(handler.since)}};
}

OrderedJson database_json(const JudgedAnswer& database, const Report& report) {
  const Answer& answer = database.answer;
  OrderedJson json = {{"path", answer.path},
                      {"label", database_label(answer.path)},
                      {"state", to_string(database.verdict.state)},
                      {"reasons", OrderedJson::array()}};
  for (const std::string_view reason : database.verdict.reasons) json["reasons"].push_back(reason);
  if (answer.failure) {
    json["error"] = {{"code", answer.failure->code}, {"message", answer.failure->message}};
    return json;
  }
  const DatabaseFacts& facts = answer.facts;
  json["error"] = nullptr;
  json["unresolved_in_window"] = facts.unresolved_in_window;
  json["unresolved"] = facts.unresolved;
  json["oldest"] = facts.oldest ? letter_json(*facts.oldest, report.now) : OrderedJson(nullptr);
  json["spill"] = {{"path", facts.spill_path}, {"bytes", facts.spill_bytes}};
  json["database_bytes"] = facts.sizes.database;
  json["wal_bytes"] = facts.sizes.wal;
  json["journal"] = journal_json(facts.journal, report.now);
  json["unserved_handlers"] = OrderedJson::array();
  for (const auto& handler : facts.unserved) json["unserved_handlers"].push_back(unserved_json(handler));
  json["more_unserved_handlers"] = facts.more_unserved;
  add_details(json, facts, report);
  return json;
}

OrderedJson head(State state, std::string_view text) {
  return {{"version", kJsonVersion},
          {"state", to_string(state)},
          {"exit_status", static_cast<int>(state)},
          {"summary", text}};
}

std::string line(const OrderedJson& json) {
  return json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string render_json(const Report& report) {
  OrderedJson json = head(overall_state(report), summary(report));
  json["checked_at"] = to_rfc3339(report.now);
  json["selection"] = selection_json(report.selection, report.now);
  json["thresholds"] = thresholds_json(report.thresholds);
  json["problems"] = report.problems;
  json["databases"] = OrderedJson::array();
  for (const auto& database : report.databases) json["databases"].push_back(database_json(database, report));
  return line(json);
}

std::string render_usage_error_json(std::string_view message) {
  OrderedJson json = head(State::Unknown, message);
  json["problems"] = OrderedJson::array({message});
  json["databases"] = OrderedJson::array();
  return line(json);
}

}  // namespace tidings::check_dead_letters
