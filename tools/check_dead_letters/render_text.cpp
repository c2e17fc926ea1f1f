#include "check_dead_letters/render_text.hpp"

#include "check_dead_letters/database_label.hpp"
#include "check_dead_letters/printable.hpp"
#include "text/duration.hpp"
#include "text/shell_word.hpp"

#include <algorithm>

#include <cstddef>

namespace tidings::check_dead_letters {
namespace {

constexpr std::size_t kShownError = 300;

std::string range_text(const std::optional<Range>& range) { return range ? range->to_string() : ""; }

std::string failure_text(const Answer& answer) { return printable(answer.failure->message); }

std::string origin(const std::string& event_type, const std::string& handler, const std::string& service) {
  const std::string who = "/" + (handler.empty() ? std::string("(none)") : printable(handler));
  return printable(event_type) + who + " of service " + printable(service);
}

std::string journal_text(const DatabaseFacts& facts, const Report& report) {
  std::string text;
  const auto& journal = facts.journal;
  if (journal.events > 0) {
    text += "; " + std::string(journal.exact ? "" : "at most ") + std::to_string(journal.events) +
            (journal.events == 1 ? " event" : " events") + " owed to handlers";
    if (journal.oldest_published_at) {
      text += " (oldest " + tools::readable_duration(age(*journal.oldest_published_at, report.now)) + ")";
    }
  }
  if (!facts.unserved.empty()) {
    const auto& first = facts.unserved.front();
    text += "; nobody serves " + origin(first.event_type, first.handler, first.service) + " (" +
            std::to_string(first.owed) + " owed)";
    if (facts.unserved.size() > 1) {
      text += " and " + std::string(facts.more_unserved ? "more than " : "") +
              std::to_string(facts.unserved.size() - 1) + " more";
    }
  }
  return text;
}

std::string wal_text(const Answer& answer) {
  constexpr std::uint64_t kMebibyte = 1024UL * 1024;
  const auto& sizes = answer.facts.sizes;
  if (!deadletter::is_wal_large(sizes.wal, sizes.database)) return {};
  return "; its -wal file has grown to " + std::to_string(sizes.wal / kMebibyte) +
         " MiB, as some program reads an old state of it for long: fuser -v " +
         tools::shell_word_of_text(answer.path);
}

std::string facts_text(const Answer& answer, const Report& report) {
  const DatabaseFacts& facts = answer.facts;
  std::string text = std::to_string(facts.unresolved_in_window) + " unresolved in the last " +
                     tools::exact_duration(report.selection.window);
  if (facts.oldest)
    text += " (oldest " + tools::readable_duration(age(facts.oldest->failed_at, report.now)) + ")";
  if (facts.unresolved != facts.unresolved_in_window) {
    text += ", " + std::to_string(facts.unresolved) + " in all";
  }
  if (facts.spill_bytes > 0) {
    text += "; " + std::to_string(facts.spill_bytes) + " bytes of letters wait in " +
            printable(facts.spill_path) + " for a database that works";
  }
  return text + wal_text(answer) + journal_text(facts, report);
}

std::string one_of_many(const JudgedAnswer& database, const Report& report) {
  const Answer& answer = database.answer;
  const std::string state = "[" + std::string(to_string(database.verdict.state)) + "] ";
  if (answer.failure) return state + failure_text(answer);
  return state + printable(answer.path) + ": " + facts_text(answer, report);
}

/// The guidelines' 'label'=value[UOM];warn;crit;min, with quotes only where a label needs them.
std::string performance_data(const Answer& answer, const Report& report, bool alone) {
  const auto label = [&](std::string_view metric) {
    return alone ? std::string(metric)
                 : "'" + performance_label(answer.path) + " " + std::string(metric) + "'";
  };
  const DatabaseFacts& facts = answer.facts;
  const Thresholds& limits = report.thresholds;
  const auto oldest = facts.oldest ? age(facts.oldest->failed_at, report.now).count() : 0;
  std::string text = " " + label("unresolved") + "=" + std::to_string(facts.unresolved_in_window) + ";" +
                     range_text(limits.warning) + ";" + range_text(limits.critical) + ";0";
  text += " " + label("oldest") + "=" + std::to_string(oldest) + "s;" + range_text(limits.oldest_warning) +
          ";" + range_text(limits.oldest_critical);
  if (facts.spill_bytes > 0)
    text += " " + label("spill") + "=" + std::to_string(facts.spill_bytes) + "B;0;;0";
  if (facts.journal.events > 0)
    text += " " + label("owed") + "=" + std::to_string(facts.journal.events) + ";;;0";
  if (!facts.unserved.empty())
    text += " " + label("unserved") + "=" + std::to_string(facts.unserved.size()) + ";0;;0";
  return text;
}

std::string option(std::string_view name, const std::optional<std::string>& value) {
  return value ? " --" + std::string(name) + " " + tools::shell_word_of_text(*value) : "";
}

bool is_about_letters(const Verdict& verdict) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [](std::string_view reason) {
    return reason.starts_with("unresolved_") || reason.starts_with("oldest_");
  });
}

