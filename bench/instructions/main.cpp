#include "inline_contenders.hpp"
#include "instructions/delivery_operations.hpp"
#include "instructions/fixed_clock.hpp"
#include "quiet_bus.hpp"
#include "sample_letters.hpp"
#include "scratch_folder.hpp"

#include <spdlog/sinks/null_sink.h>
#include <tidings/deadletter/store.hpp>
#include <tidings/ids.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/redactor.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// tidings_instructions OPERATION TIMES does something that many times and nothing else that depends on the
// number, so that two counts of instructions give the cost of one: scripts/bench --instructions.

namespace tidings::bench {

namespace {

constexpr int kExitUsage = 64;  // EX_USAGE of sysexits.h

void publish(std::uint64_t handlers, std::uint64_t times, bool metrics = false) {
  BusOptions options = quiet_bus();
  options.telemetry.metrics = metrics;
  options.clock = std::make_shared<FixedClock>();
  Bus bus(std::move(options));
  TidingsContender contender(bus, handlers);
  contender(times);
}

void log_record(std::uint64_t times) {
  const logging::Logger log({.service = "bench",
                             .format = logging::Format::Json,
                             .sinks = {std::make_shared<spdlog::sinks::null_sink_st>()},
                             .clock = std::make_shared<FixedClock>()});
  for (std::uint64_t number = 0; number < times; ++number)
    log.warning("order_refused", {{"order_id", number}, {"customer", "customer-7"}, {"duration_ms", 12.5}});
}

/// One text of so many KiB, of what is everyday and of what is hostile: a step that looked back or ahead
/// without bounds would make the last KiB dearer than the first.
void redact_text(std::uint64_t kibibytes) {
  constexpr std::size_t kPiece = 1024;
  constexpr std::array<std::string_view, 14> kPieces = {
      "GET /orders/42?page=2&sort=key 200 in 12 ms; ",
      "0195f3c2-7b1e-7cc3-98c4-dc0c0c07398f ",
      "at com.example.TokenFilter.doFilter(TokenFilter.java:42)\n",
      "login failed: password=hunter2 for bob ",
      "\"value\":\"x\" ",
      "eyJ.eyJ-",
      "token token ",
      "?key=",
      "://a:",
      "@a:",
      "\\\"",
      "4111 ",
      "<a ",
      "-u a "};
  std::string text;
  for (std::uint64_t piece = 0; piece < kibibytes; ++piece) {
    const std::string_view repeated = kPieces[piece % kPieces.size()];
    while (text.size() < (piece + 1) * kPiece) text += repeated;
  }
  if (logging::default_redactor()->redact_text(text).empty()) throw std::runtime_error("nothing is left");
}

/// So many handlers of one type, subscribed and reset one by one: what each costs must not depend on how many
/// there are.
void subscribe(std::uint64_t times) {
  BusOptions options = quiet_bus();
  options.clock = std::make_shared<FixedClock>();
  Bus bus(std::move(options));
  std::vector<Subscription> subscriptions;
  for (std::uint64_t number = 0; number < times; ++number) {
    subscriptions.push_back(
        bus.subscribe<OrderPlaced>("handler-" + std::to_string(number), [](const OrderPlaced&) {}));
  }
}

/// In whole batches.
void store_letters(std::uint64_t times) {
  constexpr std::size_t kBatch = 256;
  const ScratchFolder folder;
  const auto store = deadletter::Store::open(folder.path() / "letters.db");
  const auto ids = uuid_v7_source();
  std::vector<DeadLetter> letters = sample_letters(0, kBatch);
  for (std::uint64_t stored = 0; stored < times; stored += kBatch) {
    for (DeadLetter& letter : letters) letter.metadata.event_id = ids->next(letter.failed_at);
    require_equal(store->store(letters, WhenBusy::Throw).size(), kBatch, "count of outcomes");
  }
}

const std::map<std::string_view, std::function<void(std::uint64_t)>> kOperations = {
    {"publish-1", [](std::uint64_t times) { publish(1, times); }},
    {"publish-4", [](std::uint64_t times) { publish(4, times); }},
    {"publish-1-metrics", [](std::uint64_t times) { publish(1, times, true); }},
    {"publish-4-metrics", [](std::uint64_t times) { publish(4, times, true); }},
    {"publish-queued", publish_queued},
    {"publish-durable", publish_durably},
    {"failing-delivery", fail_deliveries},
    {"log-record", log_record},
    {"redact-kib", redact_text},
    {"subscribe", subscribe},
    {"stored-letter", store_letters}};

int run(std::string_view operation, std::string_view times) {
  const auto found = kOperations.find(operation);
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(times.data(), times.data() + times.size(), number);
  if (found == kOperations.end() || problem != std::errc() || end != times.data() + times.size()) {
    std::cerr << "usage: tidings_instructions OPERATION TIMES, with one of the operations of "
                 "bench/instructions/bounds.txt\n";
    return kExitUsage;
  }
  found->second(number);
  return 0;
}

}  // namespace

}  // namespace tidings::bench

int main(int argc, char** argv) {
  try {
    return tidings::bench::run(argc == 3 ? argv[1] : "", argc == 3 ? argv[2] : "");
  } catch (const std::exception& error) {
    std::cerr << "tidings_instructions: " << error.what() << '\n';
    return 1;
  }
}
