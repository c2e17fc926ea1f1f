#include "threads_at_once.hpp"

#include <algorithm>
#include <barrier>
#include <exception>
#include <thread>
#include <vector>

namespace tidings::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Run {
  Clock::time_point begin;
  Clock::time_point end;
  std::exception_ptr problem;
};

}  // namespace

Seconds run_at_once(std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::barrier<> start(static_cast<std::ptrdiff_t>(threads));
  std::vector<Run> runs(threads);
  std::vector<std::thread> team;
  for (std::size_t index = 0; index < threads; ++index) {
    team.emplace_back([&, index] {
      Run& run = runs[index];
      start.arrive_and_wait();
      run.begin = Clock::now();
      try {
        work(index);
      } catch (...) {
        run.problem = std::current_exception();
      }
      run.end = Clock::now();
    });
  }
  for (std::thread& thread : team) thread.join();
  for (const Run& run : runs) {
    if (run.problem) std::rethrow_exception(run.problem);
  }
  const auto first = std::min_element(runs.begin(), runs.end(),
                                      [](const Run& a, const Run& b) { return a.begin < b.begin; });
  const auto last =
      std::max_element(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.end < b.end; });
  return last->end - first->begin;
}

}  // namespace tidings::bench
