#include "comparison.hpp"
#include "rows.hpp"
#include "settings.hpp"
#include "table.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings::bench {

namespace {

constexpr int kExitFailed = 1;         // a measurement whose work was not done, or one that is worse
constexpr int kExitUsage = 64;         // EX_USAGE of sysexits.h
constexpr int kExitCannotCreate = 73;  // EX_CANTCREAT of sysexits.h

std::vector<Measurement> all_measurements() {
  std::vector<Measurement> measurements;
  add_footprint_rows(measurements);  // before anything else has filled the heap
  add_dispatch_rows(measurements);
  add_scaling_rows(measurements);
  add_breadth_rows(measurements);
  add_allocation_rows(measurements);
  add_queue_rows(measurements);
  add_letter_rows(measurements);
  add_failure_rows(measurements);
  add_durable_rows(measurements);
  add_recovery_rows(measurements);
  add_tool_rows(measurements);
  add_record_rows(measurements);
  add_storm_rows(measurements);
  add_telemetry_rows(measurements);
  add_outage_rows(measurements);
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

/// Empty if none is wanted. Throws now, and not after minutes, if it is of no use.
std::string read_old_table(const std::string& file) {
  if (file.empty()) return "";
  std::ifstream old(file);
  if (!old)
    throw std::runtime_error("cannot read " + file + ": give --compare a file that --json has written");
  std::string json{std::istreambuf_iterator<char>(old), std::istreambuf_iterator<char>()};
  static_cast<void>(compare_with(json, {}));
  return json;
}

int report_changes(const std::string& old, const std::vector<Row>& rows) {
  const Comparison comparison = compare_with(old, rows);
  std::cout << '\n' << comparison.text;
  return comparison.any_worse ? kExitFailed : 0;
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
  const std::string old = read_old_table(settings.compare_file);
  const std::string machine = describe_machine();
  std::cout << machine << "\n\n" << std::flush;
  const std::vector<Row> rows = measure_all(settings);
  std::cout << to_text(rows);
  if (json.is_open() && !(json << to_json(rows, machine, settings.quick)).flush()) {
    std::cerr << "cannot write " << settings.json_file << '\n';
    return kExitCannotCreate;
  }
  return old.empty() ? 0 : report_changes(old, rows);
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
    std::cerr << "tidings_bench: " << error.what() << '\n';
    return tidings::bench::kExitFailed;
  }
}
