#include "memory/shop.hpp"

#include <tidings/context.hpp>
#include <tidings/metrics.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/otlp_metrics.hpp>
#include <tidings/telemetry/tracer.hpp>

#include "telemetry/receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// Short memory where a bus is traced, where spans are sent, and where metrics are written.

namespace tidings::memory {
namespace {

using telemetry::Exporter;
using telemetry::ExporterOptions;
using telemetry::ExportSignal;
using telemetry::SpanData;
using telemetry::Tracer;

const char* const kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const char* const kUnsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

Context traced_request(const char* parent) {
  Context context = Context{.traceparent = TraceParent::parse(parent),
                            .tracestate = "vendor=a-value-that-is-too-long-for-a-small-string"};
  return context.with({{"tenant", "a name too long for a small string"}, {"user_id", 42}});
}

logging::Logger logger_to_nowhere() {
  logging::LoggerOptions options;
  options.sinks = {{std::make_shared<spdlog::sinks::null_sink_mt>()}};
  return logging::Logger(options);
}

std::string as_suffix(Whose whose) { return whose == Whose::Caller ? "Caller" : "Others"; }

class TracedSweepTest : public ScarceMemoryTest, public testing::WithParamInterface<Whose> {
 protected:
  /// Spans are counted and thrown away.
  [[nodiscard]] BusOptions traced(Durability durability, telemetry::KeepUnsampled keep = {}) {
    BusOptions result = options(durability);
    result.telemetry.observer = std::make_shared<Tracer>([this](const SpanData& span) { ended(span); },
                                                         telemetry::TracerOptions{.keep = keep});
    return result;
  }
  void subscribe_all(Bus& bus) {
    subscribe_inline(bus);
    subscribe_queued(bus);
  }
  void sweep_publishes(Bus& bus, const char* parent) {
    const ContextScope scope(traced_request(parent));
    sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
    expect_each_order_settled_once({"inline", "inline_fails", "inline_later", "queued", "keyed", "parks"});
  }
  /// With memory everything is traced again: an observer that throws would have been left out.
  void expect_that_all_is_traced(Bus& bus) {
    const std::uint64_t before = spans_.load();
    bus.publish(Order{next_order_});
    accepted_.push_back(next_order_++);
    EXPECT_TRUE(bus.wait_idle(kLong));
    // One of the publish; attempts: 1 + 2 + 2, and 1 + 2 + 1; two letters.
    EXPECT_EQ(spans_.load() - before, 1U + 5 + 4 + 2);
  }

  std::atomic<std::uint64_t> spans_{0};

