#include "telemetry/exporter_fixture.hpp"
#include "telemetry/otlp_examples.hpp"

#include "otlp/messages.hpp"

#include <tidings/detail/parse_json.hpp>
#include <tidings/error.hpp>
#include <tidings/version.hpp>

#include <gmock/gmock.h>

#include <filesystem>
#include <iterator>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::size_t threads_of_process() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

TEST(ExporterWithoutEndpointTest, HasNoThreadAndDoesNothing) {
  const std::size_t before = threads_of_process();
  Exporter exporter{ExporterOptions()};
  EXPECT_EQ(threads_of_process(), before);
  exporter.add(SpanData());
  exporter.add(LogData());
  EXPECT_FALSE(exporter.exports(ExportSignal::Traces));
  EXPECT_TRUE(exporter.flush(0ms));
  EXPECT_TRUE(exporter.stop(0ms));
  EXPECT_EQ(exporter.dropped(), 0U);
}

TEST_F(ExporterTest, SpansArePostedAsProtobuf) {
  ExporterOptions with_header = options();
  with_header.traces.headers = {{"authorization", "Basic secret"}};
  Exporter exporter(std::move(with_header));
  const std::vector<SpanData> spans = otlp_examples().spans;
  for (const SpanData& each : spans) exporter.add(each);
  send(exporter);
  const auto requests = receiver_.requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].path, "/v1/traces");
  EXPECT_EQ(requests[0].headers.at("content-type"), "application/x-protobuf");
  EXPECT_EQ(requests[0].headers.at("user-agent"), "OTel-OTLP-Exporter-tidings/" + std::string(version()));
  EXPECT_EQ(requests[0].headers.at("authorization"), "Basic secret");
  EXPECT_EQ(requests[0].headers.count("expect"), 0U);
  EXPECT_EQ(requests[0].body, encode_spans(spans, options().resource, OtlpEncoding::Protobuf));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 2U);
}

TEST_F(ExporterTest, SpansArePostedAsJson) {
  ExporterOptions as_json = options();
  as_json.traces.protocol = Protocol::HttpJson;
  Exporter exporter(std::move(as_json));
  for (const SpanData& each : otlp_examples().spans) exporter.add(each);
  send(exporter);
  EXPECT_EQ(receiver_.requests().at(0).headers.at("content-type"), "application/json");
  EXPECT_EQ(detail::parse_json(receiver_.requests().at(0).body), detail::parse_json(spans_as_json()));
}

TEST_F(ExporterTest, ABodyThatIsCompressedIsTheSameWhenItIsRead) {
  ExporterOptions with_gzip = options();
  with_gzip.traces.compression = Compression::Gzip;
  Exporter exporter(std::move(with_gzip));
  std::vector<SpanData> spans;
  for (int i = 0; i < 500; ++i) spans.push_back(span("publish " + std::to_string(i)));
  for (const SpanData& each : spans) exporter.add(each);
  send(exporter);
  const ReceivedRequest request = receiver_.requests().at(0);
  EXPECT_EQ(request.headers.at("content-encoding"), "gzip");
  EXPECT_LT(std::stoul(request.headers.at("content-length")), request.body.size() / 2);
  EXPECT_EQ(request.body, encode_spans(spans, options().resource, OtlpEncoding::Protobuf));
}

TEST_F(ExporterTest, RecordsGoToTheirOwnEndpoint) {
  ExporterOptions both = options();
  both.logs.url = receiver_.url("/v1/logs");
  Exporter exporter(std::move(both));
  const std::vector<LogData> logs = otlp_examples().logs;
  for (const LogData& each : logs) exporter.add(each);
  send(exporter);
  ASSERT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(receiver_.requests()[0].path, "/v1/logs");
  EXPECT_EQ(receiver_.requests()[0].body, encode_logs(logs, options().resource, OtlpEncoding::Protobuf));
  EXPECT_EQ(exporter.sent(ExportSignal::Logs), 3U);
}

TEST_F(ExporterTest, ABatchWaitsForOthersUntilItsDelayHasPassed) {
  Exporter exporter(options());
  exporter.add(span("a"));
  pass(3s);
  exporter.add(span("b"));
  pass(1'999ms);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 2U);
}

TEST_F(ExporterTest, AFullBatchIsSentAtOnce) {
  ExporterOptions small = options();
  small.span_batches.batch = 3;
  Exporter exporter(std::move(small));
  for (int i = 0; i < 7; ++i) exporter.add(span("s"));
  receiver_.await_requests(2);
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(2));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 6U);
}

