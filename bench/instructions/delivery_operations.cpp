#include "instructions/delivery_operations.hpp"

#include "durable_event.hpp"
#include "inline_contenders.hpp"
#include "instructions/fixed_clock.hpp"
#include "quiet_bus.hpp"
#include "scratch_folder.hpp"

#include <spdlog/sinks/null_sink.h>
#include <tidings/deadletter/store.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::bench {

namespace {

/// As many as a worker takes at once, ten times: what the end of a burst costs is small beside it.
constexpr std::uint64_t kBurst = 1280;
constexpr std::chrono::seconds kLong{600};

BusOptions timeless_bus(std::size_t workers, std::shared_ptr<LetterSink> store = nullptr) {
  BusOptions options = quiet_bus(workers, std::move(store));
  options.clock = std::make_shared<FixedClock>();
  return options;
}

/// The first event of each burst holds the worker up until the whole burst is queued, so that what is counted
/// does not depend on which thread is the faster: the worker never looks for more in vain within a burst.
class HeldWorker {
 public:
  void handle(const OrderPlaced& event) {
    if (count_.load(std::memory_order_relaxed) % kBurst == 0) burst_is_queued_.acquire();
    sum_.fetch_add(static_cast<std::uint64_t>(event.order_id), std::memory_order_relaxed);
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  void let_go() { burst_is_queued_.release(); }
  void require_handled(std::uint64_t events) const {
    require_equal(count_.load(), events, "count of handled events");
    require_equal(sum_.load(), events / kBurst * (kBurst * (kBurst + 1) / 2), "sum over handled events");
  }

 private:
  std::binary_semaphore burst_is_queued_{0};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_{0};
};

/// Takes every letter, and keeps none.
class Sieve final : public LetterSink {
 public:
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy) override {
    taken_ += letters.size();
    return {letters.size(), {LetterOutcome::Place::Stored, 1, {}}};
  }
  std::vector<std::string> dead_keys(std::string_view, std::string_view, std::string_view) override {
    return {};
  }
  [[nodiscard]] std::size_t taken() const noexcept { return taken_; }

 private:
  std::size_t taken_ = 0;
};

}  // namespace

void publish_queued(std::uint64_t times) {
  require_equal(times % kBurst, 0, "number of queued events: whole bursts only; remainder");
  HeldWorker worker;
  Bus bus(timeless_bus(1));
  const auto subscription = bus.subscribe<OrderPlaced>(
      "queued", [&](const OrderPlaced& event) { worker.handle(event); }, {.dispatch = Dispatch::Queued});
  for (std::uint64_t published = 0; published < times; published += kBurst) {
    publish_each(kBurst, [&](const OrderPlaced& event) { bus.publish(event); });
    worker.let_go();
    if (!bus.wait_idle(kLong)) throw std::runtime_error("the worker has not handled a burst");
  }
  worker.require_handled(times);
}

void publish_durably(std::uint64_t times) {
  const ScratchFolder folder;
  std::uint64_t handled = 0;
  BusOptions options = timeless_bus(1, deadletter::Store::open(folder.path() / "journal.db"));
  options.durability = Durability::ProcessCrash;
  Bus bus(std::move(options));
  const auto subscription = bus.subscribe<DurableEvent>("count", [&](const DurableEvent&) { ++handled; });
  const DurableEvent event;
  for (std::uint64_t published = 0; published < times; ++published) bus.publish(event);
  require_equal(handled, times, "count of handled events");
}

void fail_deliveries(std::uint64_t times) {
  const auto sieve = std::make_shared<Sieve>();
  BusOptions options = timeless_bus(1, sieve);
  options.logger =
      logging::Logger({.service = "bench",
                       .sinks = {{std::make_shared<spdlog::sinks::null_sink_mt>(), logging::Format::Json}}});
  Bus bus(std::move(options));
  std::uint64_t attempts = 0;
  const auto subscription = bus.subscribe<OrderPlaced>("send_receipt", [&](const OrderPlaced&) {
    ++attempts;
    throw std::runtime_error("the mail server at port 25 did not answer");
  });
  std::uint64_t dead = 0;
  publish_each(times, [&](const OrderPlaced& event) { dead += bus.publish(event).dead; });
  require_equal(attempts, 3 * times, "count of attempts");
  require_equal(dead, times, "count of dead deliveries");
  require_equal(sieve->taken(), times, "count of letters");
}

}  // namespace tidings::bench
