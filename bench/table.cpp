#include "table.hpp"

#include <nlohmann/json.hpp>
#include <tidings/clock.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

namespace tidings::bench {

namespace {

using Cells = std::array<std::string, 7>;
constexpr double kNoisy = 0.2;
const Cells kHead = {"row", "figure", "yardstick", "ratio", "spread", "target", "met"};

/// Three significant digits, without exponent.
std::string number(double value) {
  const double size = std::abs(value);
  const int decimals = size == 0 ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string with_unit(double value, const std::string& unit) {
  return unit.empty() ? number(value) : number(value) + " " + unit;
}

std::string target_text(const Target& target) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s %g",
                target.sense == Target::Sense::AtMost ? "<=" : ">=", target.bound);
  return text.data();
}

Cells cells_of(const Row& row) {
  Cells cells;
  cells[0] = row.name;
  cells[1] = with_unit(row.figure, row.unit);
  cells[2] = row.yardstick ? row.yardstick->name + ": " + with_unit(row.yardstick->figure, row.unit) : "-";
  cells[3] = row.ratio ? number(*row.ratio) : "-";
  cells[4] = std::to_string(std::lround(row.spread * 100)) + " %";
  cells[5] = row.target ? target_text(*row.target) : "-";
  cells[6] = !row.met() ? "-" : *row.met() ? "yes" : "NO";
  return cells;
}

std::string line_of(const Cells& cells, const std::array<std::size_t, 7>& widths) {
  std::string line;
  for (std::size_t column = 0; column < cells.size(); ++column) {
    line += cells[column] + std::string(widths[column] - cells[column].size() + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string first_value(const char* file, std::string_view label) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(label)) continue;
    const std::size_t value = line.find_first_not_of(" \t:", label.size());
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Row& row) {
  nlohmann::ordered_json json;
  json["row"] = row.name;
  json["figure"] = row.figure;
  json["unit"] = row.unit;
  json["yardstick"] = row.yardstick ? nlohmann::ordered_json(row.yardstick->figure) : nullptr;
  json["yardstick_name"] = row.yardstick ? nlohmann::ordered_json(row.yardstick->name) : nullptr;
  json["ratio"] = or_null(row.ratio);
  json["spread"] = row.spread;
  json["target"] = row.target ? nlohmann::ordered_json(target_text(*row.target)) : nullptr;
  json["met"] = or_null(row.met());
  return json;
}

}  // namespace

std::string to_text(const std::vector<Row>& rows) {
  std::vector<Cells> lines = {kHead};
  for (const Row& row : rows) lines.push_back(cells_of(row));
  std::array<std::size_t, 7> widths{};
  for (const Cells& cells : lines) {
    for (std::size_t column = 0; column < cells.size(); ++column)
      widths[column] = std::max(widths[column], cells[column].size());
  }
  std::string text;
  for (const Cells& cells : lines) text += line_of(cells, widths);
  const bool noisy =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.spread > kNoisy; });
  if (noisy) text += "\nA spread above 20 % is noise: measure those rows again with nothing else running.\n";
  return text;
}

std::string to_json(const std::vector<Row>& rows, const std::string& machine, bool quick) {
  nlohmann::ordered_json json;
  json["date"] = to_rfc3339(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
  json["machine"] = machine;
  json["quick"] = quick;
  json["rows"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) json["rows"].push_back(json_of(row));
  return json.dump(2) + '\n';
}

std::string describe_machine() {
  constexpr double kKibibytesInGibibyte = 1024.0 * 1024.0;
  const std::string memory = first_value("/proc/meminfo", "MemTotal");
  const double gibibytes = memory.empty() ? 0 : std::stod(memory) / kKibibytesInGibibyte;
  return first_value("/proc/cpuinfo", "model name") + ", " +
         std::to_string(std::thread::hardware_concurrency()) + " cores, " + number(gibibytes) + " GiB, " +
#ifdef __clang__
         "Clang " __clang_version__;
#else
         "GCC " __VERSION__;
#endif
}

}  // namespace tidings::bench
