#include "comparison.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <stdexcept>

namespace tidings::bench {

namespace {

constexpr double kLeastNoise = 0.05;

/// What is left of a row in a file.
struct OldRow {
  double judged = 0;
  double spread = 0;
};

using OldRows = std::map<std::string, OldRow>;

OldRows read(const std::string& text) {
  try {
    OldRows rows;
    for (const auto& row : nlohmann::json::parse(text).at("rows")) {
      const auto& ratio = row.at("ratio");
      const double judged = ratio.is_null() ? row.at("figure").get<double>() : ratio.get<double>();
      rows[row.at("row")] = {judged, row.at("spread")};
    }
    return rows;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("--compare: this is not a table that --json has written: ") +
                             error.what());
  }
}

/// Rates are better when higher, times and counts when lower.
bool more_is_better(const Row& row) {
  return row.target ? row.target->sense == Target::Sense::AtLeast : row.unit.ends_with("/s");
}

/// How many times worse the row has become; below 1 it is better.
double times_worse(const Row& row, double old) {
  const double now = row.judged();
  if (old == 0 || now == 0) return old == now ? 1 : ((now == 0) != more_is_better(row) ? 0 : 1000);
  return more_is_better(row) ? old / now : now / old;
}

std::string line_about(const Row& row, const OldRow& old, double worse, double noise) {
  std::array<char, 160> numbers{};
  std::snprintf(numbers.data(), numbers.size(), ": %.3g, was %.3g: %.0f %% worse, noise %.0f %%\n",
                row.judged(), old.judged, (worse - 1) * 100, noise * 100);
  return row.name + numbers.data();
}

}  // namespace

Comparison compare_with(const std::string& old_json, const std::vector<Row>& rows) {
  const OldRows old_rows = read(old_json);
  std::size_t compared = 0;
  Comparison comparison;
  for (const Row& row : rows) {
    const auto old = old_rows.find(row.name);
    if (old == old_rows.end()) continue;
    ++compared;
    const double noise = std::max(kLeastNoise, row.spread + old->second.spread);
    const double worse = times_worse(row, old->second.judged);
    if (worse <= 1 + noise) continue;
    comparison.any_worse = true;
    comparison.text += line_about(row, old->second, worse, noise);
  }
  if (!comparison.any_worse) comparison.text = "nothing is worse beyond noise\n";
  comparison.text = std::to_string(compared) + " rows compared\n" + comparison.text;
  return comparison;
}

}  // namespace tidings::bench
