#include "settings/environment.hpp"

#include <tidings/version.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

using Variables = std::map<std::string, std::string>;

ExporterOptions options_of(const Variables& variables, std::string_view service = {}) {
  return exporter_options_of(
      [&](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      service);
}

Variables with_endpoint(Variables variables) {
  variables.emplace("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
  return variables;
}

std::string attribute(const ExporterOptions& options, const std::string& name) {
  for (const Attribute& each : options.resource.attributes) {
    if (each.name == name) return std::get<std::string>(each.value);
  }
  return "(none)";
}

bool is_off(const ExporterOptions& options) {
  return options.traces.url.empty() && options.logs.url.empty() && options.metrics.url.empty();
}

TEST(ExporterEnvironmentTest, WithoutAnEndpointNothingIsExported) {
  EXPECT_TRUE(is_off(options_of({})));
  EXPECT_TRUE(is_off(options_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}, {"OTEL_SERVICE_NAME", "orders"}})));
}

TEST(ExporterEnvironmentTest, TheGeneralEndpointGetsThePathOfEachSignal) {
  const ExporterOptions options = options_of(with_endpoint({}));
  EXPECT_EQ(options.traces.url, "http://localhost:4318/v1/traces");
  EXPECT_EQ(options.logs.url, "http://localhost:4318/v1/logs");
  EXPECT_EQ(options.metrics.url, "http://localhost:4318/v1/metrics");
  EXPECT_THAT(options.problems, IsEmpty());
}

TEST(ExporterEnvironmentTest, ThePathGoesBehindOneThatIsThereAndBeforeAQuery) {
  const auto url = [](const char* endpoint) {
    return options_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}}).traces.url;
  };
  EXPECT_EQ(url("https://host/base/"), "https://host/base/v1/traces");
  EXPECT_EQ(url("https://host/base"), "https://host/base/v1/traces");
  EXPECT_EQ(url("https://host/base?key=1"), "https://host/base/v1/traces?key=1");
}

