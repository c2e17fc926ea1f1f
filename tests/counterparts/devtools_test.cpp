#include "counterparts/devtools.hpp"

#include "settings/environment.hpp"
#include "telemetry/otlp_examples.hpp"

#include <tidings/context.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/record_exporter.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

// A receiver that nobody here wrote, and an exporter that is set up by environment variables.

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* kNextDay = "11111111111111111111111111111111";

SpanContext context_in(const std::string& trace, std::uint8_t span) {
  const auto parsed =
      TraceParent::parse("00-" + trace + "-00000000000000" + std::to_string(10 + span) + "-01");
  return {TraceId{parsed->trace_id}, SpanId{parsed->parent_id}, 1, ""};
}

SpanData span_of(const SpanContext& context, SpanKind kind, const std::string& name) {
  SpanData span;
  span.context = context;
  span.kind = kind;
  span.name = name;
  span.start_ns = 1'764'000'000'000'000'000 + context.span_id.bytes[7] * 1'000'000U;
  span.end_ns = span.start_ns + 500'000;
  return span;
}

/// A publish, two attempts of which the second failed, too, and its redrive on the next day.
std::vector<SpanData> story() {
  const SpanContext publish = context_in(kTrace, 1);
  const SpanContext first = context_in(kTrace, 2);
  const SpanContext second = context_in(kTrace, 3);
  std::vector<SpanData> spans = {
      span_of(publish, SpanKind::Producer, "publish orders.order_placed"),
      span_of(first, SpanKind::Consumer, "process orders.order_placed"),
      span_of(second, SpanKind::Consumer, "process orders.order_placed"),
      span_of(context_in(kNextDay, 4), SpanKind::Consumer, "process orders.order_placed")};
  spans[1].parent_span_id = spans[2].parent_span_id = publish.span_id;
  spans[1].links = {{publish, {}, 0}};
  spans[2].links = {{publish, {}, 0}, {first, {{"tidings.attempt", std::int64_t{1}}}, 0}};
  spans[3].links = {{second, {}, 0}};
  spans[2].status = SpanStatus::Error;
  spans[2].status_message = "no such mailbox";
  return spans;
}

class DevtoolsTest : public ::testing::TestWithParam<const char*> {
 protected:
  DevtoolsTest() {
    const std::map<std::string, std::string> variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", devtools_.url()},
                                                          {"OTEL_EXPORTER_OTLP_PROTOCOL", GetParam()},
                                                          {"OTEL_RESOURCE_ATTRIBUTES", "team=eu%20west"}};
    ExporterOptions options = exporter_options_of(
        [&](const char* name) {
          const auto found = variables.find(name);
          return found == variables.end() ? nullptr : found->second.c_str();
        },
        "orders");
    options.collect_metrics = [] { return otlp_examples().metrics; };
    exporter_ = std::make_shared<Exporter>(std::move(options));
  }

  /// By trace, then by id.
  [[nodiscard]] std::map<std::string, std::map<std::string, Json>> spans_read_back() const {
    std::map<std::string, std::map<std::string, Json>> spans;
    const Json answer = devtools_.get("/v1/traces");
    for (const Json& trace : answer.at("traces")) {
      for (const Json& span : trace.at("spans"))
        spans[trace.at("traceId").get<std::string>()][span.at("spanId").get<std::string>()] = span;
    }
    return spans;
  }
  [[nodiscard]] static std::vector<std::string> linked(const Json& span) {
    std::vector<std::string> ids;
    for (const Json& link : span.at("links"))
      ids.push_back(link.at("traceId").get<std::string>().substr(0, 4) + "/" +
                    link.at("spanId").get<std::string>());
    return ids;
  }

  Devtools devtools_;
  std::shared_ptr<Exporter> exporter_;
};

TEST_P(DevtoolsTest, SpansAreReadBackWithTheirParentsAndLinks) {
  for (const SpanData& span : story()) exporter_->add(span);
  ASSERT_TRUE(exporter_->flush(20s));
  auto spans = spans_read_back();
  ASSERT_EQ(spans.at(kTrace).size(), 3U);
  const Json publish = spans[kTrace]["0000000000000011"];
  const Json first = spans[kTrace]["0000000000000012"];
  const Json second = spans[kTrace]["0000000000000013"];
  const Json next_day = spans[kNextDay]["0000000000000014"];
  EXPECT_EQ(publish.at("kind"), "PRODUCER");
  EXPECT_FALSE(publish.contains("parentSpanId"));
  EXPECT_EQ(publish.at("attributes").at("team"), "eu west");
  EXPECT_EQ(publish.at("attributes").at("service.name"), "orders");
  EXPECT_EQ(first.at("parentSpanId"), "0000000000000011");
  EXPECT_EQ(first.at("status").at("code"), "UNSET");
  EXPECT_THAT(linked(first), ElementsAre("0af7/0000000000000011"));
  EXPECT_EQ(second.at("status").at("message"), "no such mailbox");
  EXPECT_THAT(linked(second), ElementsAre("0af7/0000000000000011", "0af7/0000000000000012"));
  EXPECT_EQ(second.at("links").at(1).at("attributes").at("tidings.attempt"), 1);
  EXPECT_FALSE(next_day.contains("parentSpanId"));
  EXPECT_THAT(linked(next_day), ElementsAre("0af7/0000000000000013"));
}

TEST_P(DevtoolsTest, RecordsAreReadBackWithTheirTraceAndMetricsAreTaken) {
  const logging::Logger log({.sinks = {export_records(exporter_)}});
  Context context = Context::fresh();
  context.traceparent = TraceParent::parse(std::string("00-") + kTrace + "-0000000000000011-01");
  {
    const ContextScope scope(context);
    log.warning("handler_failed", {{"attempt", 2}, {"message", "no such mailbox"}});
  }
  ASSERT_TRUE(exporter_->flush(20s));
  EXPECT_EQ(exporter_->dropped(), 0U);
  EXPECT_EQ(exporter_->sent(ExportSignal::Metrics), 1U);
  const Json answer = devtools_.post("/api/query/logs", {{"query", ""}});
  ASSERT_EQ(answer.at("logs").size(), 1U);
  const Json record = answer.at("logs").at(0);
  EXPECT_EQ(record.at("body"), "no such mailbox");
  EXPECT_EQ(record.at("severityNumber"), 13);
  EXPECT_EQ(record.at("traceId"), kTrace);
  EXPECT_EQ(record.at("attributes").at("attempt"), 2);
}

INSTANTIATE_TEST_SUITE_P(Protocols, DevtoolsTest, ::testing::Values("http/protobuf", "http/json"));

}  // namespace
}  // namespace tidings::telemetry
