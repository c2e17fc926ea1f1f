#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace tidings::bench {

/// The value that `part` (0 to 1) of the values are below. At least one value.
[[nodiscard]] double quantile(std::vector<double> values, double part);
[[nodiscard]] double median(const std::vector<double>& values);
/// Distance between the quartiles, divided by the median; 0 if the median is.
[[nodiscard]] double relative_spread(const std::vector<double>& values);
/// Pairs two series of equal length.
[[nodiscard]] std::vector<double> combine(const std::vector<double>& left, const std::vector<double>& right,
                                          const std::function<double(double, double)>& operation);

/// Measures one contender once and returns its figure.
using Contender = std::function<double()>;

/// Lets the contenders take turns for `rounds` rounds, each round beginning with another one, so that what
/// disturbs the machine disturbs all of them. One round before is thrown away. Returns one series for each
/// contender.
[[nodiscard]] std::vector<std::vector<double>> take_turns(std::size_t rounds,
                                                          const std::vector<Contender>& contenders);

}  // namespace tidings::bench
