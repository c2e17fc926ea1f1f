#include "check.hpp"
#include "order_placed.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"

#include <tidings/deadletter/store.hpp>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

// How often an idle bus wakes up: the voluntary context switches of all its threads, as the kernel counts
// them.

namespace tidings::bench {

namespace {

const std::string kRow = "idle bus with a store, wake-ups a second";

std::uint64_t context_switches_of(const std::filesystem::path& task) {
  constexpr std::string_view kLabel = "voluntary_ctxt_switches:";
  std::ifstream status(task / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kLabel)) return std::stoull(line.substr(kLabel.size()));
  }
  throw std::runtime_error("the kernel does not count context switches: no voluntary_ctxt_switches in /proc");
}

/// Context switches of all threads but the calling one, which sleeps and wakes by itself.
std::uint64_t context_switches_of_others(std::uint64_t& threads) {
  const std::string self = std::to_string(gettid());
  std::uint64_t switches = 0;
  threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == self) continue;
    switches += context_switches_of(task.path());
    ++threads;
  }
  return switches;
}

/// A queued event must wake a worker: otherwise a count of nothing would mean nothing.
void prove_that_it_counts(Bus& bus) {
  std::uint64_t threads = 0;
  const std::uint64_t before = context_switches_of_others(threads);
  bus.publish(OrderPlaced{});
  if (!bus.wait_idle(std::chrono::seconds(10))) {
    throw std::runtime_error("the bus did not become idle within 10 s");
  }
  while (context_switches_of_others(threads) == before) {
    std::this_thread::yield();  // until the worker sleeps again
  }
}

double wake_ups_each_second(std::chrono::milliseconds window) {
  std::uint64_t threads_before = 0;
  std::uint64_t threads_after = 0;
  const std::uint64_t before = context_switches_of_others(threads_before);
  std::this_thread::sleep_for(window);
  const std::uint64_t after = context_switches_of_others(threads_after);
  require_equal(threads_after, threads_before, "count of threads");
  return static_cast<double>(after - before) / std::chrono::duration<double>(window).count();
}

std::vector<Row> measure(const Settings& settings) {
  constexpr std::uint64_t kWorkers = 2;
  constexpr std::uint64_t kHousekeepers = 1;
  constexpr std::size_t kRounds = 5;
  const std::chrono::milliseconds window = settings.quick ? std::chrono::seconds(1) : std::chrono::seconds(2);
  const ScratchFolder folder;
  Bus bus{quiet_bus(kWorkers, deadletter::Store::open(folder.path() / "idle.db"))};
  const auto inline_handler = bus.subscribe<OrderPlaced>("inline", Handle(1));
  const auto queued_handler = bus.subscribe<OrderPlaced>("queued", Handle(1), {.dispatch = Dispatch::Queued});
  prove_that_it_counts(bus);
  std::uint64_t threads = 0;
  static_cast<void>(context_switches_of_others(threads));
  require_equal(threads, kWorkers + kHousekeepers, "count of the bus's threads");
  std::vector<double> rates;
  while (rates.size() < kRounds) rates.push_back(wake_ups_each_second(window));
  return {absolute(kRow, "/s", rates, at_most(2))};
}

}  // namespace

void add_idle_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
