#include "output/environment.hpp"

#include <tidings/event.hpp>
#include <tidings/process_identity.hpp>

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tidings::logging {

namespace {

constexpr const char* kLevelVariable = "TIDINGS_LOG_LEVEL";
constexpr const char* kFormatVariable = "TIDINGS_LOG_FORMAT";
constexpr const char* kProcessFieldsVariable = "TIDINGS_LOG_PROCESS_FIELDS";
constexpr const char* kRedactionVariable = "TIDINGS_REDACTION";  // default_redactor() reads it

std::string_view variable(const char* name) noexcept {
  // A race only with a program that changes its environment while threads run, which POSIX forbids anyway.
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

void read_level_entry(std::string_view entry, Environment& environment) {
  const std::size_t equals = entry.find('=');
  const bool for_all = equals == std::string_view::npos;
  const auto level = parse_level(trimmed(for_all ? entry : entry.substr(equals + 1)));
  if (!level) {
    environment.problems.push_back(
        {kLevelVariable, std::string(entry),
         "LEVEL or LOGGER=LEVEL, comma-separated; levels are trace, debug, info, warning, "
         "error, critical, off"});
  } else if (for_all) {
    environment.level = level;
  } else {
    environment.level_by_prefix.emplace_back(trimmed(entry.substr(0, equals)), *level);
  }
}

/// Calls `read` with each part that is not empty.
template <class Read>
void for_each_entry(std::string_view rest, const Read& read) {
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view entry = trimmed(rest.substr(0, comma));
    if (!entry.empty()) read(entry);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
}

void read_levels(Environment& environment) {
  for_each_entry(variable(kLevelVariable),
                 [&](std::string_view entry) { read_level_entry(entry, environment); });
}

/// False if there is no such field.
bool choose(std::string_view name, ProcessFields& fields) noexcept {
  if (name == "all" || name == "none") {
    fields = name == "all" ? ProcessFields::all() : ProcessFields::none();
    return true;
  }
  const std::array<std::pair<std::string_view, bool*>, 5> known = {{{"environment", &fields.environment},
                                                                    {"release", &fields.release},
                                                                    {"host", &fields.host},
                                                                    {"pid", &fields.pid},
                                                                    {"thread", &fields.thread}}};
  for (const auto& [each, chosen] : known) {
    if (each == name) *chosen = true;
    if (each == name) return true;
  }
  return false;
}

void read_process_fields(Environment& environment) {
  for_each_entry(variable(kProcessFieldsVariable), [&](std::string_view entry) {
    ProcessFields fields = environment.process_fields.value_or(ProcessFields::none());
    if (choose(entry, fields)) {
      environment.process_fields = fields;
    } else {
      environment.problems.push_back(
          {kProcessFieldsVariable, std::string(entry),
           "all, none, or a list of environment, release, host, pid and thread, comma-separated"});
    }
  });
}

/// process_identity() reads them at its first call, and takes what it cannot use for not set.
void check_process_identity(Environment& environment) {
  static_cast<void>(process_identity());
  for (const char* name : {"TIDINGS_ENVIRONMENT", "TIDINGS_RELEASE"}) {
    const std::string_view value = variable(name);
    if (value.empty() || is_valid_name(value)) continue;
    environment.problems.push_back(
        {name, std::string(value), "1 to 200 visible ASCII characters without quotes and backslash"});
  }
}

void read_format(Environment& environment) {
  const std::string_view value = trimmed(variable(kFormatVariable));
  if (value == "json") {
    environment.format = Format::Json;
  } else if (value == "console") {
    environment.format = Format::Console;
  } else if (!value.empty() && value != "auto") {
    environment.problems.push_back({kFormatVariable, std::string(value), "auto, json or console"});
  }
}

void check_redaction(Environment& environment) {
  const std::string_view value = variable(kRedactionVariable);
  if (value.empty() || value == "secrets" || value == "personal_data") return;
  environment.problems.push_back(
      {kRedactionVariable, std::string(value), "secrets or personal_data; personal data is masked"});
}

}  // namespace

Environment Environment::read() {
  Environment environment;
  read_levels(environment);
  read_format(environment);
  read_process_fields(environment);
  check_process_identity(environment);
  check_redaction(environment);
  return environment;
}

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

bool colour_allowed() noexcept { return variable("NO_COLOR").empty() && variable("TERM") != "dumb"; }

}  // namespace tidings::logging
