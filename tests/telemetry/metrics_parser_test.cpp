#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include "architecture/command.hpp"
#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

// What the parsers of python3-prometheus-client read of the text. The one of OpenMetrics is strict.

namespace tidings::telemetry::test {
namespace {

using ::testing::HasSubstr;

std::string parsed(MetricsFormat format, const char* name) {
  CounterRegistry own;
  own.counter("shop_refused", "Orders refused: \"no\"\nor \\never", {{"reason", "no \"stock\"\n\\"}}).add(3);
  Exemplars exemplars;
  exemplars.note("orders.order_placed", "send_receipt",
                 {std::chrono::milliseconds(15), Timestamp(std::chrono::seconds(1'767'225'600)),
                  *TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")});
  const auto path =
      std::filesystem::temp_directory_path() / ("tidings-parsed-" + std::to_string(::getpid()) + ".prom");
  {
    std::ofstream stream(path);
    write_metrics(stream, sample_metrics(), format, {.own = &own, .exemplars = &exemplars});
  }
  const auto result = architecture::run_command("/usr/bin/python3 '" TIDINGS_PARSE_METRICS "' " +
                                                std::string(name) + " < '" + path.string() + "'");
  std::filesystem::remove(path);
  EXPECT_EQ(result.exit_status, 0);
  return result.output;
}

void expect_whole(const std::string& samples) {
  EXPECT_THAT(samples,
              HasSubstr("tidings_events_published_total {\"event_type\": \"orders.order_placed\"} 12"));
  EXPECT_THAT(samples, HasSubstr(R"(tidings_queue_depth {"event_type": "*", "handler": "a\"b\\c"} 0)"));
  EXPECT_THAT(samples, HasSubstr(R"(shop_refused_total {"reason": "no \"stock\"\n\\"} 3)"));
  EXPECT_THAT(samples, HasSubstr("tidings_commit_duration_seconds_sum {} 0.006\n"));
  EXPECT_THAT(samples, HasSubstr("tidings_commit_duration_seconds_bucket {\"le\": \"0.005\"} 2"));
  EXPECT_THAT(samples, HasSubstr("tidings_build_info {\"service\": \"shop\", \"version\": "));
}

TEST(MetricsParser, ReadsTheTextOfPrometheus) { expect_whole(parsed(MetricsFormat::PrometheusText, "text")); }

TEST(MetricsParser, ReadsOpenMetrics) {
  const std::string samples = parsed(MetricsFormat::OpenMetrics, "openmetrics");
  expect_whole(samples);
  EXPECT_THAT(samples, HasSubstr("family tidings_events_published counter -\n"));
  EXPECT_THAT(samples, HasSubstr("family tidings_handler_duration_seconds histogram seconds\n"));
  EXPECT_THAT(samples, HasSubstr("family tidings_build info -\n"));
  EXPECT_THAT(samples, HasSubstr("\"le\": \"0.02\"} 9\nexemplar {\"span_id\": \"b7ad6b7169203331\", "
                                 "\"trace_id\": \"0af7651916cd43dd8448eb211c80319c\"} 0.015 1767225600.0"));
}

}  // namespace
}  // namespace tidings::telemetry::test
