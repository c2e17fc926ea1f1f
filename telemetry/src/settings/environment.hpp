#pragma once

#include <tidings/telemetry/exporter_options.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::telemetry {

/// The value of a variable; null if it is not set.
using Lookup = std::function<const char*(const char* variable)>;

/// Reads variables one by one, and notes what is wrong with them. As OpenTelemetry has it, an empty value is
/// as none.
class EnvironmentReader {
 public:
  EnvironmentReader(const Lookup& lookup, std::vector<SettingProblem>& problems)
      : lookup_(lookup), problems_(problems) {}

  /// The first of them that is set; `variable` is empty if none is.
  struct Found {
    std::string variable;
    std::string value;
  };
  [[nodiscard]] Found first_of(const std::vector<std::string>& variables) const;
  [[nodiscard]] std::string text(const std::string& variable) const { return first_of({variable}).value; }

  /// In lower case: names are compared without regard to case.
  [[nodiscard]] static std::string word(const Found& found);
  /// `true` or `false`.
  [[nodiscard]] bool boolean(const std::string& variable);
  /// A number from 1 to `most`; `fallback` if it is none.
  [[nodiscard]] std::uint64_t number(const Found& found, std::uint64_t fallback, std::uint64_t most);
  [[nodiscard]] std::chrono::milliseconds milliseconds(const Found& found,
                                                       std::chrono::milliseconds fallback);

  void note(const std::string& variable, std::string problem, std::string used_instead) {
    problems_.push_back({variable, std::move(problem), std::move(used_instead)});
  }

 private:
  const Lookup& lookup_;
  std::vector<SettingProblem>& problems_;
};

/// ExporterOptions::from_environment, of this environment.
[[nodiscard]] ExporterOptions exporter_options_of(const Lookup& lookup, std::string_view service);

/// The environment of the process.
[[nodiscard]] Lookup process_environment();

}  // namespace tidings::telemetry
