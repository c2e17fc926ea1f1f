#include "simulation/plan.hpp"
#include "simulation/plan_generator.hpp"
#include "simulation/shrinking.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tidings::simulation {
namespace {

using ::testing::ElementsAre;

TEST(SimulationPlan, IsThatOfItsSeedAndIsReadAsItWasPrinted) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    EXPECT_EQ(parse_plan(to_text(plan_of(seed))), plan_of(seed));
  }
  EXPECT_NE(plan_of(1), plan_of(2));
}

TEST(SimulationPlan, HasEveryKindOfStepInSomeOfAHundredSeeds) {
  std::set<std::string> verbs;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    for (const Step& step : plan_of(seed).steps) verbs.insert(step.verb);
  }
  EXPECT_THAT(verbs, ElementsAre("burst", "clock", "disk", "heal", "join", "kill", "life", "lock", "memory",
                                 "off", "on", "quiet", "redrive", "stop", "tool", "unlock"));
}

TEST(SimulationPlan, ShrinksToTheStepsWithoutWhichItDoesNotFail) {
  Plan plan = plan_of(7);
  plan.steps.insert(plan.steps.begin() + 2, {"clock", {{"hours", "7"}}});
  plan.steps.push_back({"quiet", {{"here", "1"}}});
  const auto fails = [](const Plan& candidate) {
    const auto has = [&](const char* detail) {
      return std::any_of(candidate.steps.begin(), candidate.steps.end(), [&](const Step& step) {
        return step.details.contains(detail) && (step.verb == "quiet" || step.text("hours") == "7");
      });
    };
    return has("hours") && has("here");
  };
  const Plan least = shrunk(plan, fails, [] { return true; });
  ASSERT_EQ(least.steps.size(), 2U);
  EXPECT_EQ(least.steps[0].verb, "clock");
  EXPECT_EQ(least.steps[1].verb, "quiet");
}

}  // namespace
}  // namespace tidings::simulation