 private:
  void ended(const SpanData& span) {
    const Plenty plenty;
    EXPECT_FALSE(span.name.empty());
    EXPECT_GE(span.end_ns, span.start_ns) << span.name;
    ++spans_;
  }
};

INSTANTIATE_TEST_SUITE_P(Whose, TracedSweepTest, testing::Values(Whose::Caller, Whose::Others),
                         [](const auto& whose) { return as_suffix(whose.param); });

TEST_P(TracedSweepTest, PublishesInMemory) {
  Bus bus(traced(Durability::None));
  subscribe_all(bus);
  sweep_publishes(bus, kParent);
  const ContextScope scope(traced_request(kParent));
  expect_that_all_is_traced(bus);
}

TEST_P(TracedSweepTest, DurablePublishes) {
  Bus bus(traced(Durability::ProcessCrash));
  subscribe_all(bus);
  sweep_publishes(bus, kParent);
  const ContextScope scope(traced_request(kParent));
  expect_that_all_is_traced(bus);
}

TEST_P(TracedSweepTest, TracesThatAreKeptInCaseSomethingHappens) {
  Bus bus(traced(Durability::None, {.spans = 64}));
  subscribe_all(bus);
  sweep_publishes(bus, kUnsampledParent);
  const ContextScope scope(traced_request(kUnsampledParent));
  expect_that_all_is_traced(bus);
}

/// Whoever looks at the exporter's count sees that something is missing.
TEST_P(TracedSweepTest, WhatIsLeftOutCountsAsLost) {
  ExporterOptions wanted;
  wanted.traces.url = "http://127.0.0.1:9/v1/traces";
  wanted.span_batches = {.delay = 1h, .queue = 1'000'000, .batch = 1'000'000};
  wanted.logger = logger_to_nowhere();
  const auto exporter = std::make_shared<Exporter>(wanted);
  BusOptions traced = options(Durability::None);
  traced.telemetry.observer = std::make_shared<Tracer>(exporter);
  Bus bus(std::move(traced));
  subscribe_all(bus);
  const ContextScope scope(traced_request(kParent));
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  const std::uint64_t lost = exporter->dropped();
  EXPECT_GT(lost, 100U);
  bus.publish(Order{next_order_});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(exporter->dropped(), lost);
  exporter->stop(0s);
}

TEST_P(TracedSweepTest, ARedrive) {
  Bus bus(traced(Durability::None));
  std::atomic<bool> broken{false};
  const auto done = done_by("mends");
  bus.subscribe<Order>("mends",
                       [&](const Order& order) {
                         if (broken) throw Permanent("broken");
                         done(order);
                       },
                       {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 1}})
      .keep();
  const ContextScope scope(traced_request(kParent));
  sweep(bus, GetParam(), [&](std::int64_t order) {
    {
      const Plenty plenty;
      broken = true;
      bus.publish(Order{order});
      ASSERT_TRUE(bus.wait_idle(kLong));
      broken = false;
    }
    bus.redrive({.handler = "mends"});
  });
  bus.redrive({.handler = "mends"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  for (std::int64_t order = 0; order < next_order_; ++order)
    ASSERT_EQ(done_["mends"][static_cast<std::size_t>(order)], 1) << order;
}

/// Takes what one exporter posts, without memory of its own: the shortage is for all threads.
class FrugalReceiver {
 public:
  FrugalReceiver() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1/traces";
    thread_ = std::thread([this] { accept_all(); });
  }
  ~FrugalReceiver() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  FrugalReceiver(const FrugalReceiver&) = delete;
  FrugalReceiver& operator=(const FrugalReceiver&) = delete;

  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  /// Every other request from now on is refused, at some length.
  void refuse_every_other() noexcept { refuses_ = true; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_.load(); }

 private:
  static constexpr std::string_view kEnd = "\r\n\r\n";
  static constexpr std::string_view kLength = "Content-Length: ";
  static constexpr std::string_view kTaken = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  static constexpr std::string_view kRefused =
      "HTTP/1.1 400 Bad\r\nContent-Length: 41\r\n\r\nthis is not what this receiver is made for";

  void accept_all() {
    const Plenty plenty;
    for (int connection = 0; (connection = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(connection))
      serve(connection);
  }
  void serve(int connection) {
    std::array<char, 256 * 1024> bytes{};
    std::size_t have = 0;
    for (ssize_t got = 0; (got = ::recv(connection, bytes.data() + have, bytes.size() - have, 0)) > 0;) {
      have += static_cast<std::size_t>(got);
      const std::string_view request(bytes.data(), have);
      const auto end = request.find(kEnd);
      if (end == std::string_view::npos) continue;
      const auto length = request.find(kLength);
      if (have < end + kEnd.size() + std::strtoul(request.data() + length + kLength.size(), nullptr, 10))
        continue;
      have = 0;
      const std::string_view answer = ++requests_ % 2 == 0 && refuses_ ? kRefused : kTaken;
      static_cast<void>(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL));
    }
  }

  const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string url_;
  std::atomic<bool> refuses_{false};
  std::atomic<std::uint64_t> requests_{0};
  std::thread thread_;
};

SpanData span_to_send() {
  SpanData span;
  span.context.trace_id.bytes[0] = 1;
  span.context.span_id.bytes[0] = 1;
  span.name = "the name of a span that is too long for a small string";
  span.attributes = {{"messaging.destination.subscription.name", "a handler"}};
  return span;
}

/// What fails is what the exporter's thread allocates, or the one that adds.
class ExporterSweepTest : public testing::TestWithParam<Whose> {
 protected:
  static constexpr std::chrono::seconds kLong{20};
  static constexpr std::uint64_t kSpans = 7;  // more than the queue holds

