#include "check_dead_letters/options.hpp"

#include "check_dead_letters/printable.hpp"
#include "text/duration.hpp"
#include "text/help_text.hpp"
#include "text/time.hpp"

#include <tidings/error.hpp>
#include <tidings/event.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::seconds;

constexpr std::string_view kVersion = "check-dead-letters (tidings) " CHECK_DEAD_LETTERS_VERSION "\n";
constexpr std::size_t kQuoted = 80;
constexpr seconds kLongestTimeout = std::chrono::hours(1);
constexpr const char* kRangeRule =
    "is not a range; write 10 (more than 10 alerts), 10: (less than 10), ~:10, 10:20, or @10:20 (inside)";
constexpr const char* kAgeRule =
    "is not a range of ages; write 30m (older alerts), 3600 (seconds), or 10m:2h";
constexpr const char* kFooter =
    "RANGE is [@][start:][end]: alert outside of start..end, with @ inside;\n"
    "~ is minus infinity.\n"
    "WINDOW and ages are whole numbers with units: 90s, 30m, 1h, 1h30m, 2d, 1w.\n"
    "A WINDOW may also be when it begins: a day (2026-11-21) or\n"
    "2026-11-21T09:30:00Z, in UTC unless it says otherwise (+01:00).\n"
    "Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n"
    "The manual: man check-dead-letters\n";

/// The command line as it was typed.
struct RawOptions {
  std::vector<std::string> databases;
  std::string since = "1h";
  std::string warning = "0";
  std::optional<std::string> critical;
  std::optional<std::string> oldest_warning;
  std::optional<std::string> oldest_critical;
  std::optional<std::string> event_type;
  std::optional<std::string> handler;
  std::optional<std::string> service;
  std::optional<std::string> prometheus_file;
  std::string timeout = "10";
  int verbosity = 0;
  bool json = false;
  bool cron = false;
  bool plugin_mode = false;
};

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::InvalidArgument, message); }

[[noreturn]] void refuse(const char* option, std::string_view value, const std::string& rule) {
  refuse(std::string(option) + ": \"" + printable(value, kQuoted) + "\" " + rule);
}

void add_questions(CLI::App& app, RawOptions& raw) {
  app.add_option("--db", raw.databases,
                 "Database to check; may be repeated (default: $TIDINGS_DB, colon-separated)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--since", raw.since, "Count letters that failed within this time (default 1h)")
      ->type_name("WINDOW");
  app.add_option("--type", raw.event_type, "Only letters of this event type")->type_name("NAME");
  app.add_option("--handler", raw.handler, "Only letters of this handler")->type_name("NAME");
  app.add_option("--service", raw.service, "Only letters of this service")->type_name("NAME");
}

void add_thresholds(CLI::App& app, RawOptions& raw) {
  app.add_option("-w,--warning", raw.warning,
                 "WARNING by the number of unresolved letters in the window (default 0: any)")
      ->type_name("RANGE");
  app.add_option("-c,--critical", raw.critical, "CRITICAL by the same")->type_name("RANGE");
  app.add_option("--oldest-warning", raw.oldest_warning,
                 "WARNING by the age of the oldest unresolved letter, e.g. 1d")
      ->type_name("RANGE");
  app.add_option("--oldest-critical", raw.oldest_critical, "CRITICAL by the same")->type_name("RANGE");
}

void add_output(CLI::App& app, RawOptions& raw) {
  app.add_flag("-v,--verbose", raw.verbosity, "Say more: -v causes, -vv sample errors, -vvv newest letters");
  app.add_flag("--json", raw.json, "Print one JSON object");
  app.add_flag("--cron", raw.cron, "Print nothing when all is well");
  app.add_option("--prometheus", raw.prometheus_file,
                 "Also write metrics for node_exporter's textfile collector")
      ->type_name("FILE");
  app.add_option("-t,--timeout", raw.timeout, "Give up, as UNKNOWN, after this time (default 10: seconds)")
      ->type_name("TIME");
  app.add_flag("--plugin-mode", raw.plugin_mode, "--help and --version exit 3, as monitoring plugins do");
}

Range require_range(const char* option, const std::string& text) {
  const auto range = Range::parse(text);
  if (!range) refuse(option, text, kRangeRule);
  return *range;
}

Range require_age_range(const char* option, const std::string& text) {
  const auto range = Range::parse_age(text);
  if (!range) refuse(option, text, kAgeRule);
  return *range;
}

