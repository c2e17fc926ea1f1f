#include <tidings/correlation.hpp>
#include <tidings/logging/ambient_fields.hpp>
#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <string>
#include <thread>

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
              .previous = tidings::detail::ambient_frame};
    tidings::detail::ambient_frame = &frame_;
  }
  HandledEvent(const HandledEvent&) = delete;
  HandledEvent& operator=(const HandledEvent&) = delete;
  ~HandledEvent() { tidings::detail::ambient_frame = frame_.previous; }

 private:
  Metadata metadata_;
  std::string handler_ = "receipt";
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
  metadata.attributes = {{"tenant", "acme"}, {"user", "ada"}};
  return metadata;
}

TEST(AmbientTest, OutsideAnythingThereAreNoIds) {
  const Capture capture;
  capture.logger().info("e");
  EXPECT_EQ(capture.only("e").size(), 3U) << "timestamp, level, event";
}

TEST(AmbientTest, TheCorrelationScopeIsInTheRecord) {
  const Capture capture;
  CorrelationContext context;
  context.correlation_id = CorrelationId::parse("request-7").value();
  context.causation_id = id_of(2);
  context.traceparent = TraceParent::parse(kTrace);
  const CorrelationScope scope(context);
  capture.logger().info("e");
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("correlation_id"), "request-7");
  EXPECT_EQ(record.at("causation_id"), "00000000-0000-0000-0000-000000000002");
  EXPECT_EQ(record.at("trace_id"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(record.at("span_id"), "b7ad6b7169203331");
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

TEST(AmbientTest, AScopeInsideAHandlerChangesTheCorrelationAndNotTheHandling) {
  const Capture capture;
  const HandledEvent handled(example());
  const CorrelationScope scope("other");
  capture.logger().info("e");
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("correlation_id"), "other");
  EXPECT_FALSE(record.contains("causation_id"));
  EXPECT_EQ(record.at("handler"), "receipt");
  EXPECT_EQ(record.at("tenant"), "acme");
}

TEST(AmbientTest, AttributesWithReservedNamesAreRenamed) {
  const Capture capture;
  Metadata metadata = example();
  metadata.attributes = {{"service", "forged"}};
  const HandledEvent handled(metadata);
  capture.logger({.service = "orders"}).info("e");
  EXPECT_EQ(capture.only("e").at("service"), "orders");
  EXPECT_EQ(capture.only("e").at("service_1"), "forged");
}

TEST(AmbientTest, FieldsOfOnesOwnAreOnEveryRecordOfTheThread) {
  const Capture capture;
  {
    const AmbientFields outer({{"request", 1}, {"user", "ada"}});
    {
      const AmbientFields inner({{"user", "bob"}, {"step", "two"}});
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

TEST(AmbientTest, OwnFieldsWinOverBoundAndBoundOverAmbientOnes) {
  const Capture capture;
  const HandledEvent handled(example());
  const AmbientFields ambient({{"a", "ambient"}, {"b", "ambient"}, {"c", "ambient"}, {"tenant", "ambient"}});
  capture.logger().bind({{"a", "bound"}, {"b", "bound"}}).info("e", {{"a", "own"}});
  const Json record = capture.only("e");
  EXPECT_EQ(record.at("a"), "own");
  EXPECT_EQ(record.at("b"), "bound");
  EXPECT_EQ(record.at("c"), "ambient");
  EXPECT_EQ(record.at("tenant"), "ambient");
}

TEST(AmbientTest, AnotherThreadHasNoneUnlessTheyAreRestoredThere) {
  const Capture capture;
  const Logger log = capture.logger();
  const AmbientFields fields({{"request", 1}});
  const CapturedFields captured = capture_fields();
  std::thread([&] {
    log.info("bare");
    const AmbientFields hidden({{"other", 2}});
    const AmbientFields restored(captured);
    log.info("restored");
  }).join();
  EXPECT_FALSE(capture.only("bare").contains("request"));
  EXPECT_EQ(capture.only("restored").at("request"), 1);
  EXPECT_FALSE(capture.only("restored").contains("other"));
}

TEST(AmbientTest, CapturedFieldsOutliveTheirScope) {
  const Capture capture;
  CapturedFields captured;
  {
    const std::string user = "a user name longer than a small string";
    const AmbientFields fields({{"user", user}});
    captured = capture_fields();
  }
  const AmbientFields restored(captured);
  capture.logger().info("e");
  EXPECT_EQ(capture.only("e").at("user"), "a user name longer than a small string");
}

TEST(AmbientTest, NothingCapturedIsNothingRestored) {
  const Capture capture;
  const AmbientFields restored(capture_fields());
  capture.logger().info("e");
  EXPECT_EQ(capture.only("e").size(), 3U);
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

}  // namespace
}  // namespace tidings::logging
