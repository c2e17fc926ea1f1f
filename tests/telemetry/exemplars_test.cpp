#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/tracer.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings::telemetry::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Timestamp kThen{1'767'225'600'500'000us};

TraceParent span_of(const char* flags = "01") {
  return *TraceParent::parse(std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-") + flags);
}

std::string text_with(const Exemplars& exemplars, MetricsFormat format) {
  std::ostringstream stream;
  write_metrics(stream, sample_metrics(), format, {.exemplars = &exemplars});
  return stream.str();
}

/// The durations of those that are there.
std::vector<std::chrono::microseconds> noted(const Exemplars& exemplars, std::string_view type,
                                             std::string_view handler) {
  std::vector<std::chrono::microseconds> all;
  for (const auto& each : exemplars.of(type, handler)) {
    if (each) all.push_back(each->duration);
  }
  return all;
}

TEST(Exemplars, AreInTheirBucketsOfOpenMetricsAlone) {
  Exemplars exemplars;
  exemplars.note("orders.order_placed", "send_receipt", {15ms, kThen, span_of()});
  exemplars.note("orders.order_placed", "send_receipt", {70s, kThen, span_of()});
  const std::string series =
      "tidings_handler_duration_seconds_bucket{event_type=\"orders.order_placed\",handler="
      "\"send_receipt\",le=";
  const std::string ids = "{trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\"}";
  const std::string open = text_with(exemplars, MetricsFormat::OpenMetrics);
  EXPECT_THAT(open, HasSubstr(series + "\"0.02\"} 9 # " + ids + " 0.015000 1767225600.500000\n"));
  EXPECT_THAT(open, HasSubstr(series + "\"+Inf\"} 10 # " + ids + " 70.000000 1767225600.500000\n"));
  EXPECT_THAT(open, HasSubstr(series + "\"0.05\"} 9\n"));
  EXPECT_THAT(text_with(exemplars, MetricsFormat::PrometheusText), Not(HasSubstr("trace_id")));
  EXPECT_THAT(text_with(Exemplars(), MetricsFormat::OpenMetrics), Not(HasSubstr("trace_id")));
}

TEST(Exemplars, AreLeftOutWhereNothingWasCounted) {
  Exemplars exemplars;
  exemplars.note("orders.order_placed", "send_receipt", {3ms, kThen, span_of()});
  EXPECT_THAT(text_with(exemplars, MetricsFormat::OpenMetrics), Not(HasSubstr("trace_id")));
}

TEST(Exemplars, AreTheLastOfEachBucket) {
  Exemplars exemplars;
  for (const auto duration : {15ms, 3ms, 19ms, 20ms}) exemplars.note("t", "h", {duration, kThen, span_of()});
  EXPECT_EQ(noted(exemplars, "t", "h"), (std::vector<std::chrono::microseconds>{3ms, 20ms}));
  EXPECT_THAT(exemplars.of("t", "other"), IsEmpty());
  EXPECT_THAT(exemplars.of("other", "h"), IsEmpty());
}

TEST(Exemplars, AreBounded) {
  Exemplars exemplars;
  for (std::size_t i = 0; i <= Exemplars::kMostHandlers; ++i)
    exemplars.note("t" + std::to_string(i), "h", {1ms, kThen, span_of()});
  EXPECT_FALSE(exemplars.of("t999", "h").empty());
  EXPECT_TRUE(exemplars.of("t1000", "h").empty());
  exemplars.note("t999", "h", {70s, kThen, span_of()});
  EXPECT_EQ(noted(exemplars, "t999", "h").size(), 2U) << "those that are there go on";
}

class TracedExemplarsTest : public ::testing::Test {
 protected:
  BusOptions options(TracerOptions how = {}) {
    how.clock = clock_;
    how.exemplars = exemplars_;
    return {.service = "shop",
            .logger = capture_.logger(),
            .telemetry = {.observer = std::make_shared<Tracer>(
                              [this](const SpanData& span) { spans_.push_back(span); }, how)},
            .clock = clock_};
  }

  std::vector<SpanData> spans_;
  std::shared_ptr<Exemplars> exemplars_ = std::make_shared<Exemplars>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  logging::Capture capture_;
};

TEST_F(TracedExemplarsTest, AreAttemptsThatReturnedWithTheirSpan) {
  Bus bus(options());
  auto works = bus.subscribe("shop.paid", "works", [&](const Json&) { clock_->advance(7ms); });
  auto dies = bus.subscribe("shop.paid", "dies", [](const Json&) { throw std::runtime_error("no"); },
                            {.retry = {.max_attempts = 1}});
  auto all = bus.subscribe_all("all", [](const Json&) {});
  bus.publish("shop.paid", Json{{"order", 7}});
  EXPECT_EQ(noted(*exemplars_, "shop.paid", "works"), (std::vector<std::chrono::microseconds>{7ms}));
  EXPECT_EQ(noted(*exemplars_, "*", "all").size(), 1U) << "as its series is called";
  EXPECT_THAT(exemplars_->of("shop.paid", "dies"), IsEmpty()) << "what failed is in no bucket";
  const auto found = exemplars_->of("shop.paid", "works");
  const auto exemplar = std::find_if(found.begin(), found.end(), [](const auto& each) { return each; });
  EXPECT_TRUE(std::any_of(spans_.begin(), spans_.end(), [&](const SpanData& span) {
    return span.context.span_id.bytes == (*exemplar)->span.parent_id &&
           span.context.trace_id.bytes == (*exemplar)->span.trace_id;
  })) << "it leads to a span that was exported";
}

TEST_F(TracedExemplarsTest, AreNoneOfTracesThatNobodyCanOpen) {
  Bus bus(options({.sampler = Sampler::always_off(), .keep = {.spans = 10, .slower_than = 100ms}}));
  auto time = 7ms;
  auto works = bus.subscribe("shop.paid", "works", [&](const Json&) { clock_->advance(time); });
  bus.publish("shop.paid", Json{{"order", 7}});
  EXPECT_THAT(exemplars_->of("shop.paid", "works"), IsEmpty());
  time = 101ms;  // its trace is exported after all
  bus.publish("shop.paid", Json{{"order", 7}});
  EXPECT_EQ(noted(*exemplars_, "shop.paid", "works"), (std::vector<std::chrono::microseconds>{101ms}));
}

}  // namespace
}  // namespace tidings::telemetry::test
