#include "output/environment.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace tidings::logging {

namespace {

constexpr const char* kLevelVariable = "TIDINGS_LOG_LEVEL";
constexpr const char* kFormatVariable = "TIDINGS_LOG_FORMAT";
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

void read_levels(Environment& environment) {
  std::string_view rest = variable(kLevelVariable);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view entry = trimmed(rest.substr(0, comma));
    if (!entry.empty()) read_level_entry(entry, environment);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
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
  check_redaction(environment);
  return environment;
}

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

bool colour_allowed() noexcept { return variable("NO_COLOR").empty() && variable("TERM") != "dumb"; }

}  // namespace tidings::logging