/// The window as a length, or as its beginning, in which case it is rounded up so that it includes failures
/// at that moment.
seconds require_window(const std::string& text, Timestamp now) {
  const auto begin = tools::parse_begin(text, now);
  const auto window = begin ? std::chrono::ceil<seconds>(now - *begin) : seconds(0);
  if (window < seconds(1) || window > tools::kLongestDuration) {
    refuse("--since", text,
           "is not a time from 1s to 36500d; write for example 1h, 30m, 2d, 90s or 1h30m, or a past day or"
           " time (2026-11-21, 2026-11-21T09:30:00Z; UTC)");
  }
  return window;
}

seconds require_timeout(const std::string& text) {
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto timeout = tools::parse_duration(digits ? text + "s" : text);
  if (!timeout || *timeout < seconds(1) || *timeout > kLongestTimeout) {
    refuse("--timeout", text, "is not a time from 1s to 1h; write for example 10 (seconds) or 1m");
  }
  return *timeout;
}

/// With a name that no event, handler or service can have, the check would always be OK.
void require_name(const char* option, const std::optional<std::string>& name) {
  if (name && !is_valid_name(*name)) {
    refuse(option, *name,
           "cannot be a name; names are 1 to 200 visible ASCII characters without quotes and backslash");
  }
}

std::vector<std::string> split_at_colons(std::string_view list) {
  std::vector<std::string> parts;
  for (std::size_t colon = list.find(':'); colon != std::string_view::npos; colon = list.find(':')) {
    parts.emplace_back(list.substr(0, colon));
    list.remove_prefix(colon + 1);
  }
  parts.emplace_back(list);
  return parts;
}

std::vector<std::string> choose_databases(const RawOptions& raw, const char* environment) {
  const bool from_environment = raw.databases.empty() && environment != nullptr && *environment != '\0';
  auto databases = from_environment ? split_at_colons(environment) : raw.databases;
  if (databases.empty()) refuse("no database to check; give --db FILE, or set TIDINGS_DB");
  std::vector<std::filesystem::path> seen;
  for (const std::string& database : databases) {
    if (database.empty()) {
      refuse(from_environment ? "TIDINGS_DB has an empty entry; separate file names with single colons"
                              : "--db: the file name is empty; give the database's path");
    }
    const auto path = std::filesystem::path(database).lexically_normal();
    if (std::find(seen.begin(), seen.end(), path) != seen.end()) {
      refuse(printable(database) + " is given twice; name each database once");
    }
    seen.push_back(path);
  }
  return databases;
}

Thresholds check_thresholds(const RawOptions& raw) {
  Thresholds thresholds;
  thresholds.warning = require_range("--warning", raw.warning);
  if (raw.critical) thresholds.critical = require_range("--critical", *raw.critical);
  if (raw.oldest_warning)
    thresholds.oldest_warning = require_age_range("--oldest-warning", *raw.oldest_warning);
  if (raw.oldest_critical)
    thresholds.oldest_critical = require_age_range("--oldest-critical", *raw.oldest_critical);
  return thresholds;
}

Options check_options(const RawOptions& raw, const char* environment, Timestamp now) {
  require_name("--type", raw.event_type);
  require_name("--handler", raw.handler);
  require_name("--service", raw.service);
  if (raw.prometheus_file && raw.prometheus_file->empty())
    refuse("--prometheus: the file name is empty; give a path");
  return {.databases = choose_databases(raw, environment),
          .selection = {.window = require_window(raw.since, now),
                        .event_type = raw.event_type,
                        .handler = raw.handler,
                        .service = raw.service},
          .thresholds = check_thresholds(raw),
          .verbosity = std::min(raw.verbosity, 3),
          .json = raw.json,
          .cron = raw.cron,
          .prometheus_file = raw.prometheus_file,
          .timeout = require_timeout(raw.timeout)};
}

}  // namespace

std::variant<Options, Information> parse_options(const std::vector<std::string>& arguments,
                                                 const char* environment_databases, Timestamp now) {
  CLI::App app("Says whether dead letters wait: for monitoring systems, cron and systemd.",
               "check-dead-letters");
  RawOptions raw;
  add_questions(app, raw);
  add_thresholds(app, raw);
  add_output(app, raw);
  app.set_help_flag("-h,--help", "Print this help");
  app.set_version_flag("-V,--version", std::string(kVersion), "Print the version");
  app.footer(kFooter);
  const auto information_status = [&arguments] {
    return std::find(arguments.begin(), arguments.end(), "--plugin-mode") == arguments.end() ? 0 : 3;
  };
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them in reverse
  } catch (const CLI::CallForHelp&) {
    return Information{tools::fit_help(app.help()), information_status()};
  } catch (const CLI::CallForVersion&) {
    return Information{std::string(kVersion), information_status()};
  } catch (const CLI::ParseError& error) {
    refuse(printable(error.what(), 4 * kQuoted) + "; see check-dead-letters --help");
  }
  return check_options(raw, environment_databases, now);
}

}  // namespace tidings::check_dead_letters