  [[nodiscard]] static ExporterOptions options(const std::string& url) {
    ExporterOptions options;
    options.traces = {.url = url, .compression = telemetry::Compression::Gzip};
    options.span_batches = {.queue = 4, .batch = 2, .give_up_after = std::chrono::milliseconds(1)};
    options.resource = {{{"service.name", "a service whose name is long"}}};
    options.logger = logger_to_nowhere();
    options.random = [] { return std::uint64_t{0}; };  // no wait before the next try
    return options;
  }
  /// Has exporters send some spans, each with the shortage one allocation later. Every span must be sent or
  /// lost, and what comes when there is memory again must be sent, or lost where nothing is sent at all.
  template <class Act>
  void sweep(const std::string& url, Act act) {
    for (const std::uint64_t burst : {std::uint64_t{1}, std::uint64_t{20}}) {
      bool reached = true;
      for (std::uint64_t nth = 1; reached && !HasFatalFailure(); nth += (burst + 1) / 2) {
        SCOPED_TRACE("burst of " + std::to_string(burst) + " from allocation " + std::to_string(nth));
        Exporter exporter(options(url));
        std::vector<SpanData> spans(kSpans, span_to_send());
        {
          const ScarceMemory scarce(GetParam(), nth, burst);
          for (SpanData& span : spans) exporter.add(std::move(span));
          act(exporter);
          reached = scarce.was_reached();
        }
        exporter.add(span_to_send());
        ASSERT_TRUE(exporter.flush(kLong));
        ASSERT_EQ(exporter.sent(ExportSignal::Traces) + exporter.dropped(), kSpans + 1);
      }
    }
  }
  static void flush(Exporter& exporter) { ASSERT_TRUE(exporter.flush(kLong)); }
};

INSTANTIATE_TEST_SUITE_P(Whose, ExporterSweepTest, testing::Values(Whose::Caller, Whose::Others),
                         [](const auto& whose) { return as_suffix(whose.param); });

TEST_P(ExporterSweepTest, SendsOrLosesEachSpanAndGoesOn) {
  FrugalReceiver receiver;
  sweep(receiver.url(), flush);
  EXPECT_GT(receiver.requests(), 10U);
}

TEST_P(ExporterSweepTest, WhereSomeAreRefused) {
  FrugalReceiver receiver;
  receiver.refuse_every_other();
  sweep(receiver.url(), flush);
}

TEST_P(ExporterSweepTest, WhereNobodyListens) {
  sweep("http://127.0.0.1:" + std::to_string(telemetry::unused_port()) + "/v1/traces", flush);
}

TEST_P(ExporterSweepTest, AStopInIt) {
  FrugalReceiver receiver;
  sweep(receiver.url(), [](Exporter& exporter) { static_cast<void>(exporter.stop(kLong)); });
}

class WrittenMetricsTest : public ScarceMemoryTest {
 protected:
  [[nodiscard]] Metrics some_metrics() {
    Bus bus(options(Durability::None));
    subscribe_inline(bus);
    subscribe_queued(bus);
    bus.publish(Order{1});
    EXPECT_TRUE(bus.wait_idle(kLong));
    return bus.metrics();
  }
  static std::size_t allocated() {
    const struct mallinfo2 facts = ::mallinfo2();
    return facts.uordblks + facts.hblkhd;
  }
  /// `write` either does its work or throws std::bad_alloc, and leaves nothing allocated.
  template <class Write>
  void sweep_writing(Write write) {
    write();
    std::uint64_t thrown = 0;
    const auto strike = [&](std::uint64_t nth) {
      const ScarceMemory scarce(Whose::Caller, nth, 1);
      try {
        write();
      } catch (const std::bad_alloc&) {
        ++thrown;
      }
      return scarce.was_reached();
    };
    for (std::uint64_t nth = 1; strike(nth) && !HasFailure(); ++nth) {
      // What leaks does so each time; malloc keeps a few free blocks for the thread, which count as
      // allocated.
      std::size_t before = 0;
      for (int again = 0; again < 20 && allocated() != before; ++again) {
        before = allocated();
        static_cast<void>(strike(nth));
      }
      EXPECT_EQ(allocated(), before) << "allocation " << nth;
    }
    EXPECT_GT(thrown, 10U);
  }
};

TEST_F(WrittenMetricsTest, AreWrittenWholeOrNotAtAll) {
  const Metrics metrics = some_metrics();
  telemetry::CounterRegistry own;
  own.counter("shop_orders_refused", "Orders that were refused.", {{"reason", "out of stock, for now"}})
      .add();
  std::ostringstream expected;
  telemetry::write_metrics(expected, metrics, telemetry::MetricsFormat::OpenMetrics, {.own = &own});
  sweep_writing([&] {
    std::ostringstream text;
    telemetry::write_metrics(text, metrics, telemetry::MetricsFormat::OpenMetrics, {.own = &own});
    const Plenty plenty;
    // A stream has its own way to say that it had no memory.
    EXPECT_TRUE(!text.good() || std::move(text).str() == expected.str());
  });
}

TEST_F(WrittenMetricsTest, AreReadForOtlpWholeOrNotAtAll) {
  const Metrics metrics = some_metrics();
  const std::size_t expected = telemetry::otlp_metrics(metrics).size();
  sweep_writing([&] { EXPECT_EQ(telemetry::otlp_metrics(metrics).size(), expected); });
}

TEST_F(WrittenMetricsTest, OfAFileAreTheOldOnesOrTheNewOnes) {
  const Metrics metrics = some_metrics();
  const auto file = folder_.path("shop.prom");
  telemetry::write_metrics_file(file, metrics);
  const auto size = std::filesystem::file_size(file);
  sweep_writing([&] { telemetry::write_metrics_file(file, metrics); });
  EXPECT_EQ(std::filesystem::file_size(file), size);
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path()))
    EXPECT_NE(entry.path().extension(), ".new") << entry.path();
}

}  // namespace
}  // namespace tidings::memory
