#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::logging {
namespace {

std::vector<std::string> keys_in_order(const std::string& line) {
  std::vector<std::string> keys;
  const auto record = nlohmann::ordered_json::parse(line);
  for (const auto& [key, value] : record.items()) keys.push_back(key);
  return keys;
}

TEST(LoggerTest, WritesEventLevelAndTypedFields) {
  const Capture capture;
  const Logger log = capture.logger({.service = "orders", .name = "import"});
  log.info("import_finished",
           {{"rows", 3}, {"ratio", 0.5}, {"dry", false}, {"file", "a.csv"}, {"note", nullptr}});
  Json record = capture.only("import_finished");
  record.erase("timestamp");
  EXPECT_EQ(record, (Json{{"level", "info"},
                          {"event", "import_finished"},
                          {"logger", "import"},
                          {"service", "orders"},
                          {"rows", 3},
                          {"ratio", 0.5},
                          {"dry", false},
                          {"file", "a.csv"},
                          {"note", nullptr}}));
}

TEST(LoggerTest, EachLevelHasItsShorthand) {
  const Capture capture;
  const Logger log = capture.logger();
  log.trace("e");
  log.debug("e");
  log.info("e");
  log.warning("e");
  log.error("e");
  log.critical("e");
  std::string levels;
  for (const Json& record : capture.records("e")) levels += record.at("level").get<std::string>() + " ";
  EXPECT_EQ(levels, "trace debug info warning error critical ");
}

TEST(LoggerTest, TimestampsAreRfc3339WithMicroseconds) {
  const Capture capture;
  const auto clock = std::make_shared<ManualClock>();
  const Logger log = capture.logger({.clock = clock});
  log.info("first");
  clock->advance(std::chrono::microseconds(59'999'999));
  log.info("second");
  clock->set_wall(Timestamp(std::chrono::microseconds(-1)));
  log.info("before_the_epoch");
  EXPECT_EQ(capture.only("first").at("timestamp"), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(capture.only("second").at("timestamp"), "2026-01-01T00:00:59.999999Z");
  EXPECT_EQ(capture.only("before_the_epoch").at("timestamp"), "1969-12-31T23:59:59.999999Z");
}

TEST(LoggerTest, BoundFieldsAreOnEveryRecordAndTheOriginalIsUnchanged) {
  const Capture capture;
  const Logger log = capture.logger();
  const Logger bound = log.bind({{"tenant", "acme"}, {"job", 1}});
  bound.info("with");
  log.info("without");
  EXPECT_EQ(capture.only("with").at("tenant"), "acme");
  EXPECT_FALSE(capture.only("without").contains("tenant"));
}

TEST(LoggerTest, BoundFieldsOwnTheirTexts) {
  const Capture capture;
  Logger bound = capture.logger();
  {
    std::string name = "a name that is longer than a small string";
    std::string value = "a value that is longer than a small string";
    bound = bound.bind({{name, value}});
    name.assign(name.size(), '-');
    value.assign(value.size(), '-');
  }
  bound.info("e");
  EXPECT_EQ(capture.only("e").at("a name that is longer than a small string"),
            "a value that is longer than a small string");
}

TEST(LoggerTest, BindingAgainReplacesAndUnbindingRemoves) {
  const Capture capture;
  const Logger log =
      capture.logger().bind({{"a", 1}, {"b", 2}, {"c", 3}}).bind({{"a", 9}}).unbind({"b", "unknown"});
  log.info("e");
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("a"), 9);
  EXPECT_EQ(record.at("c"), 3);
  EXPECT_FALSE(record.contains("b"));
}

TEST(LoggerTest, OwnFieldsWinOverBoundOnesAndEachNameOccursOnce) {
  const Capture capture;
  capture.logger().bind({{"a", 1}, {"b", 2}}).info("e", {{"b", 3}, {"c", 4}, {"c", 5}});
  EXPECT_EQ(keys_in_order(capture.lines().at(0)),
            (std::vector<std::string>{"timestamp", "level", "event", "a", "b", "c"}));
  EXPECT_EQ(capture.only("e").at("b"), 3);
  EXPECT_EQ(capture.only("e").at("c"), 5);
}

TEST(LoggerTest, AFieldCannotPoseAsAReservedOne) {
  const Capture capture;
  capture.logger({.service = "orders"})
      .bind({{"service", "bad"}})
      .info("e", {{"event", "forged"}, {"level", 1}, {"timestamp", 0}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("service"), "orders");
  EXPECT_EQ(record.at("service_1"), "bad");
  EXPECT_EQ(record.at("event_1"), "forged");
  EXPECT_EQ(record.at("level_1"), 1);
  EXPECT_EQ(record.at("timestamp_1"), 0);
  EXPECT_TRUE(record.at("timestamp").is_string());
}

TEST(LoggerTest, AReservedNameIsKeptWhereThereIsNoSuchField) {
  const Capture capture;
  for (const char* name :
       {"logger", "service", "environment", "release", "host", "pid", "thread", "correlation_id",
        "causation_id", "event_id", "foreign_id", "event_type", "handler", "attempt", "trace_id", "span_id",
        "error_type", "error", "error_chain"}) {
    EXPECT_TRUE(is_reserved_name(name)) << name;
    capture.logger().info("e", {{name, "mine"}});
    EXPECT_EQ(Json::parse(capture.lines().back()).at(name), "mine");
  }
  for (const char* name : {"event_1", "hos", "hosts", "", "\xc3\xa9"}) EXPECT_FALSE(is_reserved_name(name));
}

TEST(LoggerTest, AReservedNameIsGivenUpForAFieldThatComesLater) {
  const Capture capture;
  const Logger log = capture.logger().bind({{"error", "bound"}, {"handler", "mine"}});
  log.info("e", {{"error_1", "taken"}, error_of(std::runtime_error("thrown"))});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("error"), "thrown");
  EXPECT_EQ(record.at("error_1"), "taken");
  EXPECT_EQ(record.at("error_1_1"), "bound");
  EXPECT_EQ(record.at("handler"), "mine");
  detail::log_reserved(log, Level::Info, "own", {{"handler", "tidings'"}});
  EXPECT_EQ(capture.only("own").at("handler"), "tidings'");
  EXPECT_EQ(capture.only("own").at("handler_1"), "mine");
}

TEST(LoggerTest, ALoggersNameIsNotTaken) {
  const Capture capture;
  capture.logger({.name = "import"}).info("e", {{"logger", "mine"}});
  EXPECT_EQ(capture.only("e").at("logger"), "import");
  EXPECT_EQ(capture.only("e").at("logger_1"), "mine");
}

TEST(LoggerTest, LazyFieldsAreEvaluatedOnlyForEnabledRecords) {
  const Capture capture;
  const Logger log = capture.logger({.level = Level::Info});
  int calls = 0;
  log.debug("quiet", {{"n", [&] { return ++calls; }}});
  EXPECT_EQ(calls, 0);
  log.info("loud", {{"n", [&] { return ++calls; }}});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(capture.only("loud").at("n"), 1);
}

TEST(LoggerTest, ALazyFieldMayLogItself) {
  const Capture capture;
  const Logger log = capture.logger();
  log.info("outer", {{"before", "b"}, {"n", [&] {
                                         log.info("inner", {{"x", 1}});
                                         return 2;
                                       }}});
  EXPECT_EQ(capture.only("inner").at("x"), 1);
  EXPECT_EQ(capture.only("outer").at("n"), 2);
  EXPECT_EQ(capture.only("outer").at("before"), "b");
}

TEST(LoggerTest, NamesAndServicesOfChildrenAreInTheirRecords) {
  const Capture capture;
  const Logger log = capture.logger();
  log.child("orders").child("import").with_service("shop").info("e");
  EXPECT_EQ(capture.only("e").at("logger"), "orders.import");
  EXPECT_EQ(capture.only("e").at("service"), "shop");
  EXPECT_EQ(log.child("orders").name(), "orders");
  EXPECT_EQ(log.name(), "");
}

TEST(LoggerTest, AnErrorFillsTheReservedErrorFields) {
  const Capture capture;
  capture.logger().error("payment_failed", {error_of(std::runtime_error("declined")), {"amount", 5}});
  const Json record = capture.only("payment_failed");
  EXPECT_EQ(record.at("error_type"), "std::runtime_error");
  EXPECT_EQ(record.at("error"), "declined");
  EXPECT_FALSE(record.contains("error_chain"));
  EXPECT_EQ(keys_in_order(capture.lines().at(0)),
            (std::vector<std::string>{"timestamp", "level", "event", "error_type", "error", "amount"}));
}

TEST(LoggerTest, NestedErrorsAreAChain) {
  const Capture capture;
  try {
    try {
      throw std::out_of_range("inner, password=hunter2");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (...) {
    capture.logger().error("failed", {error_of(std::current_exception())});
  }
  EXPECT_EQ(capture.only("failed").at("error_chain"),
            (Json{"std::out_of_range: inner, password=[redacted]"}));
}

TEST(LoggerTest, OptionsThatMakeNoSenseAreRefused) {
  EXPECT_THROW(Logger({.service = "two words"}), Error);
  EXPECT_THROW(Logger({.name = "line\nbreak"}), Error);
  EXPECT_THROW(Logger({.clock = nullptr}), Error);
  EXPECT_THROW(Logger({.max_text_bytes = 63}), Error);
  EXPECT_THROW(Logger({.sinks = {std::shared_ptr<spdlog::sinks::sink>()}}), Error);
  EXPECT_THROW(static_cast<void>(Logger().child("")), Error);
  EXPECT_THROW(static_cast<void>(Logger().with_service("a b")), Error);
}

TEST(LoggerTest, TheDefaultLoggerCanBeReplaced) {
  const Logger original;
  const Capture capture;
  Logger::set_default(capture.logger({.service = "orders"}));
  Logger().info("through_default");
  Logger::set_default(original);
  EXPECT_EQ(capture.only("through_default").at("service"), "orders");
}

TEST(LoggerTest, NoLevelMeansNoRecord) {
  const Capture capture;
  capture.logger().log(Level::Off, "e");
  EXPECT_TRUE(capture.lines().empty());
}

}  // namespace
}  // namespace tidings::logging
