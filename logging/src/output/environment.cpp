#include "output/environment.hpp"

#include <tidings/event.hpp>
#include <tidings/process_identity.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>

namespace tidings::logging {

namespace {

constexpr const char* kLevelVariable = "TIDINGS_LOG_LEVEL";
constexpr const char* kFormatVariable = "TIDINGS_LOG_FORMAT";
constexpr const char* kOutputVariable = "TIDINGS_LOG_OUTPUT";
constexpr const char* kRotationVariable = "TIDINGS_LOG_ROTATION";
constexpr const char* kQueueVariable = "TIDINGS_LOG_QUEUE";
constexpr const char* kProcessFieldsVariable = "TIDINGS_LOG_PROCESS_FIELDS";
constexpr const char* kSourceVariable = "TIDINGS_LOG_SOURCE";
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

void read_source(Environment& environment) {
  const std::string_view value = trimmed(variable(kSourceVariable));
  if (value.empty()) return;
  environment.source_from = parse_level(value);
  if (environment.source_from) return;
  environment.problems.push_back(
      {kSourceVariable, std::string(value),
       "the lowest level that says its source: trace, debug, info, warning, error, "
       "critical, off"});
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

bool is_destination(std::string_view text) noexcept {
  return text == "stdout" || text == "stderr" || text.find('/') != std::string_view::npos;
}

void read_output_entry(std::string_view entry, Environment& environment) {
  const std::size_t equals = entry.find('=');
  const bool for_all = equals == std::string_view::npos || entry.find('/') < equals;
  const std::string_view destination = trimmed(for_all ? entry : entry.substr(equals + 1));
  const std::string_view logger = for_all ? std::string_view() : trimmed(entry.substr(0, equals));
  if (!is_destination(destination) || (!for_all && !is_valid_name(logger))) {
    environment.problems.push_back({kOutputVariable, std::string(entry),
                                    "DESTINATION or LOGGER=DESTINATION, comma-separated; destinations are "
                                    "stdout, stderr, and paths with a slash (./app.log)"});
  } else if (for_all) {
    environment.output = destination;
  } else {
    std::erase_if(environment.output_by_prefix, [&](const auto& each) { return each.first == logger; });
    environment.output_by_prefix.emplace_back(logger, destination);
  }
}

void read_outputs(Environment& environment) {
  for_each_entry(variable(kOutputVariable),
                 [&](std::string_view entry) { read_output_entry(entry, environment); });
}

/// A number with one of `units`, each a letter and what it multiplies by. Nullopt if it is none, or too
/// large.
std::optional<std::uint64_t> number_with_unit(std::string_view text,
                                              std::initializer_list<std::pair<char, std::uint64_t>> units) {
  std::uint64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(result.ptr, static_cast<std::size_t>(text.data() + text.size() - result.ptr));
  if (result.ec != std::errc() || unit.size() > 1) return std::nullopt;
  std::uint64_t factor = unit.empty() ? 1 : 0;
  for (const auto& [letter, multiplies] : units) {
    if (!unit.empty() && unit.front() == letter) factor = multiplies;
  }
  if (factor == 0 || number > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
  return number * factor;
}

std::optional<std::uint64_t> bytes_of(std::string_view text) {
  return number_with_unit(text, {{'K', 1024U}, {'M', 1024U * 1024}, {'G', 1024U * 1024 * 1024}});
}

bool read_rotation_entry(std::string_view entry, Environment& environment) {
  const std::size_t equals = std::min(entry.find('='), entry.size() - 1);
  const std::string_view name = trimmed(entry.substr(0, equals));
  const std::string_view text = trimmed(entry.substr(equals + 1));
  std::optional<std::uint64_t> number;
  if (name == "size") {
    number = bytes_of(text);
    environment.rotate_at_bytes = number.value_or(0);
  } else if (name == "age") {
    number = number_with_unit(text, {{'s', 1U}, {'m', 60U}, {'h', 3600U}, {'d', 86'400U}});
    if (number > std::uint64_t{36500} * 86'400) number.reset();
    environment.rotate_after = std::chrono::seconds(number.value_or(0));
  } else if (name == "keep") {
    number = number_with_unit(text, {});
    if (number < 1U || number > 1000U) number.reset();
    if (number) environment.keep_rotated = static_cast<unsigned>(*number);
  }
  return number.has_value();
}

void read_rotation(Environment& environment) {
  for_each_entry(variable(kRotationVariable), [&](std::string_view entry) {
    if (read_rotation_entry(entry, environment)) return;
    environment.problems.push_back({kRotationVariable, std::string(entry),
                                    "size=100M (K, M, G), age=1d (s, m, h, d) and keep=7 (1 to 1000), "
                                    "comma-separated"});
  });
}

void read_queue(Environment& environment) {
  const std::string_view text = trimmed(variable(kQueueVariable));
  if (text.empty()) return;
  const auto bytes = bytes_of(text);
  if (bytes && (*bytes == 0 || (*bytes >= 64 * 1024 && *bytes <= std::uint64_t{1} << 32U))) {
    environment.queue_bytes = *bytes;
  } else {
    environment.problems.push_back({kQueueVariable, std::string(text), "0, or 64K to 4G"});
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
  read_outputs(environment);
  read_rotation(environment);
  read_queue(environment);
  read_process_fields(environment);
  read_source(environment);
  check_process_identity(environment);
  check_redaction(environment);
  return environment;
}

bool colour_allowed() noexcept { return variable("NO_COLOR").empty() && variable("TERM") != "dumb"; }

}  // namespace tidings::logging