/// The next command for the person who gets the alert, about the first of the worst databases.
std::string next_command(const Report& report) {
  const JudgedAnswer* worst = nullptr;
  for (const auto& database : report.databases) {
    if (database.answer.failure || database.verdict.state == State::Ok) continue;
    if (worst == nullptr || database.verdict.state > worst->verdict.state) worst = &database;
  }
  if (worst == nullptr) return "";
  const Selection& selection = report.selection;
  const std::string verb = is_about_letters(worst->verdict)
                               ? "groups" + option("type", selection.event_type) +
                                     option("handler", selection.handler) +
                                     option("service", selection.service)
                               : "doctor";
  return "; next: dead-letters --db " + tools::shell_word_of_text(worst->answer.path) + " " + verb;
}

std::string first_line(const Report& report) {
  std::string data;
  for (const auto& database : report.databases) {
    if (!database.answer.failure)
      data += performance_data(database.answer, report, report.databases.size() == 1);
  }
  return "DEADLETTERS " + std::string(to_string(overall_state(report))) + ": " + summary(report) +
         next_command(report) + (data.empty() ? "\n" : " |" + data + "\n");
}

std::string ago(Timestamp time, Timestamp now) { return tools::readable_duration(age(time, now)) + " ago"; }

std::string letter_line(std::string_view title, const LetterFacts& letter, const Report& report) {
  return "  " + std::string(title) + ": letter " + std::to_string(letter.id) + ", " +
         origin(letter.event_type, letter.handler, letter.service) + ", " + printable(letter.error_type) +
         ", failed " + to_rfc3339(letter.failed_at) + " (" + ago(letter.failed_at, report.now) + "), event " +
         printable(letter.event_id) + ", correlation id " + printable(letter.correlation_id) + "\n";
}

std::string types_of(const deadletter::Group& group) {
  return group.event_types == 1 ? group.event_type : std::to_string(group.event_types) + " event types";
}

std::string group_lines(const deadletter::Group& group, const Report& report) {
  std::string text = "  " + std::to_string(group.count) + " x " +
                     origin(types_of(group), group.handler, group.service) + ": " +
                     printable(group.error_type) + ", newest " + ago(group.last_failed_at, report.now) +
                     ", cause " + printable(group.fingerprint) + "\n";
  if (report.verbosity >= 2) text += "      " + printable(group.sample_error, kShownError) + "\n";
  return text;
}

std::string unserved_line(const deadletter::UnservedHandler& handler, const Report& report) {
  return "  nobody serves " + origin(handler.event_type, handler.handler, handler.service) + ": " +
         std::to_string(handler.owed) + " owed, since " + to_rfc3339(handler.since) + " (" +
         ago(handler.since, report.now) + ")\n";
}

std::string unknown_name_line(const DatabaseFacts::UnknownName& unknown) {
  std::string text = "  no unresolved letter has the " + unknown.what + " " + printable(unknown.name);
  for (std::size_t i = 0; i < unknown.near.size(); ++i)
    text += (i == 0 ? "; near it: " : ", ") + printable(unknown.near[i]);
  return text + "\n";
}

std::string details(const JudgedAnswer& database, const Report& report) {
  const Answer& answer = database.answer;
  std::string text = one_of_many(database, report) + "\n";
  if (answer.failure) return text;
  const DatabaseFacts& facts = answer.facts;
  if (facts.oldest) text += letter_line("oldest", *facts.oldest, report);
  for (const auto& group : facts.groups) text += group_lines(group, report);
  if (facts.more_groups) text += "  and more causes\n";
  for (const auto& handler : facts.unserved) text += unserved_line(handler, report);
  for (const auto& unknown : facts.unknown_names) text += unknown_name_line(unknown);
  for (const auto& letter : facts.newest) text += letter_line("newest", letter, report);
  return text;
}

}  // namespace

std::string summary(const Report& report) {
  std::string text;
  for (const auto& database : report.databases) {
    if (!text.empty()) text += "; ";
    if (report.databases.size() > 1) {
      text += one_of_many(database, report);
    } else {
      text += database.answer.failure ? failure_text(database.answer) : facts_text(database.answer, report);
    }
  }
  for (const std::string& problem : report.problems) text += (text.empty() ? "" : "; ") + printable(problem);
  return text;
}

std::string render_text(const Report& report) {
  std::string text = first_line(report);
  if (report.verbosity == 0) return text;
  for (const auto& database : report.databases) text += details(database, report);
  return text;
}

std::string render_usage_error_text(std::string_view message) {
  return "DEADLETTERS UNKNOWN: " + printable(message) + "\n";
}

}  // namespace tidings::check_dead_letters
