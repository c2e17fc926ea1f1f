#include "logging/variable.hpp"
#include "telemetry/exporter_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/active_span.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/otlp_json.hpp>
#include <tidings/telemetry/telemetry.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidings::telemetry {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// What of the environment an ExporterTest's receiver stands for.
class TelemetryTest : public ExporterTest {
 protected:
  /// All three signals as JSON.
  [[nodiscard]] ExporterOptions json() {
    ExporterOptions options = ExporterTest::options();
    for (auto [endpoint, path] : {std::pair{&options.traces, "/v1/traces"},
                                  {&options.logs, "/v1/logs"},
                                  {&options.metrics, "/v1/metrics"}}) {
      endpoint->url = receiver_.url(path);
      endpoint->protocol = Protocol::HttpJson;
    }
    return options;
  }
  /// The names of what has arrived below `path`: of spans, records and metrics.
  [[nodiscard]] std::multiset<std::string> names(const std::string& path) const {
    std::multiset<std::string> result;
    for (const ReceivedRequest& request : receiver_.requests()) {
      if (request.path != path) continue;
      const Json body = tidings::detail::parse_json(request.body);
      add_names(body, result);
    }
    return result;
  }
  static void add_names(const Json& json, std::multiset<std::string>& result) {
    if (json.is_object()) {
      for (const char* key : {"spans", "logRecords", "metrics"}) {
        if (!json.contains(key)) continue;
        for (const Json& each : json.at(key)) result.insert(each.value("name", each.value("eventName", "")));
      }
    }
    if (json.is_structured()) {
      for (const Json& each : json) add_names(each, result);
    }
  }
  static void publish(Bus& bus) {
    const auto handler = bus.subscribe("orders.placed", "ship", [](const Json&) { const Span span("pack"); });
    bus.publish("orders.placed", Json::object());
  }
};

TEST_F(TelemetryTest, SendsTracesMetricsAndRecordsOfABus) {
  {
    Telemetry telemetry(json());
    const logging::Logger log({.service = "orders", .sinks = telemetry.with_export({})});
    Bus bus({.service = "orders", .logger = log, .telemetry = telemetry.for_bus()});
    const Measured measured = telemetry.measure(bus);
    telemetry.counters().counter("orders_refused", "Orders refused.", {}).add();
    publish(bus);
    log.warning("stock_low");
  }
  EXPECT_THAT(names("/v1/traces"), IsSupersetOf({"publish orders.placed", "process orders.placed", "pack"}));
  EXPECT_THAT(names("/v1/metrics"), IsSupersetOf({"tidings_events_published", "orders_refused"}));
  EXPECT_THAT(names("/v1/logs"), Contains("stock_low"));
  const Span nobody("later");
  EXPECT_FALSE(nobody.is_recorded());
}

TEST_F(TelemetryTest, SendsTheLastMetricsOfABusThatIsGone) {
  std::optional<Telemetry> telemetry(json());
  {
    Bus bus({.service = "orders", .telemetry = telemetry->for_bus()});
    const Measured measured = telemetry->measure(bus);
    for (int i = 0; i < 3; ++i) publish(bus);
  }
  telemetry.reset();
  std::set<std::string> published;
  for (const ReceivedRequest& request : receiver_.requests()) {
    if (request.path != "/v1/metrics") continue;
    const Json scope =
        tidings::detail::parse_json(request.body).at("resourceMetrics").at(0).at("scopeMetrics").at(0);
    for (const Json& metric : scope.at("metrics")) {
      if (metric.at("name") != "tidings_events_published") continue;
      for (const Json& point : metric.at("sum").at("dataPoints"))
        published.insert(point.at("asInt").get<std::string>());
    }
  }
  EXPECT_THAT(published, Contains("3"));
}

TEST_F(TelemetryTest, SendsExemplarsWithTheMetricsIfTheyAreWanted) {
  {
    Telemetry telemetry(json(), {.exemplars = std::make_shared<Exemplars>()});
    Bus bus({.service = "orders", .logger = capture_.logger(), .telemetry = telemetry.for_bus()});
    const Measured measured = telemetry.measure(bus);
    auto pack = bus.subscribe("orders.placed", "pack", [](const Json&) {}, {.dispatch = Dispatch::Queued});
    bus.publish("orders.placed", Json::object());
    ASSERT_TRUE(bus.wait_idle(kLong));
    std::ostringstream text;
    write_metrics(text, bus.metrics(), MetricsFormat::OpenMetrics, telemetry.more());
    EXPECT_THAT(text.str(), HasSubstr(" # {trace_id=\""));
  }
  std::string sent;
  for (const ReceivedRequest& request : receiver_.requests()) {
    if (request.path == "/v1/metrics") sent = request.body;
  }
  EXPECT_THAT(sent, HasSubstr("\"exemplars\":[{"));
}