TEST_F(ExporterTest, MetricsAreReadEveryIntervalAndAtTheEnd) {
  ExporterOptions with_metrics = options();
  with_metrics.metrics.url = receiver_.url("/v1/metrics");
  with_metrics.collect_metrics = [] { return otlp_examples().metrics; };
  Exporter exporter(std::move(with_metrics));
  pass(59'999ms);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_TRUE(exporter.stop(kLong));
  ASSERT_THAT(receiver_.requests(), SizeIs(2));
  EXPECT_EQ(receiver_.requests()[1].path, "/v1/metrics");
  EXPECT_EQ(receiver_.requests()[1].body,
            encode_metrics(otlp_examples().metrics, options().resource, OtlpEncoding::Protobuf));
  EXPECT_EQ(exporter.sent(ExportSignal::Metrics), 2U);
}

TEST_F(ExporterTest, AReadingThatThrowsIsLostAndTheNextOneIsMade) {
  ExporterOptions with_metrics = options();
  with_metrics.metrics.url = receiver_.url("/v1/metrics");
  int readings = 0;
  with_metrics.collect_metrics = [&] {
    if (++readings == 1) throw std::runtime_error("no numbers today");
    return readings == 2 ? std::vector<MetricData>() : otlp_examples().metrics;
  };
  Exporter exporter(std::move(with_metrics));
  for (int i = 0; i < 3; ++i) send(exporter);
  EXPECT_EQ(exporter.dropped(ExportSignal::Metrics), 1U);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(capture_.only("telemetry_lost").at("problem"), "no numbers today");
}

TEST_F(ExporterTest, StopSendsWhatWaits) {
  Exporter exporter(options());
  for (int i = 0; i < 1'000; ++i) exporter.add(span("s"));
  EXPECT_TRUE(exporter.stop(kLong));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 1'000U);
  EXPECT_THAT(receiver_.requests(), SizeIs(2));
}

TEST_F(ExporterTest, WhatIsAddedAfterTheEndIsLost) {
  Exporter exporter(options());
  EXPECT_TRUE(exporter.stop(kLong));
  exporter.add(span("late"));
  EXPECT_EQ(exporter.dropped(), 1U);
  EXPECT_TRUE(exporter.flush(0ms));
  EXPECT_TRUE(exporter.stop(0ms));
}

TEST_F(ExporterTest, EverythingIsSentOrCountedAsLostWhateverThreadsDo) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2'000;
  ExporterOptions small = options();
  small.span_batches.queue = 100;
  small.span_batches.batch = 50;
  Exporter exporter(std::move(small));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        exporter.add(span("s"));
        if (i % 500 == 0) exporter.flush(kLong);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(exporter.stop(kLong));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces) + exporter.dropped(), kThreads * kEach);
}

TEST_F(ExporterTest, OptionsThatBreakTheirBoundsAreRefused) {
  const std::vector<void (*)(ExporterOptions&)> breaks = {
      [](ExporterOptions& to) { to.traces.url = "localhost:4318"; },
      [](ExporterOptions& to) { to.traces.url = "file:///etc/passwd"; },
      [](ExporterOptions& to) { to.traces.timeout = 0ms; },
      [](ExporterOptions& to) {
        to.traces.headers = {{"a b", "c"}};
      },
      [](ExporterOptions& to) {
        to.traces.headers = {{"a", "b\r\nc: d"}};
      },
      [](ExporterOptions& to) {
        to.traces.headers = {{"Content-Type", "text/plain"}};
      },
      [](ExporterOptions& to) { to.span_batches.batch = 0; },
      [](ExporterOptions& to) { to.span_batches.batch = to.span_batches.queue + 1; },
      [](ExporterOptions& to) { to.log_batches.delay = 0ms; },
      [](ExporterOptions& to) { to.log_batches.give_up_after = -1ms; },
      [](ExporterOptions& to) { to.metrics_interval = 0ms; },
      [](ExporterOptions& to) { to.clock = nullptr; },
      [](ExporterOptions& to) { to.random = nullptr; },
  };
  for (const auto& break_one : breaks) {
    ExporterOptions broken = options();
    break_one(broken);
    EXPECT_THROW(Exporter{broken}, Error);
  }
}

TEST_F(ExporterTest, BadSettingsAreToldAlsoWhereNothingIsExported) {
  ExporterOptions nowhere;
  nowhere.logger = capture_.logger();
  nowhere.problems = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "it does not begin with http:// or https://", "none"}};
  const Exporter exporter(nowhere);
  const Json record = capture_.only("telemetry_setting_ignored");
  EXPECT_EQ(record.at("variable"), "OTEL_EXPORTER_OTLP_ENDPOINT");
  EXPECT_EQ(record.at("used_instead"), "none");
}

}  // namespace
}  // namespace tidings::telemetry
