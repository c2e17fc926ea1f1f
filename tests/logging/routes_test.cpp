#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

Route route_to(const Capture& capture, const std::string& logger) {
  Route route{.logger = logger};
  route.sinks = {capture.sink()};
  return route;
}

TEST(RoutesTest, RecordsOfALoggerGoToItsRouteAndToTheSinks) {
  const Capture audit;
  const Capture rest;
  const Logger log = rest.logger({.routes = {route_to(audit, "tidings.audit")}});
  log.child("tidings.audit").info("purged");
  log.child("tidings").child("audit.tools").info("edited");
  log.child("tidings.auditor").info("other");
  EXPECT_EQ(audit.records().size(), 2U);
  EXPECT_EQ(rest.records().size(), 3U);
}

TEST(RoutesTest, WithoutPropagationTheyStayInTheRoute) {
  const Capture audit;
  const Capture rest;
  Route only = route_to(audit, "audit");
  only.propagate = false;
  only.level = Level::Warning;
  const Logger log = rest.logger({.routes = {only}});
  log.child("audit").info("quiet");
  log.child("audit").warning("loud");
  EXPECT_EQ(audit.records().size(), 1U);
  EXPECT_EQ(rest.records().size(), 0U);
}

TEST(RoutesTest, TheLongestNameDecidesFirst) {
  const Capture outer;
  const Capture inner;
  Route stops = route_to(inner, "a.b");
  stops.propagate = false;
  const Capture rest;
  const Logger log = rest.logger({.routes = {route_to(outer, "a"), stops}});
  log.child("a.b.c").info("deep");
  log.child("a").info("shallow");
  EXPECT_EQ(inner.only("deep").at("logger"), "a.b.c");
  EXPECT_EQ(outer.count("deep"), 0U);
  EXPECT_EQ(outer.count("shallow"), 1U);
}

TEST(RoutesTest, ALevelOfARouteHoldsNothingBackElsewhere) {
  const Capture errors;
  const Capture rest;
  Route only_errors = route_to(errors, "orders");
  only_errors.level = Level::Error;
  const Logger log = rest.logger({.routes = {only_errors}}).child("orders");
  log.info("e");
  log.error("e");
  EXPECT_EQ(errors.records().size(), 1U);
  EXPECT_EQ(rest.records().size(), 2U);
}

TEST(RoutesTest, ARouteHasItsOwnRedactor) {
  const Capture raw;
  const Capture rest;
  Route unmasked = route_to(raw, "vault");
  unmasked.redactor = nullptr;
  rest.logger({.routes = {unmasked}}).child("vault").info("e", {{"password", "hunter2"}});
  EXPECT_EQ(raw.only("e").at("password"), "hunter2");
  EXPECT_EQ(rest.only("e").at("password"), "[redacted]");
}

TEST(RoutesTest, ANameThatIsNoneIsRefused) { EXPECT_THROW(Logger({.routes = {Route{.logger = ""}}}), Error); }

/// An error reporter, as a service would write one.
class Reporter final : public RecordSink {
 public:
  void write(const VisibleRecord& record) override {
    if (record.level() < Level::Error) return;
    if (record.event() == "refused") throw std::runtime_error("the server refuses it");
    const std::lock_guard lock(mutex_);
    reported_.push_back(Json::parse(record.json()));
  }
  [[nodiscard]] std::vector<Json> reported() const {
    const std::lock_guard lock(mutex_);
    return reported_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Json> reported_;
};

TEST(RecordSinkTest, SeesRecordsWithTheirSecretsMaskedWhateverTheFormat) {
  const auto reporter = std::make_shared<Reporter>();
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Console, .sinks = {reporter}});
  log.info("fine");
  log.error("failed", {{"password", "hunter2"}, {"text", "token=abc123"}, {"n", 7}});
  ASSERT_EQ(reporter->reported().size(), 1U);
  const Json record = reporter->reported().front();
  EXPECT_EQ(record.at("event"), "failed");
  EXPECT_EQ(record.at("password"), "[redacted]");
  EXPECT_EQ(record.at("text"), "token=[redacted]");
  EXPECT_EQ(record.at("n"), 7);
}

TEST(RecordSinkTest, WhatItThrowsIsALossAndDisturbsNobody) {
  const auto reporter = std::make_shared<Reporter>();
  const Capture capture;
  const Logger log(LoggerOptions{.level = Level::Info, .sinks = {reporter, capture.sink()}});
  testing::internal::CaptureStderr();
  log.error("refused");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("the server refuses it"), std::string::npos);
  EXPECT_EQ(capture.count("refused"), 1U);
  EXPECT_EQ(log.dropped(), 1U);
}

