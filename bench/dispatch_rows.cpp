#include "inline_contenders.hpp"
#include "processor_time.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "statistics.hpp"

#include <tidings/clock.hpp>
#include <tidings/ids.hpp>
#include <tidings/metadata.hpp>

#ifdef TIDINGS_BENCH_HAS_SIGCXX
#include <sigc++/signal.h>
#endif

#include <chrono>
#include <string>
#include <utility>

// Inline dispatch on one thread. A repetition lasts some milliseconds of processor time.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kHandlerCalls = 80'000;  // of each repetition
constexpr std::uint64_t kStamps = 20'000;

std::uint64_t events_for(std::uint64_t handlers) { return kHandlerCalls / (handlers + 3); }

std::string slots(std::uint64_t handlers) {
  return std::to_string(handlers) + (handlers == 1 ? " slot" : " slots");
}

/// What publish knows of an event before it looks for handlers: a time, an id, and whole metadata.
void stamp(std::uint64_t events) {
  const auto clock = system_clock();
  const auto ids = uuid_v7_source();
  const std::string source = "bench";
  for (std::uint64_t number = 0; number < events; ++number) {
    Metadata metadata;
    metadata.published_at = clock->now();
    metadata.event_id = ids->next(metadata.published_at);
    metadata.correlation_id = CorrelationId(metadata.event_id);
    metadata.source = Text::borrow(source);
    benchmark::DoNotOptimize(metadata);
  }
}

void read_clock(std::uint64_t times) {
  for (std::uint64_t number = 0; number < times; ++number) {
    auto now = std::chrono::system_clock::now();
    benchmark::DoNotOptimize(now);
  }
}

std::string publish_row(std::uint64_t handlers) {
  return "publish, stamped, " + std::to_string(handlers) +
         (handlers == 1 ? " inline handler" : " inline handlers");
}

const std::string kLessStampingRow = "publish less stamping, 4 inline handlers";
const std::string kStampingRow = "stamping alone";

std::vector<Row> measure_four(const Settings& settings) {
  constexpr std::uint64_t kHandlers = 4;
  const std::uint64_t events = events_for(kHandlers);
  Bus bus{quiet_bus()};
  TidingsContender tidings(bus, kHandlers);
  Signals2Contender signals2(kHandlers);
  RawLoopContender raw(kHandlers);
  const auto series = take_turns(
      settings.short_rounds(),
      {[&] { return nanoseconds_each(events, tidings); }, [&] { return nanoseconds_each(events, signals2); },
       [&] { return nanoseconds_each(events, raw); }, [&] { return nanoseconds_each(kStamps, stamp); },
       [&] { return nanoseconds_each(kStamps, read_clock); }});
  const std::vector<double> rest =
      combine(series[0], series[3], [](double publish, double stamping) { return publish - stamping; });
  return {compare(publish_row(kHandlers), "ns", series[0], "Boost.Signals2, " + slots(kHandlers), series[1],
                  at_most(0.5)),
          compare(kLessStampingRow, "ns", rest, "loop over std::function", series[2], at_most(2.0)),
          compare(kStampingRow, "ns", series[3], "reading the clock", series[4], std::nullopt)};
}

std::vector<Row> measure_publish(const Settings& settings, std::uint64_t handlers) {
  const std::uint64_t events = events_for(handlers);
  Bus bus{quiet_bus()};
  TidingsContender tidings(bus, handlers);
  Signals2Contender signals2(handlers);
  const auto series =
      take_turns(settings.short_rounds(), {[&] { return nanoseconds_each(events, tidings); },
                                           [&] { return nanoseconds_each(events, signals2); }});
  return {compare(publish_row(handlers), "ns", series[0], "Boost.Signals2, " + slots(handlers), series[1],
                  std::nullopt)};
}

#ifdef TIDINGS_BENCH_HAS_SIGCXX
const std::string kSigcRow = "publish, stamped, 4 handlers, libsigc++";

class SigcContender {
 public:
  explicit SigcContender(std::uint64_t handlers) : handlers_(handlers) {
    for (std::uint64_t weight = 1; weight <= handlers; ++weight) signal_.connect(Handle(weight));
  }
  void operator()(std::uint64_t events) {
    checked(handlers_, events,
            [&] { publish_each(events, [&](const OrderPlaced& event) { signal_.emit(event); }); });
  }

 private:
  std::uint64_t handlers_;
  sigc::signal<void, const OrderPlaced&> signal_;
};

std::vector<Row> measure_sigc(const Settings& settings) {
  constexpr std::uint64_t kHandlers = 4;
  const std::uint64_t events = events_for(kHandlers);
  Bus bus{quiet_bus()};
  TidingsContender tidings(bus, kHandlers);
  SigcContender sigc(kHandlers);
  const auto series = take_turns(settings.short_rounds(), {[&] { return nanoseconds_each(events, tidings); },
                                                           [&] { return nanoseconds_each(events, sigc); }});
  return {
      compare(kSigcRow, "ns", series[0], "libsigc++ (one thread only), 4 slots", series[1], std::nullopt)};
}
#endif

}  // namespace

void add_dispatch_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{publish_row(4), kLessStampingRow, kStampingRow}, measure_four});
  for (const std::uint64_t handlers : {1U, 16U}) {
    measurements.push_back({{publish_row(handlers)}, [handlers](const Settings& settings) {
                              return measure_publish(settings, handlers);
                            }});
  }
#ifdef TIDINGS_BENCH_HAS_SIGCXX
  measurements.push_back({{kSigcRow}, measure_sigc});
#endif
}

}  // namespace tidings::bench
