#include "rows.hpp"
#include "settings.hpp"
#include "table.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace tidings::bench {

namespace {

constexpr int kExitFailed = 1;         // a measurement whose work was not done
constexpr int kExitUsage = 64;         // EX_USAGE of sysexits.h
constexpr int kExitCannotCreate = 73;  // EX_CANTCREAT of sysexits.h

std::vector<Measurement> all_measurements() {
  std::vector<Measurement> measurements;
  add_dispatch_rows(measurements);
  add_scaling_rows(measurements);
  add_allocation_rows(measurements);
  add_queue_rows(measurements);
  add_letter_rows(measurements);
  add_idle_rows(measurements);
  add_compile_time_rows(measurements);
  return measurements;
}

bool wanted(const std::string& name, const Settings& settings) {
  return !settings.only || std::regex_search(name, *settings.only);
}

bool any_wanted(const Measurement& measurement, const Settings& settings) {
  return std::any_of(measurement.rows.begin(), measurement.rows.end(),
                     [&](const std::string& name) { return wanted(name, settings); });
}

std::vector<Row> measure_all(const Settings& settings) {
  const bool show_progress = isatty(STDERR_FILENO) == 1;
  std::vector<Row> rows;
  for (const Measurement& measurement : all_measurements()) {
    if (!any_wanted(measurement, settings)) continue;
    if (show_progress) std::cerr << "... " << measurement.rows.front() << std::endl;
    for (Row& row : measurement.run(settings)) {
      if (wanted(row.name, settings)) rows.push_back(std::move(row));
    }
  }
  return rows;
}

bool anything_wanted(const Settings& settings) {
  const auto measurements = all_measurements();
  return std::any_of(measurements.begin(), measurements.end(),
                     [&](const Measurement& measurement) { return any_wanted(measurement, settings); });
}

int run(const Settings& settings) {
  if (!anything_wanted(settings)) {
    std::cerr << "--only: no row has a name like that; without it you see all\n";
    return kExitUsage;
  }
  std::ofstream json;
  if (!settings.json_file.empty()) {
    json.open(settings.json_file);  // before a measurement of minutes
    if (!json) {
      std::cerr << "cannot write " << settings.json_file
                << ": give --json a file in a folder you may write to\n";
      return kExitCannotCreate;
    }
  }
  const std::string machine = describe_machine();
  std::cout << machine << "\n\n" << std::flush;
  const std::vector<Row> rows = measure_all(settings);
  std::cout << to_text(rows);
  if (json.is_open() && !(json << to_json(rows, machine, settings.quick)).flush()) {
    std::cerr << "cannot write " << settings.json_file << '\n';
    return kExitCannotCreate;
  }
  return 0;
}

}  // namespace

}  // namespace tidings::bench

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto settings = tidings::bench::parse_command_line(argc, argv, exit_code);
  if (!settings) return exit_code;
  try {
    return tidings::bench::run(*settings);
  } catch (const std::exception& error) {
    std::cerr << "measuring failed: " << error.what() << '\n';
    return tidings::bench::kExitFailed;
  }
}
