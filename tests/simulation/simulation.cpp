#include "simulation/simulation.hpp"

#include "simulation/plan_generator.hpp"
#include "simulation/shrinking.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace tidings::simulation {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Most of a plan is waiting for disks and timers.
constexpr int kAtOnce = 3;
constexpr int kTries = 20;

}  // namespace

std::optional<Finding> search(std::uint64_t seed, std::chrono::seconds time, Totals& totals) {
  const auto end = SteadyClock::now() + time;
  std::atomic<std::uint64_t> next{seed};
  std::mutex mutex;
  std::optional<Finding> found;
  const auto look = [&] {
    for (bool go_on = true; go_on && SteadyClock::now() < end;) {
      const Plan plan = plan_of(next.fetch_add(1));
      Outcome outcome = simulate(plan);
      const std::lock_guard lock(mutex);
      ++totals.plans;
      totals.lives += outcome.lives;
      totals.kills += outcome.kills;
      totals.quiets += outcome.quiets;
      if (!outcome.broken.empty() && !found) found = Finding{plan, std::move(outcome)};
      go_on = !found;
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kAtOnce; ++thread) threads.emplace_back(look);
  for (std::thread& thread : threads) thread.join();
  return found;
}

Finding shrunk(Finding finding, std::chrono::seconds time) {
  const auto end = SteadyClock::now() + time;
  const auto may_go_on = [&] { return SteadyClock::now() < end; };
  const auto fails = [&](const Plan& plan) {
    for (int time_tried = 0; time_tried < kTries && may_go_on(); ++time_tried) {
      Outcome outcome = simulate(plan);
      if (outcome.broken.empty()) continue;
      finding.outcome = std::move(outcome);
      return true;
    }
    return false;
  };
  finding.plan = shrunk(finding.plan, fails, may_go_on);
  return finding;
}

}  // namespace tidings::simulation
