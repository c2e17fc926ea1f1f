#include "check_dead_letters/prometheus_text.hpp"

#include "check_dead_letters/database_label.hpp"
#include "text/duration.hpp"

#include <array>
#include <cstdio>
#include <string_view>

namespace tidings::check_dead_letters {
namespace {

constexpr const char* kUnknownValue = "NaN";

struct Metric {
  const char* name;
  const char* help;
  bool has_window;
  std::string (*value)(const JudgedAnswer& database);
};

std::string unix_seconds(Timestamp time) {
  const auto microseconds = time.time_since_epoch().count();
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%s%lld.%06lld", microseconds < 0 ? "-" : "",
                static_cast<long long>(microseconds < 0 ? -microseconds : microseconds) / 1'000'000,
                static_cast<long long>(microseconds < 0 ? -microseconds : microseconds) % 1'000'000);
  return buffer.data();
}

std::string state_value(const JudgedAnswer& database) {
  return std::to_string(static_cast<int>(database.verdict.state));
}

std::string unresolved_value(const JudgedAnswer& database) {
  return std::to_string(database.answer.facts.unresolved);
}

std::string in_window_value(const JudgedAnswer& database) {
  return std::to_string(database.answer.facts.unresolved_in_window);
}

std::string oldest_value(const JudgedAnswer& database) {
  const auto& oldest = database.answer.facts.oldest;
  return oldest ? unix_seconds(oldest->failed_at) : "0";
}

std::string spill_value(const JudgedAnswer& database) {
  return std::to_string(database.answer.facts.spill_bytes);
}

std::string journal_value(const JudgedAnswer& database) {
  return std::to_string(database.answer.facts.journal.events);
}

std::string oldest_event_value(const JudgedAnswer& database) {
  const auto& oldest = database.answer.facts.journal.oldest_published_at;
  return oldest ? unix_seconds(*oldest) : "0";
}

std::string unserved_value(const JudgedAnswer& database) {
  return std::to_string(database.answer.facts.unserved.size());
}

constexpr std::array<Metric, 7> kFacts{{
    {"tidings_dead_letters_unresolved", "Dead letters that wait to be resolved, of any age.", false,
     unresolved_value},
    {"tidings_dead_letters_unresolved_in_window", "Those of them that failed within the window.", true,
     in_window_value},
    {"tidings_dead_letters_oldest_timestamp_seconds",
     "Unix time at which the oldest unresolved dead letter failed; 0 if there is none.", false, oldest_value},
    {"tidings_dead_letters_spill_bytes", "Bytes of dead letters in the spill file that wait for import.",
     false, spill_value},
    {"tidings_journal_events", "Durable events that are owed to handlers; above 10000 at most that many.",
     false, journal_value},
    {"tidings_journal_oldest_timestamp_seconds",
     "Unix time at which the oldest of them was published; 0 if there is none.", false, oldest_event_value},
    {"tidings_unserved_handlers",
     "Handlers that events are owed to and that nobody serves; at most 20 are "
     "counted.",
     false, unserved_value},
}};
constexpr Metric kState{"tidings_dead_letters_check_state",
                        "Result of check-dead-letters: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.", false,
                        state_value};

std::string label(std::string_view name, std::string_view value) {
  std::string text = std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string labels(const JudgedAnswer& database, const Report& report, bool has_window) {
  const Selection& selection = report.selection;
  std::string text = label("database", database_label(database.answer.path));
  if (selection.event_type) text += "," + label("event_type", *selection.event_type);
  if (selection.handler) text += "," + label("handler", *selection.handler);
  if (selection.service) text += "," + label("service", *selection.service);
  if (has_window) text += "," + label("window", tools::exact_duration(selection.window));
  return "{" + text + "}";
}

std::string render(const Metric& metric, const Report& report, bool is_fact) {
  const std::string name = metric.name;
  std::string text = "# HELP " + name + " " + metric.help + "\n# TYPE " + name + " gauge\n";
  for (const JudgedAnswer& database : report.databases) {
    const bool unknown = is_fact && database.answer.failure.has_value();
    text += name + labels(database, report, metric.has_window) + " " +
            (unknown ? kUnknownValue : metric.value(database)) + "\n";
  }
  return text;
}

}  // namespace

std::string prometheus_text(const Report& report) {
  std::string text;
  for (const Metric& metric : kFacts) text += render(metric, report, true);
  return text + render(kState, report, false);
}

}  // namespace tidings::check_dead_letters
