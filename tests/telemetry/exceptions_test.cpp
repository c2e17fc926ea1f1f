#include "telemetry/exporter_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/memory_letter_sink.hpp>
#include <tidings/telemetry/active_span.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <gmock/gmock.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class ExceptionsTest : public ExporterTest {
 protected:
  void trace(ExceptionSignal signal, bool with_logs = true, TracerOptions how = {}) {
    ExporterOptions options = ExporterTest::options();
    options.traces.protocol = Protocol::HttpJson;
    if (with_logs) options.logs = {.url = receiver_.url("/v1/logs"), .protocol = Protocol::HttpJson};
    options.exceptions = signal;
    exporter_ = std::make_shared<Exporter>(std::move(options));
    how.clock = clock_;
    tracer_ = std::make_shared<Tracer>(exporter_, how);
  }
  /// An event whose handler fails twice, and never again.
  void publish_to_failing_handler() {
    Bus bus({.service = "shop",
             .store = std::make_shared<MemoryLetterSink>(),
             .logger = capture_.logger(),
             .telemetry = {.observer = tracer_},
             .clock = clock_});
    auto dies = bus.subscribe("shop.order_paid", "dies",
                              [](const Json&, const EventContext& context) {
                                context.bind({{"stack", "charge at card.cpp:7"}, {"api_key", "hunter2"}});
                                throw std::runtime_error("no money, password=hunter2");
                              },
                              {.retry = {.max_attempts = 2}});
    bus.publish("shop.order_paid", Json{{"order", 7}});
  }
  /// All that was sent to `path`: spans or records.
  [[nodiscard]] std::vector<Json> received(const std::string& path) {
    send(*exporter_);
    const bool spans = path == "/v1/traces";
    std::vector<Json> all;
    for (const ReceivedRequest& request : receiver_.requests()) {
      if (request.path != path) continue;
      EXPECT_EQ(request.body.find("hunter2"), std::string::npos) << request.body;
      const Json body = detail::parse_json(request.body);
      const Json& scope = body.at(spans ? "resourceSpans" : "resourceLogs")
                              .at(0)
                              .at(spans ? "scopeSpans" : "scopeLogs")
                              .at(0);
      EXPECT_EQ(scope.at("scope").at("name"), "tidings");
      for (const Json& each : scope.at(spans ? "spans" : "logRecords")) all.push_back(each);
    }
    return all;
  }
  [[nodiscard]] std::vector<Json> failed_attempts() {
    std::vector<Json> all;
    for (const Json& span : received("/v1/traces")) {
      if (span.at("name") == "process shop.order_paid") all.push_back(span);
    }
    return all;
  }
  [[nodiscard]] static std::string text(const Json& item, const std::string& name) {
    for (const Json& each : item.at("attributes")) {
      if (each.at("key") == name) return each.at("value").value("stringValue", "no text");
    }
    return "none";
  }

  std::shared_ptr<Exporter> exporter_;
  std::shared_ptr<Tracer> tracer_;
};

TEST_F(ExceptionsTest, AreEventsOfTheirSpanByDefault) {
  trace(ExceptionSignal::SpanEvents);
  publish_to_failing_handler();
  const auto attempts = failed_attempts();
  ASSERT_THAT(attempts, SizeIs(2));
  const Json& event = attempts[0].at("events").at(0);
  EXPECT_EQ(event.at("name"), "exception");
  EXPECT_EQ(text(event, "exception.type"), "std::runtime_error");
  EXPECT_EQ(text(event, "exception.message"), "no money, password=[redacted]");
  EXPECT_EQ(text(event, "exception.stacktrace"), "charge at card.cpp:7");
  EXPECT_EQ(text(attempts[0], "stack"), "none") << "once is enough";
  EXPECT_THAT(received("/v1/logs"), IsEmpty());
}

