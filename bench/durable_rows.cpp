#include "check.hpp"
#include "durable_event.hpp"
#include "quiet_bus.hpp"
#include "raw_journal.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"
#include "threads_at_once.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Publishing events that are on the disk before their handler runs. The database lies below $TMPDIR, else
// /tmp: on a disk the figures are of that disk's syncs, in memory they are of the processor alone.

namespace tidings::bench {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kBatch = 100;
const std::string kBatchRow = "durable publish in batches of 100, synced";
const std::string kTailRow = "durable publish, synced, 1 publisher, 99th percentile";

/// A bus that keeps its journal in a database of its own, with one inline handler that counts.
class DurableBus {
 public:
  explicit DurableBus(const std::filesystem::path& database)
      : bus_(options(deadletter::Store::open(database))),
        handler_(
            bus_.subscribe<DurableEvent>("count", [this](const DurableEvent&) { handled_.fetch_add(1); })) {}

  void publish() { bus_.publish(event_); }
  void publish_batch() { bus_.publish_batch(std::span<const DurableEvent>(batch_)); }
  [[nodiscard]] std::uint64_t handled() const noexcept { return handled_.load(); }

 private:
  static BusOptions options(std::shared_ptr<LetterSink> store) {
    BusOptions result = quiet_bus(2, std::move(store));
    result.durability = Durability::PowerLoss;
    return result;
  }

  const DurableEvent event_;
  const std::vector<DurableEvent> batch_ = std::vector<DurableEvent>(kBatch);
  std::atomic<std::uint64_t> handled_{0};
  Bus bus_;
  Subscription handler_;
};

/// Tidings, the C API and the disk itself, each with a file of its own on the same disk.
struct Contenders {
  ScratchFolder folder;
  DurableBus ours{folder.path() / "ours.db"};
  RawJournal raw{made(folder.path() / "raw.db")};

  static std::filesystem::path made(std::filesystem::path database) {
    static_cast<void>(deadletter::Store::open(database));
    return database;
  }
};

/// Events a second when `publishers` threads call `publish` so often each.
template <class Publish>
double rate(std::size_t publishers, std::size_t calls, std::size_t events_each_call, Publish publish) {
  const Seconds took = run_at_once(publishers, [&](std::size_t) {
    for (std::size_t i = 0; i < calls; ++i) publish();
  });
  return static_cast<double>(publishers * calls * events_each_call) / took.count();
}

std::string publish_row(std::size_t publishers) {
  return "durable publish, synced, " + std::to_string(publishers) +
         (publishers == 1 ? " publisher" : " publishers");
}
std::string disk_row(std::size_t publishers) { return publish_row(publishers) + ", against the disk"; }

std::vector<Row> measure_publishers(const Settings& settings, std::size_t publishers) {
  Contenders contenders;
  const std::size_t calls = (settings.quick ? 500 : 2000) / (publishers > 8 ? 4 : 1);
  const std::size_t rounds = settings.long_rounds();
  const auto series = take_turns(
      rounds, {[&] { return rate(publishers, calls, 1, [&] { contenders.ours.publish(); }); },
               [&] { return rate(publishers, calls, 1, [&] { contenders.raw.publish(1); }); },
               [&] { return overwrites_each_second(contenders.folder.path() / "overwritten", calls); }});
  const std::uint64_t expected = (rounds + 1) * publishers * calls;
  require_equal(contenders.ours.handled(), expected, "count of handled events");
  require_equal(static_cast<std::uint64_t>(contenders.raw.written()), expected, "count of rows");
  require_equal(contenders.raw.bytes_of_last_group(), contenders.raw.expected_bytes(), "bytes of the rows");
  return {compare(publish_row(publishers), "/s", series[0], "SQLite C API with group commit", series[1],
                  at_least(0.8)),
          compare(disk_row(publishers), "/s", series[0], "overwriting 4 KiB, fdatasync", series[2], {})};
}

std::vector<Row> measure_batches(const Settings& settings) {
  Contenders contenders;
  const std::size_t calls = settings.quick ? 100 : 400;
  const std::size_t rounds = settings.long_rounds();
  const auto series =
      take_turns(rounds, {[&] { return rate(1, calls, kBatch, [&] { contenders.ours.publish_batch(); }); },
                          [&] { return rate(1, calls, kBatch, [&] { contenders.raw.publish(kBatch); }); }});
  const std::uint64_t expected = (rounds + 1) * calls * kBatch;
  require_equal(contenders.ours.handled(), expected, "count of handled events");
  require_equal(static_cast<std::uint64_t>(contenders.raw.written()), expected, "count of rows");
  require_equal(contenders.raw.bytes_of_last_group(), contenders.raw.expected_bytes(), "bytes of the rows");
  return {compare(kBatchRow, "/s", series[0], "SQLite C API, 100 rows a commit", series[1], at_least(0.7))};
}

/// What checkpoints cost those who publish: time enough for hundreds of them.
std::vector<Row> measure_tail(const Settings& settings) {
  Contenders contenders;
  const auto length = std::chrono::seconds(settings.quick ? 5 : 60);
  std::vector<double> times;
  const auto end = steady_clock::now() + length;
  for (auto begin = steady_clock::now(); begin < end;) {
    contenders.ours.publish();
    const auto now = steady_clock::now();
    times.push_back(std::chrono::duration<double, std::micro>(now - begin).count());
    begin = now;
  }
  require_equal(contenders.ours.handled(), times.size(), "count of handled events");
  return {compare(kTailRow, "us", {quantile(times, 0.99)}, "the median", {median(times)}, at_most(10))};
}

}  // namespace

void add_durable_rows(std::vector<Measurement>& measurements) {
  for (const std::size_t publishers : {1U, 8U, 32U}) {
    measurements.push_back(
        {{publish_row(publishers), disk_row(publishers)},
         [publishers](const Settings& settings) { return measure_publishers(settings, publishers); }});
  }
  measurements.push_back({{kBatchRow}, measure_batches});
  measurements.push_back({{kTailRow}, measure_tail});
}

}  // namespace tidings::bench