TEST(RecordSinkTest, TheLineIsInTheFormatOfItsOutput) {
  class Lines final : public RecordSink {
   public:
    void write(const VisibleRecord& record) override {
      line = record.line();
      text = record.text();
      json = record.json();
    }
    std::string line;
    std::string text;
    std::string json;
  };
  const auto console = std::make_shared<Lines>();
  const auto json = std::make_shared<Lines>();
  Logger({.level = Level::Info, .sinks = {{console, Format::Console}, {json, Format::Json}}}).info("e");
  EXPECT_EQ(console->text, console->line + "\n");
  EXPECT_EQ(console->json, json->line);
  EXPECT_EQ(json->line.front(), '{');
  EXPECT_NE(console->line.front(), '{');
}

/// Keeps what it finds in the last record.
class Finder final : public RecordSink {
 public:
  void write(const VisibleRecord& record) override {
    all = record.fields();
    line = Json::parse(record.json());
    found.clear();
    for (const auto& [name, value] : all.items()) found[name] = record.find(name).value_or("not found");
    missing = !record.find("missing") && !record.find("attempt");
  }
  Json all;
  Json line;
  Json found;
  bool missing = false;
};

TEST(RecordSinkTest, FindsEveryFieldAsTheLineHasIt) {
  const auto finder = std::make_shared<Finder>();
  const Logger log = Logger(LoggerOptions{.service = "shop",
                                          .level = Level::Info,
                                          .format = Format::Console,
                                          .sinks = {finder},
                                          .max_text_bytes = 64})
                         .child("orders");
  const ErrorDescription error{"std::runtime_error", "password=hunter2", {"std::logic_error: token=abc123"}};
  const Json card = {{"cvv", 123}, {"holders", {"bob"}}};
  log.error("refused", {{"n", 7},
                        {"share", 0.5},
                        {"vip", true},
                        {"none", nullptr},
                        {"password", "hunter2"},
                        {"card", card},
                        {"long", std::string(100, 'x')},
                        {"handler", "mine"},
                        {"e", error},
                        {"big", std::uint64_t{UINT64_MAX}}});
  EXPECT_TRUE(finder->missing);
  EXPECT_EQ(finder->all, finder->line);
  EXPECT_EQ(finder->found, finder->line);
  EXPECT_EQ(finder->found.at("event"), "refused");
  EXPECT_EQ(finder->found.at("level"), "error");
  EXPECT_EQ(finder->found.at("logger"), "orders");
  EXPECT_EQ(finder->found.at("service"), "shop");
  EXPECT_EQ(finder->found.at("n"), 7);
  EXPECT_EQ(finder->found.at("handler"), "mine");
  EXPECT_EQ(finder->found.at("password"), "[redacted]");
  EXPECT_EQ(finder->found.at("error"), "password=[redacted]");
  EXPECT_EQ(finder->found.at("card").at("cvv"), "[redacted]");
  EXPECT_EQ(finder->found.at("big"), UINT64_MAX);
}

TEST(RecordSinkTest, WhatTheRedactorRemovesOrAPathMasksIsNotFoundOtherwise) {
  const auto finder = std::make_shared<Finder>();
  RedactorOptions options;
  options.action = Redaction::Remove;
  options.paths = {"/customer/email"};
  const Logger log(LoggerOptions{
      .level = Level::Info, .sinks = {finder}, .redactor = std::make_shared<const Redactor>(options)});
  log.info("e", {{"password", "hunter2"}, {"customer", Json{{"email", "bob@example.com"}, {"id", 7}}}});
  EXPECT_FALSE(finder->all.contains("password"));
  EXPECT_EQ(finder->found.at("customer"), (Json{{"id", 7}}));
}

Output output_from(const Capture& capture, Level level) {
  Output output = capture.sink();
  output.level = level;
  return output;
}

TEST(OutputTest, HasALevelOfItsOwn) {
  const Capture all;
  const Capture errors;
  const Capture routed;
  Route route;
  route.logger = "orders";
  route.sinks = {output_from(routed, Level::Warning)};
  const Logger log(LoggerOptions{
      .level = Level::Info, .sinks = {all.sink(), output_from(errors, Level::Error)}, .routes = {route}});
  const Logger orders = log.child("orders");
  orders.info("placed");
  orders.warning("slow");
  orders.error("refused");
  EXPECT_EQ(all.records().size(), 3U);
  EXPECT_EQ(routed.records().size(), 2U);
  EXPECT_EQ(errors.only("refused").at("level"), "error");
  EXPECT_EQ(errors.records().size(), 1U);
}

}  // namespace
}  // namespace tidings::logging
