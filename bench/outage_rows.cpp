#include "check.hpp"
#include "inline_contenders.hpp"
#include "local_receiver.hpp"
#include "quiet_bus.hpp"
#include "resident_memory.hpp"
#include "rows.hpp"
#include "statistics.hpp"

#include <spdlog/sinks/null_sink.h>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// A receiver of traces that is gone for a minute, under load: every trace is sampled, 10,000 events are
// published a second, each to one inline handler, which is two spans. Nobody listens on the receiver's port
// meanwhile. Then there is a receiver again.

namespace tidings::bench {

namespace {

using std::chrono::steady_clock;
using telemetry::ExportSignal;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::milliseconds kTick{1};
constexpr std::uint64_t kEventsOfATick = 10;
constexpr std::chrono::seconds kWindow{1};
/// What a publish may take longer by its 99th percentile than before the outage: the spread of that figure
/// between seconds in which nothing happens.
constexpr double kMostSlower = 1.2;
constexpr double kMostMebibytes = 8;  // 2,048 spans that wait have about 3
constexpr double kMostGrowth = 0.5;
constexpr std::chrono::seconds kLongestRecovery{30};

const std::string kDuringRow = "publish, all sampled, while the receiver is gone, 99th percentile";
const std::string kAfterRow = "the same once it is back";
const std::string kMemoryRow = "memory that its absence adds";
const std::string kGrowthRow = "of it in its second half";
const std::string kLostRow = "spans lost in it, of all that were made";
const std::string kRecoveryRow = "from its return to the first spans that it gets";

/// What a time has seen, second by second.
struct Windows {
  std::vector<double> tails;      // microseconds: the 99th percentile
  std::vector<double> mebibytes;  // of the process, at its end

  [[nodiscard]] double most_mebibytes() const {
    return *std::max_element(mebibytes.begin(), mebibytes.end());
  }
  /// By how much the most of its second half is above the most of its first.
  [[nodiscard]] double growth_of_second_half() const {
    const auto middle = mebibytes.begin() + static_cast<std::ptrdiff_t>(mebibytes.size() / 2);
    return std::max(
        0.0, *std::max_element(middle, mebibytes.end()) - *std::max_element(mebibytes.begin(), middle));
  }
};

class TracedLoad {
 public:
  TracedLoad()
      : receiver_(std::in_place),
        exporter_(make_exporter()),
        bus_(options()),
        handler_(bus_.subscribe<OrderPlaced>("handler", Handle(1))) {}

  [[nodiscard]] Windows publish_for(std::chrono::seconds time) {
    Windows windows;
    for (std::chrono::seconds passed{0}; passed < time; passed += kWindow) {
      windows.tails.push_back(tail_of_a_window());
      windows.mebibytes.push_back(resident_mebibytes());
    }
    return windows;
  }

  void take_receiver_away() {
    port_ = receiver_->port();
    receiver_.reset();
  }
  /// Seconds until it has spans.
  [[nodiscard]] double bring_receiver_back() {
    receiver_.emplace(port_);
    const auto begin = steady_clock::now();
    while (receiver_->bytes() == 0) {
      static_cast<void>(publish_tick());
      if (steady_clock::now() - begin > kLongestRecovery)
        throw std::runtime_error("the receiver is back, and gets no spans");
    }
    return Seconds(steady_clock::now() - begin).count();
  }

  /// Sends what waits: afterwards every span was sent or is lost.
  void settle() {
    if (!exporter_->flush(kLongestRecovery)) throw std::runtime_error("spans were not sent");
    require_equal(sent() + lost(), made(), "count of spans, sent and lost");
  }
  [[nodiscard]] std::uint64_t made() const noexcept { return 2 * published_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return exporter_->sent(ExportSignal::Traces); }
  [[nodiscard]] std::uint64_t lost() const noexcept { return exporter_->dropped(ExportSignal::Traces); }

