#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tidings::bench {

double quantile(std::vector<double> values, double part) {
  if (values.empty()) throw std::invalid_argument("no values");
  std::sort(values.begin(), values.end());
  const double position = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  const double rest = position - static_cast<double>(below);
  return values[below] + (values[above] - values[below]) * rest;
}

double median(const std::vector<double>& values) { return quantile(values, 0.5); }

double relative_spread(const std::vector<double>& values) {
  const double middle = median(values);
  if (middle == 0) return 0;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / std::abs(middle);
}

std::vector<double> combine(const std::vector<double>& left, const std::vector<double>& right,
                            const std::function<double(double, double)>& operation) {
  if (left.size() != right.size()) throw std::invalid_argument("the series differ in length");
  std::vector<double> combined;
  std::transform(left.begin(), left.end(), right.begin(), std::back_inserter(combined), operation);
  return combined;
}

std::vector<std::vector<double>> take_turns(std::size_t rounds, const std::vector<Contender>& contenders) {
  for (const Contender& warm_up : contenders) static_cast<void>(warm_up());
  std::vector<std::vector<double>> series(contenders.size());
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
      const std::size_t index = (round + turn) % contenders.size();
      series[index].push_back(contenders[index]());
    }
  }
  return series;
}

}  // namespace tidings::bench
