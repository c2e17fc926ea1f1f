// publish_waits DATABASE SECONDS
//
// A service that publishes a durable event every five milliseconds for so long, and says how long publishing
// took: what other programs that write to the same database, such as dead-letters, cost it. It is the service
// of the letters that bench/many_letters makes, and handles them when they are delivered again.
#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Measured {
  static constexpr std::string_view event_type = "orders.measured";
  int number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Measured, number)
};

/// Handlers of all letters of bench/many_letters.
void serve_letters(tidings::Bus& bus) {
  for (int cause = 0; cause < 55; ++cause) {
    bus.subscribe("orders.event_" + std::to_string(cause % 11), "handler_" + std::to_string(cause % 5),
                  [](const tidings::Json&) {}, {.dispatch = tidings::Dispatch::Queued})
        .keep();
  }
}

std::vector<Milliseconds> publish_for(tidings::Bus& bus, std::chrono::seconds time) {
  std::vector<Milliseconds> waits;
  const auto begin = steady_clock::now();
  for (auto next = begin; next - begin < time; next += std::chrono::milliseconds(5)) {
    std::this_thread::sleep_until(next);
    const auto before = steady_clock::now();
    bus.publish(Measured{static_cast<int>(waits.size())});
    waits.emplace_back(steady_clock::now() - before);
  }
  return waits;
}

void print(std::vector<Milliseconds> waits) {
  std::sort(waits.begin(), waits.end());
  const auto at = [&waits](double part) {
    return waits.at(static_cast<std::size_t>(static_cast<double>(waits.size() - 1) * part)).count();
  };
  const auto slow = waits.end() - std::lower_bound(waits.begin(), waits.end(), Milliseconds(100));
  std::printf(
      "%zu publishes: median %.2f ms, 99th percentile %.2f ms, worst %.2f ms, %td of 100 ms or more\n",
      waits.size(), at(0.5), at(0.99), at(1), slow);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::atoi(argv[2]) < 1) {
    std::fputs("usage: publish_waits DATABASE SECONDS\n", stderr);
    return 64;
  }
  try {
    tidings::Bus bus({.service = "orders",
                      .store = tidings::deadletter::Store::open(argv[1]),
                      .durability = tidings::Durability::ProcessCrash});
    serve_letters(bus);
    const auto measured = bus.subscribe<Measured>("measure", [](const Measured&) {});
    print(publish_for(bus, std::chrono::seconds(std::atoi(argv[2]))));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "publish_waits: %s\n", error.what());
    return 70;
  }
}
