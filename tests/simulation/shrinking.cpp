#include "simulation/shrinking.hpp"

#include <algorithm>

namespace tidings::simulation {
namespace {

Plan without(const Plan& plan, std::size_t first, std::size_t count) {
  Plan rest = plan;
  const auto from = rest.steps.begin() + static_cast<std::ptrdiff_t>(first);
  rest.steps.erase(from, from + static_cast<std::ptrdiff_t>(std::min(count, rest.steps.size() - first)));
  return rest;
}

}  // namespace

Plan shrunk(Plan plan, const std::function<bool(const Plan&)>& fails,
            const std::function<bool()>& may_go_on) {
  for (std::size_t count = std::max<std::size_t>(plan.steps.size() / 2, 1);;
       count = std::max<std::size_t>(count / 2, 1)) {
    bool smaller = false;
    for (std::size_t first = 0; first < plan.steps.size() && may_go_on();) {
      const Plan candidate = without(plan, first, count);
      if (fails(candidate)) {
        plan = candidate;
        smaller = true;
      } else {
        first += count;
      }
    }
    if (!may_go_on() || (count == 1 && !smaller)) return plan;
  }
}

}  // namespace tidings::simulation
