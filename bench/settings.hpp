#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <string>

namespace tidings::bench {

/// What the command line asks for.
struct Settings {
  /// Where to write the table as JSON; empty: nowhere.
  std::string json_file;
  /// A table as JSON, to compare with; empty: none.
  std::string compare_file;
  /// Only rows whose name it is found in.
  std::optional<std::regex> only;
  /// Fewer and shorter repetitions, smaller tables.
  bool quick = false;

  /// Repetitions of a measurement that takes milliseconds.
  [[nodiscard]] std::size_t short_rounds() const noexcept { return quick ? 15 : 61; }
  /// Repetitions of a measurement that takes a second or more.
  [[nodiscard]] std::size_t long_rounds() const noexcept { return quick ? 5 : 9; }
};

/// Nothing if the program is to end with `exit_code`: after --help, or a mistake (which it has explained).
[[nodiscard]] std::optional<Settings> parse_command_line(int argc, char** argv, int& exit_code);

}  // namespace tidings::bench