TEST_F(ExceptionsTest, HaveNoStackOfAFieldThatTheEventCameWith) {
  trace(ExceptionSignal::SpanEvents);
  {
    Bus bus({.service = "shop",
             .store = std::make_shared<MemoryLetterSink>(),
             .logger = capture_.logger(),
             .telemetry = {.observer = tracer_},
             .clock = clock_});
    auto dies = bus.subscribe("shop.order_paid", "dies", [](const Json&) { throw Permanent("no money"); });
    const ContextScope request({{"stack", "of boxes"}});
    bus.publish("shop.order_paid", Json{{"order", 7}});
  }
  const auto attempts = failed_attempts();
  ASSERT_THAT(attempts, SizeIs(1));
  EXPECT_EQ(text(attempts[0], "stack"), "of boxes");
  EXPECT_EQ(text(attempts[0].at("events").at(0), "exception.stacktrace"), "none");
}

TEST_F(ExceptionsTest, AreRecordsOfTheAttemptIfLogsAreAskedFor) {
  trace(ExceptionSignal::Logs);
  publish_to_failing_handler();
  const auto attempts = failed_attempts();
  const auto records = received("/v1/logs");
  ASSERT_THAT(attempts, SizeIs(2));
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].at("severityNumber"), 13) << "another attempt follows";
  EXPECT_EQ(records[1].at("severityNumber"), 17) << "it gave up";
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_FALSE(attempts[i].contains("events"));
    EXPECT_EQ(text(attempts[i], "error.type"), "std::runtime_error");
    EXPECT_EQ(records[i].at("eventName"), "messaging.process.exception");
    EXPECT_EQ(records[i].at("traceId"), attempts[i].at("traceId"));
    EXPECT_EQ(records[i].at("spanId"), attempts[i].at("spanId"));
    EXPECT_EQ(records[i].at("flags"), 1);
    EXPECT_EQ(records[i].at("timeUnixNano"), attempts[i].at("endTimeUnixNano"));
    EXPECT_EQ(text(records[i], "exception.type"), "std::runtime_error");
    EXPECT_EQ(text(records[i], "exception.message"), "no money, password=[redacted]");
    EXPECT_EQ(text(records[i], "exception.stacktrace"), "charge at card.cpp:7");
    EXPECT_EQ(text(records[i], "messaging.destination.subscription.name"), "dies");
  }
}

TEST_F(ExceptionsTest, AreBothWhileReceiversMove) {
  trace(ExceptionSignal::Both);
  publish_to_failing_handler();
  EXPECT_THAT(received("/v1/logs"), SizeIs(2));
  for (const Json& attempt : failed_attempts()) EXPECT_THAT(attempt.at("events"), SizeIs(1));
}

TEST_F(ExceptionsTest, AreEventsWhereNoRecordsAreExported) {
  trace(ExceptionSignal::Logs, false);
  EXPECT_EQ(exporter_->exceptions(), ExceptionSignal::SpanEvents);
  publish_to_failing_handler();
  for (const Json& attempt : failed_attempts()) EXPECT_THAT(attempt.at("events"), SizeIs(1));
}

TEST_F(ExceptionsTest, OfAKeptTraceSayThatItIsExported) {
  trace(ExceptionSignal::Logs, true, {.sampler = Sampler::always_off(), .keep = {.spans = 100}});
  publish_to_failing_handler();
  const auto records = received("/v1/logs");
  ASSERT_THAT(records, SizeIs(2));
  for (const Json& record : records) EXPECT_EQ(record.at("flags"), 1);
}

TEST_F(ExceptionsTest, OfTheApplicationsOwnStepsAreRecordsWithoutAName) {
  trace(ExceptionSignal::Logs);
  set_default_tracer(tracer_);
  {
    Span span("charge_card");
    span.set("amount", std::int64_t{12});
    span.fail(std::runtime_error("no money, password=hunter2"));
  }
  set_default_tracer(nullptr);
  const auto records = received("/v1/logs");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_FALSE(records[0].contains("eventName"));
  EXPECT_EQ(records[0].at("severityNumber"), 13) << "whoever called may handle it";
  EXPECT_EQ(records[0].at("body").at("stringValue"), "charge_card failed");
  EXPECT_EQ(text(records[0], "exception.type"), "std::runtime_error");
  EXPECT_EQ(text(records[0], "exception.message"), "no money, password=[redacted]");
  EXPECT_EQ(records[0].at("spanId"), received("/v1/traces").at(0).at("spanId"));
}

}  // namespace
}  // namespace tidings::telemetry
