#include <tidings/context.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/record.hpp>
#include <tidings/logging/sink.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tidings::logging {
namespace {

constexpr std::string_view kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Makes an event the handled one, as the bus does.
class HandledEvent {
 public:
  explicit HandledEvent(Metadata metadata) : metadata_(std::move(metadata)) {
    frame_ = {.event = &metadata_,
              .event_type = "orders.placed",
              .handler = &handler_,
              .attempt = 2,
              .bound = &bound_at_,
              .previous = tidings::detail::ambient_frame};
    tidings::detail::ambient_frame = &frame_;
  }
  HandledEvent(const HandledEvent&) = delete;
  HandledEvent& operator=(const HandledEvent&) = delete;
  ~HandledEvent() { tidings::detail::ambient_frame = frame_.previous; }

  void bind(std::uint32_t attempt, ContextFields fields) {
    bound_ = {.handler = &handler_, .attempt = attempt, .fields = std::move(fields)};
    bound_at_ = &bound_;
  }

 private:
  Metadata metadata_;
  std::string handler_ = "receipt";
  tidings::detail::BoundFields bound_;
  tidings::detail::BoundFields* bound_at_ = nullptr;
  tidings::detail::AmbientFrame frame_;
};

EventId id_of(std::uint8_t last) {
  EventId::Bytes bytes{};
  bytes[15] = last;
  return EventId(bytes);
}

Metadata example() {
  Metadata metadata;
  metadata.event_id = id_of(1);
  metadata.causation_id = id_of(2);
  metadata.correlation_id = CorrelationId::parse("request-7").value();
  metadata.traceparent = TraceParent::parse(kTrace);
  metadata.fields = {{"tenant", "acme"}, {"user", "ada"}};
  return metadata;
}

TEST(AmbientTest, OutsideAnythingThereAreNoIds) {
  const Capture capture;
  capture.logger().info("e");
  EXPECT_EQ(capture.only("e").size(), 3U) << "timestamp, level, event";
}

TEST(AmbientTest, TheContextIsInTheRecord) {
  const Capture capture;
  Context context;
  context.correlation_id = CorrelationId::parse("request-7").value();
  context.causation_id = id_of(2);
  context.traceparent = TraceParent::parse(kTrace);
  context.fields = {{"user_id", 42}, {"vip", true}, {"ratio", 0.5}, {"tenant", "acme"}};
  const ContextScope scope(context);
  capture.logger().info("e");
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("correlation_id"), "request-7");
  EXPECT_EQ(record.at("causation_id"), "00000000-0000-0000-0000-000000000002");
  EXPECT_EQ(record.at("trace_id"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(record.at("span_id"), "b7ad6b7169203331");
  EXPECT_EQ(record.at("user_id"), 42);
  EXPECT_EQ(record.at("vip"), true);
  EXPECT_EQ(record.at("ratio"), 0.5);
  EXPECT_EQ(record.at("tenant"), "acme");
  EXPECT_FALSE(record.contains("event_id"));
}

TEST(AmbientTest, TheHandledEventIsInTheRecord) {
  const Capture capture;
  const HandledEvent handled(example());
  capture.logger({.service = "orders"}).info("e", {{"own", 1}});
  auto record = nlohmann::ordered_json::parse(capture.lines().at(0));
  record.erase("timestamp");
  EXPECT_EQ(
      record.dump(),
      R"({"level":"info","event":"e","service":"orders","correlation_id":"request-7",)"
      R"("causation_id":"00000000-0000-0000-0000-000000000002","event_id":"00000000-0000-0000-0000-000000000001",)"
      R"("event_type":"orders.placed","handler":"receipt","attempt":2,)"
      R"("trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331",)"
      R"("tenant":"acme","user":"ada","own":1})");
}

TEST(AmbientTest, TheForeignIdOfTheHandledEventIsInTheRecordWithoutSecrets) {
  const Capture capture;
  Metadata metadata = example();
  metadata.foreign_id = "C234 token=hunter2hunter2";
  const HandledEvent handled(metadata);
  capture.logger().info("e");
  const auto text = capture.only("e").at("foreign_id").get<std::string>();
  EXPECT_TRUE(text.starts_with("C234 ")) << text;
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
}

TEST(AmbientTest, AScopeInsideAHandlerChangesTheCorrelationAndNotTheHandling) {
  const Capture capture;
  const HandledEvent handled(example());
  const ContextScope scope(Context::from_id("other"));
  capture.logger().info("e");
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("correlation_id"), "other");
  EXPECT_FALSE(record.contains("causation_id"));
  EXPECT_EQ(record.at("handler"), "receipt");
  EXPECT_FALSE(record.contains("tenant")) << "it is of the context that is not current";
}

TEST(AmbientTest, ContextFieldsWithReservedNamesAreRenamed) {
  const Capture capture;
  Metadata metadata = example();
  metadata.fields = {{"service", "forged"}};
  const HandledEvent handled(metadata);
  capture.logger({.service = "orders"}).info("e");
  EXPECT_EQ(capture.only("e").at("service"), "orders");
  EXPECT_EQ(capture.only("e").at("service_1"), "forged");
}

TEST(AmbientTest, FieldsOfScopesAreOnEveryRecordOfTheThread) {
  const Capture capture;
  {
    const ContextScope outer({{"request", 1}, {"user", "ada"}});
    {
      const ContextScope inner({{"user", "bob"}, {"step", "two"}});
      capture.logger().info("inner");
    }
    capture.logger().info("outer");
  }
  capture.logger().info("outside");
  EXPECT_EQ(capture.only("inner").at("request"), 1);
  EXPECT_EQ(capture.only("inner").at("user"), "bob");
  EXPECT_EQ(capture.only("inner").at("step"), "two");
  EXPECT_EQ(capture.only("outer").at("user"), "ada");
  EXPECT_FALSE(capture.only("outer").contains("step"));
  EXPECT_FALSE(capture.only("outside").contains("user"));
}

TEST(AmbientTest, OwnFieldsWinOverThoseOfTheLoggerAndThoseOverTheContexts) {
  const Capture capture;
  const HandledEvent handled(example());
  const ContextScope scope({{"a", "context"}, {"b", "context"}, {"c", "context"}, {"tenant", "context"}});
  capture.logger().bind({{"a", "bound"}, {"b", "bound"}}).info("e", {{"a", "own"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("a"), "own");
  EXPECT_EQ(record.at("b"), "bound");
  EXPECT_EQ(record.at("c"), "context");
  EXPECT_EQ(record.at("tenant"), "context");
}

TEST(AmbientTest, WhatAHandlerHasBoundIsInTheRecordsOfThatAttemptAlone) {
  const Capture capture;
  HandledEvent handled(example());
  handled.bind(2, {{"order_id", 42}, {"tenant", "bound"}});
  capture.logger().info("same");
  EXPECT_EQ(capture.only("same").at("order_id"), 42);
  EXPECT_EQ(capture.only("same").at("tenant"), "bound");
  handled.bind(1, {{"order_id", 42}});
  capture.logger().info("later");
  EXPECT_FALSE(capture.only("later").contains("order_id"));
}

TEST(AmbientTest, AnotherThreadHasNoneUnlessTheContextIsRestoredThere) {
  const Capture capture;
  const Logger log = capture.logger();
  const ContextScope fields({{"request", 1}});
  std::thread([&, context = Context::current()] {
    log.info("bare");
    const ContextScope hidden({{"other", 2}});
    const ContextScope restored(context);
    log.info("restored");
  }).join();
  EXPECT_FALSE(capture.only("bare").contains("request"));
  EXPECT_EQ(capture.only("restored").at("request"), 1);
  EXPECT_FALSE(capture.only("restored").contains("other"));
}

TEST(AmbientTest, TidingsOwnRecordsSetReservedFields) {
  const Capture capture;
  const HandledEvent handled(example());
  detail::log_reserved(capture.logger(), Level::Warning, "handler_failed",
                       {{"handler", "other"},
                        {"attempt", 3},
                        {"event_id", nullptr},
                        {"error_type", "std::runtime_error"},
                        {"error", "token=abc"},
                        {"retry_in_ms", nullptr},
                        {"event", "forged"}});
  const Json record = capture.only("handler_failed");
  EXPECT_EQ(record.at("handler"), "other");
  EXPECT_EQ(record.at("attempt"), 3);
  EXPECT_FALSE(record.contains("event_id")) << "a null one is left out";
  EXPECT_EQ(record.at("error"), "token=[redacted]");
  EXPECT_EQ(record.at("retry_in_ms"), nullptr);
  EXPECT_EQ(record.at("correlation_id"), "request-7");
  EXPECT_EQ(record.at("event_1"), "forged");
}

TEST(AmbientTest, TidingsOwnRecordsObeyTheLevel) {
  const Capture capture;
  const Logger log = capture.logger({.level = Level::Error});
  detail::log_reserved(log, Level::Warning, "e", {});
  detail::log_reserved(log, Level::Off, "e", {});
  EXPECT_TRUE(capture.lines().empty());
}

/// Keeps what a sink and a processor see of the flags of traces.
class FlagSink final : public RecordSink {
 public:
  void write(const VisibleRecord& record) override { flags.push_back(record.trace_flags()); }
  std::vector<std::uint8_t> flags;
};

TEST(AmbientTest, SinksAndProcessorsSeeTheFlagsOfTheTrace) {
  const auto sink = std::make_shared<FlagSink>();
  std::vector<std::uint8_t> processed;
  const Logger log({.sinks = {sink}, .processors = {[&](const Record& record) {
                                       processed.push_back(record.trace_flags());
                                       return true;
                                     }}});
  {
    const HandledEvent handled(example());
    log.info("sampled");
    Context unsampled;
    unsampled.traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    const ContextScope scope(unsampled);
    log.info("not_sampled");
  }
  log.info("without_a_trace");
  EXPECT_EQ(sink->flags, (std::vector<std::uint8_t>{1, 0, 0}));
  EXPECT_EQ(processed, sink->flags);
}

}  // namespace
}  // namespace tidings::logging
