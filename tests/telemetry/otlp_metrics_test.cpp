#include <tidings/telemetry/otlp_metrics.hpp>

#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/exporter.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tidings::telemetry::test {
namespace {

using ::testing::ElementsAre;

MetricData metric_named(std::string_view name, const MoreMetrics& more = {}) {
  const auto metrics = otlp_metrics(sample_metrics(), more);
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const auto& each) { return each.name == name; });
  if (found != metrics.end()) return *found;
  ADD_FAILURE() << "there is no " << name;
  return {.name = "missing", .data = Sum{}};
}

TEST(OtlpMetrics, CountersAreMonotonicSumsSinceTheBusWasMade) {
  const MetricData metric = metric_named("tidings_events_published");
  EXPECT_EQ(metric.unit, "");
  EXPECT_EQ(metric.start_ns, 1'767'225'000'000'000'000U);
  EXPECT_EQ(metric.time_ns, 1'767'225'700'000'000'000U);
  const auto& sum = std::get<Sum>(metric.data);
  EXPECT_TRUE(sum.monotonic);
  ASSERT_EQ(sum.points.size(), 2U);
  EXPECT_THAT(sum.points[0].attributes, ElementsAre(Attribute{"event_type", "orders.order_placed"}));
  EXPECT_EQ(std::get<std::int64_t>(sum.points[0].value), 12);
}

TEST(OtlpMetrics, GaugesAndTimesAreWhatTheyAre) {
  EXPECT_EQ(std::get<std::int64_t>(std::get<Gauge>(metric_named("tidings_workers").data).points[0].value), 2);
  const MetricData oldest = metric_named("tidings_journal_oldest_timestamp");
  EXPECT_EQ(oldest.unit, "s");
  EXPECT_EQ(std::get<double>(std::get<Gauge>(oldest.data).points[0].value), 1767225600.123456);
  EXPECT_EQ(std::get<Gauge>(metric_named("tidings_build_info").data).points.size(), 1U);
}

TEST(OtlpMetrics, HistogramsHaveEachDurationInOneBucket) {
  const MetricData metric = metric_named("tidings_handler_duration");
  EXPECT_EQ(metric.unit, "s");
  const HistogramPoint& point = std::get<Histogram>(metric.data).points[0];
  EXPECT_EQ(point.count, 10U);
  EXPECT_DOUBLE_EQ(point.sum, 60.12001);
  EXPECT_THAT(point.bounds, ElementsAre(0.00001, 0.0001, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
                                        2.0, 5.0, 10.0));
  EXPECT_THAT(point.bucket_counts, ElementsAre(1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1));
}

TEST(OtlpMetrics, HistogramsHaveExemplarsOfBucketsThatCountedSomething) {
  using namespace std::chrono_literals;
  const auto span = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  Exemplars exemplars;
  for (const auto duration : {3ms, 15ms})
    exemplars.note("orders.order_placed", "send_receipt", {duration, Timestamp(1'767'225'600s), *span});
  const MetricData metric = metric_named("tidings_handler_duration", {.exemplars = &exemplars});
  const auto& points = std::get<Histogram>(metric.data).points;
  ASSERT_EQ(points[0].exemplars.size(), 1U);
  EXPECT_EQ(points[0].exemplars[0].value, 0.015);
  EXPECT_EQ(points[0].exemplars[0].time_ns, 1'767'225'600'000'000'000U);
  EXPECT_EQ(points[0].exemplars[0].trace_id.bytes, span->trace_id);
  EXPECT_EQ(points[0].exemplars[0].span_id.bytes, span->parent_id);
  EXPECT_TRUE(points[1].exemplars.empty());
}

TEST(OtlpMetrics, LeaveOutWhatHasNoSeries) {
  Metrics metrics = sample_metrics();
  metrics.letters.unresolved = UnresolvedLetters{};
  for (const MetricData& each : otlp_metrics(metrics))
    EXPECT_NE(each.name, "tidings_dead_letters_oldest_timestamp");
}

TEST(OtlpMetrics, HaveTheApplicationsCountersAndWhatTheExporterLost) {
  CounterRegistry own;
  own.counter("shop_refused", "Orders refused.").add(3);
  const Exporter exporter{ExporterOptions{}};
  const MoreMetrics more{.own = &own, .exporter = &exporter};
  EXPECT_EQ(std::get<std::int64_t>(std::get<Sum>(metric_named("shop_refused", more).data).points[0].value),
            3);
  const MetricData dropped = metric_named("tidings_exporter_dropped", more);
  ASSERT_EQ(std::get<Sum>(dropped.data).points.size(), 3U);
  EXPECT_THAT(std::get<Sum>(dropped.data).points[0].attributes, ElementsAre(Attribute{"signal", "traces"}));
}

}  // namespace
}  // namespace tidings::telemetry::test
