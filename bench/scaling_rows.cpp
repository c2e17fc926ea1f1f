#include "inline_contenders.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "statistics.hpp"
#include "threads_at_once.hpp"

#include <string>

// The same inline dispatch on one thread and on two at once, sharing the bus (or the loop) and nothing else.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kHandlers = 4;
constexpr std::uint64_t kEventsPerThread = 20'000;
const std::string kRow = "publish on 2 threads / on 1, 4 inline handlers";

template <class Contender>
double nanoseconds_on(std::size_t threads, Contender& contender) {
  const auto took = run_at_once(threads, [&](std::size_t) { contender(kEventsPerThread); });
  return took.count() * 1e9 / static_cast<double>(kEventsPerThread);
}

std::vector<Row> measure(const Settings& settings) {
  Bus bus{quiet_bus()};
  TidingsContender tidings(bus, kHandlers);
  RawLoopContender raw(kHandlers);
  const auto series =
      take_turns(settings.short_rounds(),
                 {[&] { return nanoseconds_on(1, tidings); }, [&] { return nanoseconds_on(2, tidings); },
                  [&] { return nanoseconds_on(1, raw); }, [&] { return nanoseconds_on(2, raw); }});
  const auto quotient = [](double two, double one) { return two / one; };
  return {compare(kRow, "x", combine(series[1], series[0], quotient), "loop over std::function, 2 / 1",
                  combine(series[3], series[2], quotient), at_most(1.2))};
}

}  // namespace

void add_scaling_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
