#pragma once

#include <tidings/metrics.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace tidings::telemetry::test {

/// Of a bus with a journal, two handlers and one that is not subscribed; with a name that has to be escaped.
inline Metrics sample_metrics() {
  using namespace std::chrono_literals;
  Metrics metrics{.service = "shop", .counted = true};
  metrics.began_at = Timestamp(1'767'225'000'000'000us);
  metrics.read_at = Timestamp(1'767'225'700'000'000us);
  metrics.types = {{"orders.order_placed", 12, 0}, {std::string(kOtherSeries), 3, 2}};
  HandlerMetrics receipt{.event_type = "orders.order_placed", .handler = "send_receipt"};
  receipt.handled = 10;
  receipt.failed = 4;
  receipt.retried = 2;
  receipt.dead = 2;
  receipt.durations.counts[duration_class(10us)] = 1;
  receipt.durations.counts[duration_class(15ms)] = 8;
  receipt.durations.counts[duration_class(60s)] = 1;
  receipt.durations.sum = 60'120'010us;
  receipt.queued = 7;
  receipt.owed = 5;
  receipt.oldest_owed = Timestamp(1'767'225'600'123'456us);
  metrics.handlers = {
      receipt, {.event_type = "*", .handler = R"(a"b\c)"}, {.event_type = "other", .handler = "other"}};
  metrics.letters.by_reason[static_cast<std::size_t>(Reason::Exhausted)] = 2;
  metrics.letters.spilled = 1;
  metrics.letters.unresolved = UnresolvedLetters{3, Timestamp(1'767'225'600'000'000us)};
  metrics.commits.counts[duration_class(3ms)] = 2;
  metrics.commits.sum = 6ms;
  metrics.journal = JournalMetrics{.owed_to_nobody = 1};
  metrics.workers = 2;
  return metrics;
}

}  // namespace tidings::telemetry::test
