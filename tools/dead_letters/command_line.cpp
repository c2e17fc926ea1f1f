#include "dead_letters/command_line.hpp"

#include "dead_letters/exit_status.hpp"
#include "dead_letters/raw_command_line.hpp"
#include "text/duration.hpp"
#include "text/printable.hpp"
#include "text/time.hpp"

#include <tidings/detail/utf8.hpp>
#include <tidings/error.hpp>
#include <tidings/event.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kQuoted = 80;
constexpr std::size_t kLargestPage = 10'000;

[[noreturn]] void refuse(const std::string& message) { throw Refusal(ExitStatus::Usage, message); }

[[noreturn]] void refuse(const std::string& option, std::string_view value, const std::string& rule) {
  refuse(option + ": \"" + tools::printable(value, kQuoted) + "\" " + rule);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> count_from_1(const char* option, const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto number = parse_number<std::int64_t>(*text);
  if (!number || *number < 1) refuse(option, *text, "is not a whole number from 1; write for example 10");
  return number;
}

std::optional<std::uint32_t> small_count(const char* option, const std::optional<std::string>& text) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  const auto number = count_from_1(option, text);
  if (!number) return std::nullopt;
  if (*number > kMost) refuse(option, *text, "is above " + std::to_string(kMost));
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::string> name(const char* option, const std::optional<std::string>& text) {
  if (text && !is_valid_name(*text)) {
    refuse(option, *text,
           "cannot be a name; names are 1 to 200 visible ASCII characters without quotes and backslash");
  }
  return text;
}

std::optional<Timestamp> time(const char* option, const std::optional<std::string>& text, Timestamp now) {
  if (!text) return std::nullopt;
  if (const auto time = tools::parse_time(*text, now)) return time;
  refuse(option, *text, tools::kTimeRule);
}

/// Letters whose time was printed like this must be found.
std::optional<Timestamp> begin(const char* option, const std::optional<std::string>& text, Timestamp now) {
  if (!text) return std::nullopt;
  if (const auto time = tools::parse_begin(*text, now)) return time;
  refuse(option, *text, tools::kTimeRule);
}

std::optional<std::string> fingerprint(const std::optional<std::string>& text) {
  const bool valid =
      !text || (text->size() == 16 && text->find_first_not_of("0123456789abcdef") == std::string::npos);
  if (!valid) {
    refuse("--fingerprint", *text,
           "is not a cause's fingerprint: 16 characters of 0-9 and a-f, as groups shows it");
  }
  return text;
}

std::optional<Reason> reason(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto known = parse_reason(*text);
  if (!known) {
    refuse("--reason", *text,
           "is not a reason; write exhausted, permanent, causation_loop, unhandled, shutdown, parked, "
           "undecodable"
           " or crashed");
  }
  return known;
}

std::optional<std::string> correlation(const std::optional<std::string>& text) {
  if (text && !CorrelationId::parse(*text)) {
    refuse("--correlation-id", *text, "is not one; they are 1 to 128 visible ASCII characters");
  }
  return text;
}

std::optional<std::string> foreign_id(const std::optional<std::string>& text) {
  if (text && !is_foreign_id(*text)) {
    refuse("--foreign-id", *text,
           "is not one; they are 1 to " + std::to_string(kMaxForeignId) +
               " bytes of UTF-8 without control characters");
  }
  return text;
}

/// A correlation id can be a foreign id too, but not the reverse.
std::string trace_id(const std::string& text) {
  if (!CorrelationId::parse(text) && !is_foreign_id(text)) {
    refuse("trace", text,
           "is neither a correlation id, 1 to 128 visible ASCII characters, nor the id of another system, 1 "
           "to " +
               std::to_string(kMaxForeignId) + " bytes of UTF-8 without control characters");
  }
  return text;
}

/// Splits at the first `=`, so that a value may contain more of them; a pointer cannot.
std::pair<std::string, std::string> pointer_and_value(const char* option, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) refuse(option, text, "has no value; write '/field=value'");
  try {
    deadletter::require_pointer(text.substr(0, equals));
  } catch (const Error& error) {
    refuse(std::string(option) + ": " + error.what());
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// Splits at the first `=`, which no name has.
deadletter::FieldValue field_value(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    refuse("--attribute", text, "has no value; write name=value");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// The stored reason must be text that JSON can represent, or else letters could not be exported.
void require_text(const std::string& option, const std::string& text) {
  if (tidings::detail::is_valid_utf8(text)) return;
  refuse(option, text, "is not UTF-8; write it in UTF-8, or in plain ASCII");
}

void take_states(const RawCommandLine& raw, CommandLine& line) {
  if (int{raw.unresolved} + int{raw.resolved} + int{raw.all} > 1) {
    refuse("--unresolved, --resolved and --all exclude each other; give one");
  }
  const bool asks_for_everything = line.verb == Verb::Stats || line.verb == Verb::Export;
  if (raw.resolved) {
    line.filter.resolved = true;
  } else if (!raw.all && (raw.unresolved || !asks_for_everything)) {
    line.filter.resolved = false;
  }
}

void take_filter(const RawCommandLine& raw, CommandLine& line, Timestamp now) {
  line.filter.event_type = name("--type", raw.event_type);
  line.filter.handler = name("--handler", raw.handler);
  line.filter.service = name("--service", raw.service);
  line.filter.reason = reason(raw.reason);
  line.filter.fingerprint = fingerprint(raw.fingerprint);
  line.filter.correlation_id = correlation(raw.correlation_id);
  line.filter.foreign_id = foreign_id(raw.foreign_id);
  line.filter.since = begin("--since", raw.since, now);
  line.filter.until = time("--until", raw.until, now);
  if (line.filter.since && line.filter.until && *line.filter.since >= *line.filter.until) {
    refuse("--since is not before --until, so that no letter can match; 2d is longer ago than 1h");
  }
  if (raw.by && raw.by->empty())
    refuse("--by", *raw.by, "is no name of a context field; write one such as tenant");
  line.group_by = raw.by;
  for (const auto& each : raw.attributes) line.filter.fields.push_back(field_value(each));
  for (const auto& each : raw.where) {
    auto [pointer, value] = pointer_and_value("--where", each);
    line.filter.where.push_back({std::move(pointer), std::move(value)});
  }
  line.event_id = raw.event_id;
  line.letters = raw.letters;
  line.typed_filters = raw.typed_filters();
  line.chooses = raw.all || !raw.letters.empty() || !line.typed_filters.empty();
}

/// `<failed_at>.<id>`, as a page before printed it.
std::optional<deadletter::Page::Cursor> cursor(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto dot = text->find('.');
  const auto failed_at = parse_number<std::int64_t>(std::string_view(*text).substr(0, dot));
  const auto id = dot == std::string::npos
                      ? std::nullopt
                      : parse_number<std::int64_t>(std::string_view(*text).substr(dot + 1));
  if (!failed_at || !id) refuse("--after", *text, "is not where a page ended; copy it from the page before");
  return deadletter::Page::Cursor{Timestamp(std::chrono::microseconds(*failed_at)), *id};
}

void take_list(const RawCommandLine& raw, CommandLine& line) {
  const auto limit = count_from_1("--limit", raw.limit);
  if (limit && *limit > static_cast<std::int64_t>(kLargestPage)) {
    refuse("--limit", *raw.limit, "is above 10000; page through more with --after, or use export");
  }
  line.limit = static_cast<std::size_t>(limit.value_or(line.verb == Verb::Groups ? 50 : 20));
  line.after = cursor(raw.after);
  const std::string sort = raw.sort.value_or(line.verb == Verb::Groups ? "count" : "newest");
  if (line.verb == Verb::Groups) {
    if (sort != "count" && sort != "last-seen")
      refuse("--sort", sort, "is not an order; write count or last-seen");
    if (sort == "last-seen") line.group_order = deadletter::GroupOrder::ByLastFailure;
    return;
  }
  if (sort != "newest" && sort != "oldest") refuse("--sort", sort, "is not an order; write newest or oldest");
  if (sort == "oldest") line.list_order = deadletter::ListOrder::OldestFirst;
}

std::optional<double> rate(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const std::string_view number =
      std::string_view(*text).substr(0, text->ends_with("/s") ? text->size() - 2 : text->size());
  const auto value = parse_number<double>(number);
  if (!value || !std::isfinite(*value) || *value < 0.001 || *value > 1e6) {
    refuse("--rate", *text, "is not a rate; write letters a second, for example 50/s or 0.5/s");
  }
  return value;
}

void take_retry(const RawCommandLine& raw, CommandLine& line) {
  line.redrive = {.canary = small_count("--canary", raw.canary),
                  .rate = rate(raw.rate),
                  .stop_after = small_count("--stop-after", raw.stop_after)};
  line.wait = raw.wait || raw.timeout;
  if (!raw.timeout) return;
  line.wait_timeout = tools::parse_duration(*raw.timeout);
  if (!line.wait_timeout) {
    refuse("--timeout", *raw.timeout, "is not a time; write for example 30s, 10m or 1h");
  }
}

void take_purge(const RawCommandLine& raw, CommandLine& line, Timestamp now) {
  const Timestamp before = *time("--older-than", raw.older_than.value_or("30d"), now);
  line.purge_unresolved = raw.unresolved;
  line.filter.resolved = !raw.unresolved;
  if (raw.unresolved && raw.older_than) {
    line.filter.until = std::min(line.filter.until.value_or(now), before);
  } else if (!raw.unresolved) {
    line.filter.resolved_before = before;
  }
  line.confirm = count_from_1("--confirm", raw.confirm);
}

void require_choice(const CommandLine& line) {
  if (line.chooses) return;
  if (line.verb == Verb::Erase) {
    refuse("erase was not told which letters: give --correlation-id ID, or --where '/field=value'");
  }
  refuse(line.verb_name +
         " changes letters and was not told which: give letters by number, a filter such as"
         " --fingerprint or --handler, or --all; see dead-letters " +
         line.verb_name + " --help");
}

void take_changing(const RawCommandLine& raw, CommandLine& line) {
  if (line.verb == Verb::Retry || line.verb == Verb::Discard) line.filter.resolved = false;
  if (line.verb == Verb::Undo) {
    line.filter.resolved = true;
    line.filter.resolution = deadletter::Resolution::Discarded;
  }
  if (line.verb == Verb::Erase) {
    if (raw.all) refuse("erase takes no --all; give --correlation-id ID, or --where '/field=value'");
    line.filter.resolved.reset();
  }
  if (!line.letters.empty() && (raw.all || !line.typed_filters.empty())) {
    refuse("give letters or filters, not both: letters by number are exactly those");
  }
  require_choice(line);
}

void take_edit(const RawCommandLine& raw, CommandLine& line) {
  for (const auto& each : raw.set) {
    require_text("--set", each);
    line.changes.push_back(pointer_and_value("--set", each));
  }
  line.file = raw.file.value_or("");
  if (!line.changes.empty() && raw.file) refuse("--set and --file exclude each other; give one");
}

void take_verb(const RawCommandLine& raw, CommandLine& line, Timestamp now) {
  switch (line.verb) {
    case Verb::List:
    case Verb::Groups:
      take_states(raw, line);
      return take_list(raw, line);
    case Verb::Stats:
    case Verb::Export:
      line.file = raw.file.value_or("");
      return take_states(raw, line);
    case Verb::Retry:
      take_retry(raw, line);
      return take_changing(raw, line);
    case Verb::Discard:
      line.note = raw.note.value_or("");
      require_text("--reason", line.note);
      return take_changing(raw, line);
    case Verb::Undo:
    case Verb::Erase:
      return take_changing(raw, line);
    case Verb::Edit:
      return take_edit(raw, line);
    case Verb::Purge:
      return take_purge(raw, line, now);
    case Verb::Trace:
      line.trace_id = trace_id(raw.trace_id.value_or(""));
      return;
    case Verb::Import:
    case Verb::Backup:
    case Verb::Restore:
    case Verb::Recover:
      line.file = raw.file.value_or("");
      return;
    case Verb::NewKey:
      line.file = raw.file.value_or("");
      line.add_key = raw.add_key;
      return;
    case Verb::Doctor:
      line.thorough = raw.thorough;
      return;
    case Verb::Show:
    case Verb::Rekey:
      return;
  }
}

std::string choose_database(const RawCommandLine& raw, const char* environment) {
  if (raw.verb == Verb::NewKey) return raw.database.value_or("");  // needs none
  if (raw.damaged) {
    if (raw.database) refuse("recover: --db and FILE are the same; give one");
    if (raw.damaged->empty()) refuse("recover: the file name is empty; give the database's path");
    return *raw.damaged;
  }
  if (raw.database) {
    if (raw.database->empty()) refuse("--db: the file name is empty; give the database's path");
    return *raw.database;
  }
  std::string text = environment == nullptr ? "" : environment;
  if (text.empty()) refuse("no database; give --db FILE, or set TIDINGS_DB");
  if (text.find(':') != std::string::npos) {
    refuse("TIDINGS_DB names several databases; say which with --db FILE");
  }
  return text;
}

}  // namespace

std::variant<CommandLine, Information> parse_command_line(const std::vector<std::string>& arguments,
                                                          const char* environment_database, Timestamp now) {
  const auto parsed = parse_raw(arguments);
  if (const auto* information = std::get_if<Information>(&parsed)) return *information;
  const auto& raw = std::get<RawCommandLine>(parsed);
  CommandLine line;
  line.verb = raw.verb;
  line.verb_name = verb_names()[static_cast<std::size_t>(raw.verb)];
  line.database = choose_database(raw, environment_database);
  line.database_was_given = raw.database.has_value();
  line.json = raw.json;
  line.quiet = raw.quiet;
  line.no_color = raw.no_color;
  line.reveal = raw.reveal;
  line.dry_run = raw.dry_run;
  line.yes = raw.yes;
  line.key_file = raw.key_file;
  for (const std::string& type : raw.encrypt) line.encrypt.push_back(*name("--encrypt", type));
  take_filter(raw, line, now);
  take_verb(raw, line, now);
  return line;
}

}  // namespace tidings::dead_letters
