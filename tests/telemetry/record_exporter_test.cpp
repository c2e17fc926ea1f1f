#include "telemetry/exporter_fixture.hpp"

#include <tidings/context.hpp>
#include <tidings/detail/parse_json.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/record_exporter.hpp>

#include <gmock/gmock.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RecordExporterTest : public ExporterTest {
 protected:
  RecordExporterTest() {
    ExporterOptions options = ExporterTest::options();
    options.traces.url.clear();
    options.logs.url = receiver_.url("/v1/logs");
    options.logs.protocol = Protocol::HttpJson;
    exporter_ = std::make_shared<Exporter>(std::move(options));
  }

  [[nodiscard]] logging::Logger logger() {
    return logging::Logger({.service = "orders",
                            .name = "import",
                            .level = logging::Level::Trace,
                            .sinks = {export_records(exporter_)},
                            .clock = clock_});
  }
  /// The only record that has arrived.
  [[nodiscard]] Json received() {
    send(*exporter_);
    const auto requests = receiver_.requests();
    if (requests.size() != 1) throw std::logic_error(std::to_string(requests.size()) + " requests");
    return detail::parse_json(requests[0].body).at("resourceLogs").at(0).at("scopeLogs").at(0);
  }
  [[nodiscard]] static Json attribute(const Json& record, const std::string& name) {
    for (const Json& each : record.at("attributes")) {
      if (each.at("key") == name) return each.at("value");
    }
    return nullptr;
  }

  std::shared_ptr<Exporter> exporter_;
};

TEST_F(RecordExporterTest, ARecordArrivesWithItsNameTimeSeverityAndFields) {
  logger().warning("import_finished", {{"rows", 3},
                                       {"share", 0.5},
                                       {"whole", true},
                                       {"file", "a.csv"},
                                       {"nothing", nullptr},
                                       {"huge", ~std::uint64_t{0}},
                                       {"list", Json::array({1, "two"})}});
  const Json scope = received();
  EXPECT_EQ(scope.at("scope").at("name"), "import");
  const Json record = scope.at("logRecords").at(0);
  EXPECT_EQ(record.at("timeUnixNano"), "1767225600000000000");
  EXPECT_EQ(record.at("severityNumber"), 13);
  EXPECT_EQ(record.at("severityText"), "warning");
  EXPECT_EQ(record.at("eventName"), "import_finished");
  EXPECT_EQ(record.at("body").at("stringValue"), "import_finished");
  EXPECT_EQ(attribute(record, "rows").at("intValue"), "3");
  EXPECT_EQ(attribute(record, "share").at("doubleValue"), 0.5);
  EXPECT_EQ(attribute(record, "whole").at("boolValue"), true);
  EXPECT_EQ(attribute(record, "file").at("stringValue"), "a.csv");
  EXPECT_EQ(attribute(record, "nothing"), nullptr);
  EXPECT_EQ(attribute(record, "huge").at("stringValue"), "18446744073709551615");
  EXPECT_EQ(attribute(record, "list").at("stringValue"), R"([1,"two"])");
  EXPECT_EQ(attribute(record, "service.name").at("stringValue"), "orders");
  EXPECT_EQ(attribute(record, "level"), nullptr);
}

TEST_F(RecordExporterTest, SeveritiesAreThoseOfOtlp) {
  const logging::Logger log = logger();
  log.trace("e");
  log.debug("e");
  log.info("e");
  log.warning("e");
  log.error("e");
  log.critical("e");
  std::vector<int> numbers;
  const Json scope = received();
  for (const Json& record : scope.at("logRecords")) numbers.push_back(record.at("severityNumber"));
  EXPECT_EQ(numbers, (std::vector<int>{1, 5, 9, 13, 17, 21}));
}

TEST_F(RecordExporterTest, ARecordHasTheTraceOfItsContextAndItsFlag) {
  const logging::Logger log = logger();
  for (const char* const flags : {"01", "00"}) {
    Context context = Context::fresh();
    context.traceparent =
        TraceParent::parse(std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-") + flags);
    const ContextScope scope(context);
    log.info("traced");
  }
  log.info("not_traced");
  const Json scope = received();
  const Json& records = scope.at("logRecords");
  EXPECT_EQ(records.at(0).at("traceId"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(records.at(0).at("spanId"), "b7ad6b7169203331");
  EXPECT_EQ(records.at(0).at("flags"), 1);
  EXPECT_EQ(attribute(records.at(0), "trace_id"), nullptr);
  EXPECT_EQ(records.at(1).value("flags", 0), 0);
  EXPECT_EQ(records.at(2).value("flags", 0), 0);
  EXPECT_FALSE(records.at(2).contains("traceId"));
}

TEST_F(RecordExporterTest, AnExceptionHasTheNamesOfTheConventionsAndAMessageIsTheBody) {
  logger().error("payment_failed",
                 {logging::error_of(std::runtime_error("no money")), {"message", "so sorry"}});
  const Json record = received().at("logRecords").at(0);
  EXPECT_EQ(attribute(record, "exception.type").at("stringValue"), "std::runtime_error");
  EXPECT_EQ(attribute(record, "exception.message").at("stringValue"), "no money");
  EXPECT_EQ(record.at("body").at("stringValue"), "so sorry");
}

TEST_F(RecordExporterTest, SecretsAreMasked) {
  logger().info("logged_in", {{"password", "hunter2"}});
  const Json record = received().at("logRecords").at(0);
  EXPECT_EQ(attribute(record, "password").at("stringValue"), "[redacted]");
}

TEST_F(RecordExporterTest, RecordsGoOutAfterASecond) {
  logger().error("failed");  // flushes sinks, which does not wait
  pass(999ms);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
}

TEST_F(RecordExporterTest, FlushingTheLoggerSendsThem) {
  const logging::Logger log = logger();
  log.info("e");
  log.flush();
  EXPECT_EQ(exporter_->sent(ExportSignal::Logs), 1U);
}

TEST_F(RecordExporterTest, WhatTheExporterSaysOfItselfIsNotExported) {
  ExporterOptions options = ExporterTest::options();
  options.logs.url = receiver_.url("/v1/logs");
  struct Late final : logging::RecordSink {
    void write(const logging::VisibleRecord& record) override {
      ++written;
      if (to != nullptr) to->write(record);
    }
    std::shared_ptr<RecordSink> to;
    int written = 0;
  };
  const auto late = std::make_shared<Late>();
  options.logger = logging::Logger({.sinks = {late}, .clock = clock_});
  receiver_.answer_next({{400, {}, ""}});
  const auto own = std::make_shared<Exporter>(std::move(options));
  late->to = export_records(own);
  logging::Logger({.sinks = {late}, .clock = clock_}).info("e");
  EXPECT_FALSE(own->stop(kLong));
  late->to = nullptr;
  EXPECT_EQ(late->written, 2);  // the second is telemetry_lost
  EXPECT_EQ(own->dropped(), 1U);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
}

TEST_F(RecordExporterTest, LostRecordsAreCountedByTheLogger) {
  const logging::Logger log = logger();
  receiver_.answer_next({{400, {}, ""}});
  log.info("e");
  log.flush();
  EXPECT_EQ(log.dropped(), 1U);
}

TEST_F(RecordExporterTest, WithoutAnExporterThereIsNone) {
  EXPECT_THROW(static_cast<void>(export_records(nullptr)), Error);
}

}  // namespace
}  // namespace tidings::telemetry
