#include "settings/environment.hpp"

#include <tidings/detail/quoted.hpp>

#include <charconv>
#include <cstdlib>
#include <system_error>

namespace tidings::telemetry {
namespace {

/// About 24 days: more than anybody needs, and libcurl takes it on all systems.
constexpr std::uint64_t kMostMilliseconds = 2'000'000'000;

}  // namespace

EnvironmentReader::Found EnvironmentReader::first_of(const std::vector<std::string>& variables) const {
  for (const std::string& variable : variables) {
    const char* const value = lookup_(variable.c_str());
    if (value != nullptr && *value != '\0') return {variable, value};
  }
  return {};
}

std::string EnvironmentReader::word(const Found& found) {
  std::string text = found.value;
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool EnvironmentReader::boolean(const std::string& variable) {
  const std::string value = word(first_of({variable}));
  if (!value.empty() && value != "true" && value != "false")
    note(variable, detail::quoted(value) + " is neither true nor false", "false");
  return value == "true";
}

std::uint64_t EnvironmentReader::number(const Found& found, std::uint64_t fallback, std::uint64_t most) {
  if (found.value.empty()) return fallback;
  std::uint64_t number = 0;
  const char* const end = found.value.data() + found.value.size();
  const auto [stop, error] = std::from_chars(found.value.data(), end, number);
  if (error == std::errc() && stop == end && number >= 1 && number <= most) return number;
  note(found.variable, detail::quoted(found.value) + " is no number from 1 to " + std::to_string(most),
       std::to_string(fallback));
  return fallback;
}

std::chrono::milliseconds EnvironmentReader::milliseconds(const Found& found,
                                                          std::chrono::milliseconds fallback) {
  return std::chrono::milliseconds(
      number(found, static_cast<std::uint64_t>(fallback.count()), kMostMilliseconds));
}

Lookup process_environment() {
  // A race only with a program that changes its environment while threads run, which POSIX forbids anyway.
  return [](const char* variable) { return std::getenv(variable); };  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace tidings::telemetry
