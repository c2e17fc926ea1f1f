#include "row.hpp"

#include "statistics.hpp"

#include <utility>

namespace tidings::bench {

Row compare(std::string name, std::string unit, const std::vector<double>& figures, std::string yardstick,
            const std::vector<double>& yardsticks, std::optional<Target> target) {
  const std::vector<double> ratios =
      combine(figures, yardsticks, [](double figure, double other) { return figure / other; });
  return {.name = std::move(name),
          .figure = median(figures),
          .unit = std::move(unit),
          .yardstick = Yardstick{std::move(yardstick), median(yardsticks)},
          .ratio = median(ratios),
          .spread = relative_spread(ratios),
          .target = target};
}

Row absolute(std::string name, std::string unit, const std::vector<double>& figures,
             std::optional<Target> target) {
  return {.name = std::move(name),
          .figure = median(figures),
          .unit = std::move(unit),
          .yardstick = std::nullopt,
          .ratio = std::nullopt,
          .spread = relative_spread(figures),
          .target = target};
}

}  // namespace tidings::bench
