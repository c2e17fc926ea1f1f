#pragma once

#include "settings.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tidings::bench {

/// A bound on a row's ratio, or on its figure when it has no yardstick.
struct Target {
  enum class Sense { AtMost, AtLeast };
  Sense sense = Sense::AtMost;
  double bound = 0;
};

[[nodiscard]] inline Target at_most(double bound) { return {Target::Sense::AtMost, bound}; }
[[nodiscard]] inline Target at_least(double bound) { return {Target::Sense::AtLeast, bound}; }

/// What the figure is held against, measured in the same run, alternating with it.
struct Yardstick {
  std::string name;
  double figure = 0;
};

/// One line of the table. All numbers are medians over the repetitions.
struct Row {
  std::string name;
  double figure = 0;
  std::string unit;
  std::optional<Yardstick> yardstick;
  /// Median of the ratios of the repetitions, each of figure and yardstick of one moment.
  std::optional<double> ratio;
  /// Distance between the quartiles of the ratio (of the figure, where there is no ratio), as a part of the
  /// median.
  double spread = 0;
  std::optional<Target> target;

  /// What the target is a bound on.
  [[nodiscard]] double judged() const noexcept { return ratio.value_or(figure); }
  [[nodiscard]] std::optional<bool> met() const noexcept {
    if (!target) return std::nullopt;
    return target->sense == Target::Sense::AtMost ? judged() <= target->bound : judged() >= target->bound;
  }
};

/// Measures that belong together, because rows share them.
struct Measurement {
  /// The names of the rows that `run` returns, in their order.
  std::vector<std::string> rows;
  /// Throws std::runtime_error when what it measured did not do its work.
  std::function<std::vector<Row>(const Settings&)> run;
};

/// A row about two series that were measured in turn.
[[nodiscard]] Row compare(std::string name, std::string unit, const std::vector<double>& figures,
                          std::string yardstick, const std::vector<double>& yardsticks,
                          std::optional<Target> target);
/// A row about a series that has nothing to be held against.
[[nodiscard]] Row absolute(std::string name, std::string unit, const std::vector<double>& figures,
                           std::optional<Target> target);

}  // namespace tidings::bench