TEST_F(TelemetryTest, MeasuresOneBusAtATime) {
  Telemetry telemetry(json());
  Bus first({.service = "orders"});
  Bus second({.service = "bills"});
  std::optional<Measured> measured(telemetry.measure(first));
  try {
    static_cast<void>(telemetry.measure(second));
    FAIL() << "measured two";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
  }
  measured.reset();
  Measured other = telemetry.measure(second);
  Measured moved = std::move(other);
  EXPECT_THROW(static_cast<void>(telemetry.measure(first)), Error);
}

TEST_F(TelemetryTest, IsOneInAProcessAtATime) {
  {
    Telemetry first(json());
    EXPECT_THROW(Telemetry("bills"), Error);
    const Span span("of the first");  // the second has taken nothing away
    EXPECT_TRUE(span.is_recorded());
  }
  EXPECT_NO_THROW(Telemetry("bills"));
}

TEST_F(TelemetryTest, TakesNoMetricsOfAnother) {
  ExporterOptions options = json();
  options.collect_metrics = [] { return std::vector<MetricData>{}; };
  EXPECT_THROW(Telemetry(std::move(options)), Error);
}

TEST(TelemetryOfTheEnvironmentTest, IsNothingWithoutAnEndpoint) {
  Telemetry telemetry("orders");
  EXPECT_EQ(telemetry.tracer(), nullptr);
  EXPECT_EQ(telemetry.for_bus().observer, nullptr);
  EXPECT_TRUE(telemetry.for_bus().metrics);
  EXPECT_THAT(telemetry.with_export({}), IsEmpty());
  const Span span("nobody");
  EXPECT_FALSE(span.is_recorded());
}

TEST(TelemetryOfTheEnvironmentTest, IsWhatTheVariablesSay) {
  Receiver receiver;
  const std::string url = receiver.url("");
  const logging::Variable endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", url.c_str());
  const logging::Variable logs("OTEL_LOGS_EXPORTER", "none");
  const logging::Variable sampler("OTEL_TRACES_SAMPLER", "always_off");
  {
    Telemetry telemetry("orders");
    EXPECT_THAT(telemetry.with_export({}), IsEmpty());
    Bus bus({.service = "orders", .telemetry = telemetry.for_bus()});
    const Measured measured = telemetry.measure(bus);
    bus.publish("orders.placed", Json::object());
  }
  const auto requests = receiver.requests();
  ASSERT_THAT(requests, Not(IsEmpty()));
  for (const ReceivedRequest& request : requests) EXPECT_EQ(request.path, "/v1/metrics");
}

TEST(TelemetryOfTheEnvironmentTest, PutsItsSamplerBeforeThatOfTheCode) {
  Receiver receiver;
  const std::string url = receiver.url("");
  const logging::Variable endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", url.c_str());
  {
    Telemetry telemetry("orders", {.sampler = Sampler::always_off()});
    EXPECT_FALSE(Span("unnamed").is_recorded());
  }
  const logging::Variable sampler("OTEL_TRACES_SAMPLER", "always_on");
  Telemetry telemetry("orders", {.sampler = Sampler::always_off()});
  EXPECT_TRUE(Span("named").is_recorded());
}

TEST(TelemetryOfTheEnvironmentTest, TellsOnceWhatHoldsForAllSignalsAndNamesEachInstance) {
  const logging::Variable endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1");
  const logging::Variable protocol("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon");
  const auto first = ExporterOptions::from_environment("orders");
  EXPECT_THAT(first.problems, SizeIs(1));
  const auto second = ExporterOptions::from_environment("orders");
  const auto instance = [](const ExporterOptions& options) {
    for (const Attribute& each : options.resource.attributes) {
      if (each.name == "service.instance.id") return std::get<std::string>(each.value);
    }
    return std::string();
  };
  EXPECT_THAT(instance(first), SizeIs(36));
  EXPECT_NE(instance(first), instance(second));
}

TEST(OtlpJsonTest, IsOneLineThatHasTheSpanAndTheResource) {
  SpanData span;
  span.context.trace_id.bytes[0] = 1;
  span.name = "two\nlines";
  const std::string line = otlp_json({&span, 1}, {{{"service.name", "orders"}}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 0);
  const Json resource = tidings::detail::parse_json(line).at("resourceSpans").at(0);
  EXPECT_EQ(resource.at("resource").at("attributes").at(0).at("value").at("stringValue"), "orders");
  const Json read = resource.at("scopeSpans").at(0).at("spans").at(0);
  EXPECT_EQ(read.at("name"), "two\nlines");
  EXPECT_THAT(read.at("traceId").get<std::string>(), StartsWith("01"));
}

}  // namespace
}  // namespace tidings::telemetry
