#include "settings.hpp"

#include <CLI/CLI.hpp>

namespace tidings::bench {

namespace {

constexpr int kExitUsage = 64;  // EX_USAGE of sysexits.h

}  // namespace

std::optional<Settings> parse_command_line(int argc, char** argv, int& exit_code) {
  CLI::App app(
      "Measures tidings beside yardsticks in the same run and prints one table: see docs/performance.md.");
  Settings settings;
  std::string only;
  app.add_option("--json", settings.json_file, "Write the table to FILE as JSON too")->type_name("FILE");
  app.add_option("--compare", settings.compare_file,
                 "Say what is worse than in FILE, which --json has written")
      ->type_name("FILE");
  app.add_option("--only", only, "Only the rows whose name this is found in")->type_name("REGEX");
  app.add_flag("--quick", settings.quick, "Fewer repetitions and smaller tables: under two minutes");
  try {
    app.parse(argc, argv);
    if (!only.empty()) settings.only.emplace(only, std::regex::ECMAScript | std::regex::icase);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : kExitUsage;
    return std::nullopt;
  } catch (const std::regex_error& error) {
    std::cerr << "--only: '" << only << "' is not a regular expression: " << error.what() << '\n';
    exit_code = kExitUsage;
    return std::nullopt;
  }
  return settings;
}

}  // namespace tidings::bench
