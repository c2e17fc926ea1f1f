#pragma once

#include "check_dead_letters/check.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tidings::check_dead_letters {

/// The command line, checked.
struct Options {
  std::vector<std::string> databases;
  Selection selection;
  Thresholds thresholds;
  int verbosity = 0;
  bool json = false;
  /// Print nothing if the state is OK.
  bool cron = false;
  std::optional<std::string> prometheus_file;
  std::chrono::seconds timeout = std::chrono::seconds(10);
};

/// --help or --version: print this, check nothing.
struct Information {
  std::string text;
  int exit_status = 0;
};

/// The arguments after the program's name. `environment_databases` is the value of TIDINGS_DB, null when it
/// is not set. Throws Error(InvalidArgument) for every mistake, saying which option is wrong and what to
/// write instead.
[[nodiscard]] std::variant<Options, Information> parse_options(const std::vector<std::string>& arguments,
                                                               const char* environment_databases,
                                                               Timestamp now);

}  // namespace tidings::check_dead_letters
