#include "inline_contenders.hpp"
#include "quiet_bus.hpp"
#include "resident_memory.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"
#include "threads_at_once.hpp"

#include <spdlog/sinks/base_sink.h>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// A failure storm: one thread publishes as fast as it can to a queued handler that always fails, three times
// for each event, and all of it becomes dead letters in a database; another thread publishes healthy events
// meanwhile.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kHealthyHandlers = 4;
constexpr std::uint64_t kHealthyEvents = 2'000'000;
/// The storm is at its height when so many have failed: the queue of the handler is full.
constexpr std::uint64_t kHeight = 2'000;

const std::string kHealthyRow = "healthy publishes in a failure storm";
const std::string kStoredRow = "failing deliveries given up and stored in it";
const std::string kMemoryRow = "memory that it adds";
const std::string kRecordsRow = "log records in it";

struct Refused {
  static constexpr std::string_view event_type = "bench.refused";
  std::int64_t number = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Refused, number)
};

/// Writes nothing, and counts.
class CountingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  [[nodiscard]] std::uint64_t records() const noexcept { return records_.load(); }

 private:
  void sink_it_(const spdlog::details::log_msg&) override { records_.fetch_add(1); }
  void flush_() override {}
  std::atomic<std::uint64_t> records_{0};
};

/// What one repetition with a storm has seen.
struct Weather {
  double healthy = 0;  // million a second
  double stored = 0;   // a second
  double mebibytes = 0;
  double records = 0;  // a second
};

class StormyBus {
 public:
  explicit StormyBus(const ScratchFolder& folder)
      : database_(folder.path() / "storm.db"), bus_(options()), healthy_(bus_, kHealthyHandlers) {
    bus_.subscribe<Refused>("refuse",
                            [this](const Refused& event) {
                              failures_.fetch_add(1, std::memory_order_relaxed);
                              throw std::runtime_error("refused number " + std::to_string(event.number));
                            },
                            {.dispatch = Dispatch::Queued})
        .keep();
  }

  double fair() { return publish_healthy(); }

  Weather stormy() {
    const double mebibytes_before = resident_mebibytes();
    const std::uint64_t records_before = sink_->records();
    const std::uint64_t failures_before = failures_.load();
    const auto begin = std::chrono::steady_clock::now();
    Weather weather;
    {
      std::jthread publisher([this](const std::stop_token& stop) { rage(stop); });
      while (failures_.load() < failures_before + kHeight)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      weather.healthy = publish_healthy();
      weather.mebibytes = std::max(0.0, resident_mebibytes() - mebibytes_before);
    }
    if (!bus_.wait_idle(std::chrono::minutes(5))) throw std::runtime_error("the storm does not end");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const std::uint64_t stored = (failures_.load() - failures_before) / RetryPolicy{}.max_attempts;
    weather.stored = static_cast<double>(stored) / took.count();
    weather.records = static_cast<double>(sink_->records() - records_before) / took.count();
    return weather;
  }

  /// Every event that was published failed as often as it may, and is in the database.
  void check() const {
    require_equal(failures_.load(), published_ * RetryPolicy{}.max_attempts, "count of failed attempts");
    require_equal(static_cast<std::uint64_t>(deadletter::Reader::open(database_).count({})), published_,
                  "count of letters");
  }

 private:
  BusOptions options() const {
    BusOptions options = quiet_bus(2, deadletter::Store::open(database_));
    options.logger =
        logging::Logger({.service = "bench", .level = logging::Level::Warning, .sinks = {sink_}});
    return options;
  }

  void rage(const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++published_) bus_.publish(Refused{static_cast<std::int64_t>(published_)});
  }

  double publish_healthy() {
    const auto took = run_at_once(1, [this](std::size_t) { healthy_(kHealthyEvents); });
    return static_cast<double>(kHealthyEvents) / took.count() / 1e6;
  }

  const std::filesystem::path database_;
  const std::shared_ptr<CountingSink> sink_ = std::make_shared<CountingSink>();
  std::atomic<std::uint64_t> failures_{0};
  std::uint64_t published_ = 0;  // by one thread at a time
  Bus bus_;
  TidingsContender healthy_;
};

std::vector<Row> measure(const Settings& settings) {
  const ScratchFolder folder;
  StormyBus bus(folder);
  std::vector<double> stored;
  std::vector<double> mebibytes;
  std::vector<double> records;
  const auto series = take_turns(settings.long_rounds(), {[&] {
                                                            const Weather weather = bus.stormy();
                                                            stored.push_back(weather.stored);
                                                            mebibytes.push_back(weather.mebibytes);
                                                            records.push_back(weather.records);
                                                            return weather.healthy;
                                                          },
                                                          [&] { return bus.fair(); }});
  bus.check();
  // A queue of 65,536 events and 4,096 letters are the most that may wait.
  const double most_mebibytes = *std::max_element(mebibytes.begin(), mebibytes.end());
  return {compare(kHealthyRow, "M/s", series[0], "without it", series[1], at_least(0.5)),
          absolute(kStoredRow, "/s", stored, std::nullopt),
          absolute(kMemoryRow, "MiB", {most_mebibytes}, at_most(128)),
          absolute(kRecordsRow, "/s", records, at_most(400))};
}

}  // namespace

void add_storm_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kHealthyRow, kStoredRow, kMemoryRow, kRecordsRow}, measure});
}

}  // namespace tidings::bench
