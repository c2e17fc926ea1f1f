#include "check.hpp"
#include "order_placed.hpp"
#include "rows.hpp"
#include "sample_letters.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <spdlog/sinks/null_sink.h>
#include <tidings/bus.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// One delivery that fails three times and becomes a letter, synced, before publish returns.

namespace tidings::bench {

namespace {

constexpr int kAttempts = 3;
const std::string kRow = "a failing delivery, 3 attempts, letter stored";
constexpr const char* kProblem = "the mail server at port 25 did not answer";

logging::Logger to_nowhere() {
  return logging::Logger(
      {.service = "bench",
       .sinks = {{std::make_shared<spdlog::sinks::null_sink_mt>(), logging::Format::Json}}});
}

template <class Work>
double seconds_each(std::size_t times, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(times);
}

/// The parts: the handler throws and somebody catches it, the records are written, the letter is stored.
class Parts {
 public:
  Parts(deadletter::Store& store, std::size_t times)
      : store_(store), letters_(sample_letters(0, times)), log_(to_nowhere()) {}

  void throw_and_catch() {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      try {
        throw std::runtime_error(kProblem);
      } catch (const std::exception& error) {
        caught_ += error.what() == nullptr ? 0 : 1;
      }
    }
  }
  void write_records() {
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      log_.warning("handler_failed", {{"event_type", OrderPlaced::event_type},
                                      {"handler", "send_receipt"},
                                      {"attempt", attempt},
                                      {"max_attempts", kAttempts},
                                      {"duration_ms", 0.12},
                                      {"error_type", "std::runtime_error"},
                                      {"error", kProblem}});
    }
    log_.error("handler_exhausted_retries",
               {{"handler", "send_receipt"}, {"attempts", kAttempts}, {"error", kProblem}});
    log_.warning("dead_letter_stored", {{"handler", "send_receipt"}, {"dead_letter_id", 7}});
  }
  void store_letter() {
    const auto outcomes = store_.store({&letters_.at(next_++), 1}, WhenBusy::Throw);
    stored_ += outcomes.front().place == LetterOutcome::Place::Stored ? 1U : 0U;
  }
  void renew() {
    letters_ = sample_letters(0, letters_.size());
    next_ = 0;
  }
  [[nodiscard]] std::size_t stored() const noexcept { return stored_; }
  [[nodiscard]] std::size_t caught() const noexcept { return caught_; }

 private:
  deadletter::Store& store_;
  std::vector<DeadLetter> letters_;
  logging::Logger log_;
  std::size_t next_ = 0;
  std::size_t stored_ = 0;
  std::size_t caught_ = 0;
};

std::vector<Row> measure(const Settings& settings) {
  const std::size_t times = settings.quick ? 300 : 1000;
  const std::size_t rounds = settings.long_rounds();
  const ScratchFolder folder;
  std::size_t dead = 0;
  std::vector<std::vector<double>> series;
  {
    const auto parts_store = deadletter::Store::open(folder.path() / "parts.db");
    Parts parts(*parts_store, times);
    Bus bus({.service = "bench",
             .store = deadletter::Store::open(folder.path() / "ours.db"),
             .logger = to_nowhere()});
    auto handler = bus.subscribe<OrderPlaced>("send_receipt",
                                              [](const OrderPlaced&) { throw std::runtime_error(kProblem); });
    const OrderPlaced event;
    series =
        take_turns(rounds, {[&] { return 1 / seconds_each(times, [&] { dead += bus.publish(event).dead; }); },
                            [&] {
                              parts.renew();
                              return 1 / (seconds_each(times, [&] { parts.throw_and_catch(); }) +
                                          seconds_each(times, [&] { parts.write_records(); }) +
                                          seconds_each(times, [&] { parts.store_letter(); }));
                            }});
    require_equal(parts.stored(), (rounds + 1) * times, "count of stored letters");
    require_equal(parts.caught(), (rounds + 1) * times * kAttempts, "count of exceptions");
  }
  require_equal(dead, (rounds + 1) * times, "count of dead deliveries");
  require_equal(static_cast<std::uint64_t>(deadletter::Reader::open(folder.path() / "ours.db").count({})),
                dead, "count of letters");
  return {compare(kRow, "/s", series[0], "its parts, each alone", series[1], at_least(0.7))};
}

}  // namespace

void add_failure_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
