#pragma once

#include <string>

namespace tidings::telemetry {

/// An environment variable that could not be understood. Has no values of headers or URLs.
struct SettingProblem {
  std::string variable;
  std::string problem;
  std::string used_instead;

  friend bool operator==(const SettingProblem&, const SettingProblem&) = default;
};

}  // namespace tidings::telemetry