TEST(ExporterEnvironmentTest, TheEndpointOfASignalIsTakenAsItIsAndWins) {
  const ExporterOptions options =
      options_of(with_endpoint({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/in"}}));
  EXPECT_EQ(options.traces.url, "http://traces:1/in");
  EXPECT_EQ(options.logs.url, "http://localhost:4318/v1/logs");
  EXPECT_EQ(options_of({{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l"}}).traces.url, "");
}

TEST(ExporterEnvironmentTest, ASignalOrEverythingCanBeSwitchedOff) {
  EXPECT_TRUE(is_off(options_of(with_endpoint({{"OTEL_SDK_DISABLED", "TRUE"}}))));
  EXPECT_FALSE(is_off(options_of(with_endpoint({{"OTEL_SDK_DISABLED", "false"}}))));
  const ExporterOptions options = options_of(with_endpoint({{"OTEL_LOGS_EXPORTER", "none"}}));
  EXPECT_EQ(options.logs.url, "");
  EXPECT_THAT(options.traces.url, Not(IsEmpty()));
}

TEST(ExporterEnvironmentTest, SettingsAreOfAllSignalsOrOfOne) {
  const ExporterOptions options =
      options_of(with_endpoint({{"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
                                {"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "20"},
                                {"OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/json"},
                                {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"},
                                {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"},
                                {"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"},
                                {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"},
                                {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "me.pem"}}));
  EXPECT_EQ(options.traces.timeout, 1500ms);
  EXPECT_EQ(options.logs.timeout, 20ms);
  EXPECT_EQ(options.traces.protocol, Protocol::HttpJson);
  EXPECT_EQ(options.logs.protocol, Protocol::HttpProtobuf);
  EXPECT_EQ(options.traces.compression, Compression::Gzip);
  EXPECT_EQ(options.logs.compression, Compression::None);
  EXPECT_EQ(options.metrics.certificate, "ca.pem");
  EXPECT_EQ(options.metrics.client_key, "key.pem");
  EXPECT_EQ(options.metrics.client_certificate, "me.pem");
}

TEST(ExporterEnvironmentTest, HeadersArePercentDecoded) {
  const ExporterOptions options = options_of(with_endpoint(
      {{"OTEL_EXPORTER_OTLP_HEADERS", " Authorization = Basic%20a%2Cb%3D%3D ,, x-team=orders=eu;a=b"}}));
  EXPECT_THAT(options.traces.headers,
              ElementsAre(Pair("Authorization", "Basic a,b=="), Pair("x-team", "orders=eu;a=b")));
  EXPECT_THAT(options.problems, IsEmpty());
}

TEST(ExporterEnvironmentTest, TheHeadersOfASignalTakeThePlaceOfTheGeneralOnes) {
  const ExporterOptions options = options_of(with_endpoint(
      {{"OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2"}, {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=3"}}));
  EXPECT_THAT(options.traces.headers, ElementsAre(Pair("c", "3")));
  EXPECT_THAT(options.logs.headers, ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(ExporterEnvironmentTest, ABadHeaderIsLeftOutAndNothingOfItIsTold) {
  const ExporterOptions options = options_of(
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h"},
       {"OTEL_EXPORTER_OTLP_HEADERS",
        "s3cr,good=1,x=s3cr%0D%0AEvil: 1,y=s3cr%zz,content-type=s3cr,authorization: Bearer s3cr="}});
  EXPECT_THAT(options.traces.headers, ElementsAre(Pair("good", "1")));
  std::vector<std::string> told;
  for (const SettingProblem& each : options.problems) {
    EXPECT_EQ(each.variable, "OTEL_EXPORTER_OTLP_HEADERS");
    EXPECT_EQ(each.used_instead, "the others");
    told.push_back(each.problem.substr(0, each.problem.find(" is")));
  }
  EXPECT_THAT(told, ElementsAre("member 1", "member 4", "member 3", "member 5", "member 6"));
}

TEST(ExporterEnvironmentTest, BatchesAreReadWithTheirDefaults) {
  const ExporterOptions defaults = options_of(with_endpoint({}));
  EXPECT_EQ(defaults.span_batches.delay, 5s);
  EXPECT_EQ(defaults.log_batches.delay, 1s);
  EXPECT_EQ(defaults.log_batches.queue, 2'048U);
  EXPECT_EQ(defaults.log_batches.batch, 512U);
  EXPECT_EQ(defaults.log_batches.give_up_after, 30s);
  EXPECT_EQ(defaults.metrics_interval, 60s);
  const ExporterOptions options = options_of(with_endpoint({{"OTEL_BSP_SCHEDULE_DELAY", "100"},
                                                            {"OTEL_BSP_EXPORT_TIMEOUT", "200"},
                                                            {"OTEL_BSP_MAX_QUEUE_SIZE", "10"},
                                                            {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"},
                                                            {"OTEL_METRIC_EXPORT_INTERVAL", "1000"}}));
  EXPECT_EQ(options.span_batches.delay, 100ms);
  EXPECT_EQ(options.span_batches.give_up_after, 200ms);
  EXPECT_EQ(options.span_batches.queue, 10U);
  EXPECT_EQ(options.span_batches.batch, 10U);
  EXPECT_EQ(options.log_batches.batch, 7U);
  EXPECT_EQ(options.metrics_interval, 1s);
  EXPECT_THAT(options.problems, IsEmpty());
}

struct BadValue {
  std::string variable;
  std::string value;
  std::string used_instead;
};

void PrintTo(const BadValue& bad, std::ostream* stream) { *stream << bad.variable << "=" << bad.value; }

class BadVariable : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadVariable, IsToldWithWhatIsUsedInstead) {
  const auto& [variable, value, used_instead] = GetParam();
  Variables variables = {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h"}};
  variables[variable] = value;
  const ExporterOptions options = options_of(variables);
  ASSERT_EQ(options.problems.size(), 1U);
  EXPECT_EQ(options.problems[0].variable, variable);
  EXPECT_EQ(options.problems[0].used_instead, used_instead);
}

INSTANTIATE_TEST_SUITE_P(
    Environment, BadVariable,
    ::testing::Values(
        BadValue{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10000"},
        BadValue{"OTEL_EXPORTER_OTLP_TIMEOUT", "0", "10000"},
        BadValue{"OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "10000"},
        BadValue{"OTEL_EXPORTER_OTLP_TIMEOUT", "99999999999999999999", "10000"},
        BadValue{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"},
        BadValue{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none"},
        BadValue{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "none: nothing is exported"},
        BadValue{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "file:///etc", "none: nothing is exported"},
        BadValue{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "none: nothing is exported"},
        BadValue{"OTEL_TRACES_EXPORTER", "zipkin", "otlp"}, BadValue{"OTEL_SDK_DISABLED", "1", "false"},
        BadValue{"OTEL_BSP_MAX_QUEUE_SIZE", "many", "2048"},
        BadValue{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "512"},
        BadValue{"OTEL_METRIC_EXPORT_INTERVAL", "1.5", "60000"},
        BadValue{"OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "nothing of it"},
        BadValue{"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "events", "span events"},
        BadValue{"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs", "span events"}));  // there are no logs

TEST(ExporterEnvironmentTest, ExceptionsAreEventsOfSpansUntilLogsAreAskedFor) {
  constexpr const char* kVariable = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN";
  EXPECT_EQ(options_of(with_endpoint({})).exceptions, ExceptionSignal::SpanEvents);
  EXPECT_EQ(options_of(with_endpoint({{kVariable, "logs"}})).exceptions, ExceptionSignal::Logs);
  EXPECT_EQ(options_of(with_endpoint({{kVariable, "logs/dup"}})).exceptions, ExceptionSignal::Both);
}

TEST(ExporterEnvironmentTest, TheServiceIsNamedByTheEnvironmentOrTheCode) {
  EXPECT_EQ(attribute(options_of(with_endpoint({})), "service.name"), "unknown_service");
  EXPECT_EQ(attribute(options_of(with_endpoint({}), "orders"), "service.name"), "orders");
  Variables variables = with_endpoint({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,team=eu%20west"}});
  EXPECT_EQ(attribute(options_of(variables, "orders"), "service.name"), "shop");
  EXPECT_EQ(attribute(options_of(variables, "orders"), "team"), "eu west");
  variables["OTEL_SERVICE_NAME"] = "checkout";
  EXPECT_EQ(attribute(options_of(variables, "orders"), "service.name"), "checkout");
  EXPECT_EQ(attribute(options_of(variables, "orders"), "telemetry.sdk.version"), version());
}

TEST(ExporterEnvironmentTest, ABadListOfResourceAttributesIsDiscardedAsAWhole) {
  const ExporterOptions options =
      options_of(with_endpoint({{"OTEL_RESOURCE_ATTRIBUTES", "team=eu,host.name=%"}}));
  EXPECT_EQ(attribute(options, "team"), "(none)");
}

}  // namespace
}  // namespace tidings::telemetry