 private:
  [[nodiscard]] std::shared_ptr<telemetry::Exporter> make_exporter() const {
    auto options = telemetry::ExporterOptions::from_environment("bench");
    options.traces = {.url = receiver_->url(), .compression = telemetry::Compression::Gzip};
    options.logger =
        logging::Logger({.service = "bench", .sinks = {{std::make_shared<spdlog::sinks::null_sink_mt>()}}});
    return std::make_shared<telemetry::Exporter>(options);
  }
  [[nodiscard]] BusOptions options() const {
    BusOptions options = quiet_bus();
    options.telemetry.observer = std::make_shared<telemetry::Tracer>(exporter_);
    return options;
  }

  double tail_of_a_window() {
    std::vector<double> times;
    const auto end = steady_clock::now() + kWindow;
    while (steady_clock::now() < end) {
      const auto tick = publish_tick();
      times.insert(times.end(), tick.begin(), tick.end());
    }
    return quantile(times, 0.99);
  }
  /// Microseconds of each publish of one tick.
  std::vector<double> publish_tick() {
    next_ = std::max(next_ + kTick, steady_clock::now() - kTick);
    std::this_thread::sleep_until(next_);
    std::vector<double> times;
    for (std::uint64_t event = 0; event < kEventsOfATick; ++event) {
      const auto begin = steady_clock::now();
      bus_.publish(OrderPlaced{static_cast<std::int64_t>(++published_)});
      times.push_back(std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count());
    }
    return times;
  }

  std::optional<LocalReceiver> receiver_;
  std::uint16_t port_ = 0;
  const std::shared_ptr<telemetry::Exporter> exporter_;
  Bus bus_;
  Subscription handler_;
  std::uint64_t published_ = 0;
  steady_clock::time_point next_ = steady_clock::now();
};

/// Seconds that cannot be paired: the ratio is that of the medians, the spread that of the figures.
Row beside_before(const std::string& name, const Windows& windows, const Windows& before,
                  std::optional<Target> target) {
  Row row = compare(name, "us", {median(windows.tails)}, "before", {median(before.tails)}, target);
  row.spread = std::max(relative_spread(windows.tails), relative_spread(before.tails));
  return row;
}

std::vector<Row> measure(const Settings& settings) {
  const std::chrono::seconds quiet(settings.quick ? 3 : 30);
  const std::chrono::seconds outage(settings.quick ? 6 : 60);
  const Tally tally_before = tally;
  TracedLoad load;
  static_cast<void>(load.publish_for(std::chrono::seconds(1)));  // the heap gets its size
  const Windows before = load.publish_for(quiet);
  load.settle();
  require_equal(load.lost(), 0, "count of lost spans while the receiver was there");
  load.take_receiver_away();
  const Windows during = load.publish_for(outage);
  const std::uint64_t lost = load.lost();
  const double lost_part = static_cast<double>(lost) / static_cast<double>(load.made());
  if (lost == 0) throw std::runtime_error("nothing was lost without a receiver");
  const double recovery = load.bring_receiver_back();
  load.settle();
  const std::uint64_t lost_before = load.lost();
  const Windows after = load.publish_for(quiet);
  load.settle();
  require_equal(load.lost(), lost_before, "count of lost spans once the receiver was back");
  require_equal(2 * (tally.count - tally_before.count), load.made(), "count of handled events, twice");
  return {beside_before(kDuringRow, during, before, at_most(kMostSlower)),
          beside_before(kAfterRow, after, before, std::nullopt),
          absolute(kMemoryRow, "MiB", {std::max(0.0, during.most_mebibytes() - before.most_mebibytes())},
                   at_most(kMostMebibytes)),
          absolute(kGrowthRow, "MiB", {during.growth_of_second_half()}, at_most(kMostGrowth)),
          absolute(kLostRow, "", {lost_part}, std::nullopt),
          absolute(kRecoveryRow, "s", {recovery}, at_most(6))};
}

}  // namespace

void add_outage_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kDuringRow, kAfterRow, kMemoryRow, kGrowthRow, kLostRow, kRecoveryRow}, measure});
}

}  // namespace tidings::bench
