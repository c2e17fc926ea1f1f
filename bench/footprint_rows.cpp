#include "check.hpp"
#include "order_placed.hpp"
#include "quiet_bus.hpp"
#include "resident_memory.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"

#include <malloc.h>
#include <tidings/deadletter/store.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <vector>

// What tidings keeps in memory: bytes of the heap, as malloc counts those in use, and pages of the process.

namespace tidings::bench {

namespace {

const std::string kIdleRow = "memory that an idle bus with a store adds to a process";
const std::string kSubscriptionRow = "memory of a subscription";
const std::string kQueuedRow = "memory of a queued event";
const std::string kRetryRow = "memory of a delivery that waits for its retry";
constexpr std::size_t kSubscriptions = 5'000;
constexpr std::size_t kEvents = 50'000;

double heap_bytes() {
  const struct mallinfo2 facts = ::mallinfo2();
  return static_cast<double>(facts.uordblks + facts.hblkhd);
}

/// Bytes for each of `count` that `make` makes and keeps.
template <class Make>
double bytes_each(std::size_t count, Make make) {
  const double before = heap_bytes();
  make();
  return (heap_bytes() - before) / static_cast<double>(count);
}

Row figure(const std::string& name, const std::string& unit, double value) {
  return absolute(name, unit, {value}, {});
}

Row subscriptions() {
  Bus bus(quiet_bus());
  std::vector<Subscription> kept;
  kept.reserve(kSubscriptions);
  return figure(
      kSubscriptionRow, "bytes", bytes_each(kSubscriptions, [&] {
        for (std::size_t i = 0; i < kSubscriptions; ++i) {
          kept.push_back(bus.subscribe("bench.type_" + std::to_string(i), "handler", [](const Json&) {}));
        }
      }));
}

Row queued_events() {
  std::counting_semaphore<> go(0);
  Bus bus(quiet_bus(1));
  auto handler = bus.subscribe<OrderPlaced>("slow", [&](const OrderPlaced&) { go.acquire(); },
                                            {.dispatch = Dispatch::Queued});
  const OrderPlaced event;
  const double bytes = bytes_each(kEvents, [&] {
    for (std::size_t i = 0; i < kEvents; ++i) bus.publish(event);
  });
  go.release(kEvents);
  if (!bus.wait_idle(std::chrono::minutes(1))) throw std::runtime_error("queued events are not handled");
  return figure(kQueuedRow, "bytes", bytes);
}

Row waiting_retries(const std::shared_ptr<deadletter::Store>& store) {
  std::size_t failed = 0;
  BusOptions options = quiet_bus(1, store);
  options.logger =
      logging::Logger(logging::LoggerOptions{.service = "bench", .level = logging::Level::Critical});
  Bus bus(options);
  auto handler =
      bus.subscribe<OrderPlaced>("fails",
                                 [&](const OrderPlaced&) {
                                   ++failed;
                                   throw std::runtime_error("the mail server did not answer");
                                 },
                                 {.retry = {.max_attempts = 2, .backoff = constant(std::chrono::hours(1))}});
  const OrderPlaced event;
  const double bytes = bytes_each(kEvents, [&] {
    for (std::size_t i = 0; i < kEvents; ++i) bus.publish(event);
  });
  require_equal(failed, kEvents, "count of failed deliveries");
  require_equal(bus.snapshot().handlers.front().waiting, kEvents, "count of waiting retries");
  return figure(kRetryRow, "bytes", bytes);
}

std::vector<Row> measure(const Settings&) {
  const ScratchFolder folder;
  const double before = resident_mebibytes();
  const auto store = deadletter::Store::open(folder.path() / "letters.db");
  Row idle;
  {
    Bus bus(quiet_bus(2, store));
    auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    idle = figure(kIdleRow, "MiB", resident_mebibytes() - before);
  }
  return {idle, subscriptions(), queued_events(), waiting_retries(store)};
}

}  // namespace

void add_footprint_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kIdleRow, kSubscriptionRow, kQueuedRow, kRetryRow}, measure});
}

}  // namespace tidings::bench
