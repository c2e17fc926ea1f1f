#include <tidings/cloudevents.hpp>

#include <gmock/gmock.h>

#include "durable_fixture.hpp"

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kForeign = "C234 \xC3\xA9";

CloudEvent order_from_outside(const std::string& id = kForeign) {
  Json envelope = {
      {"specversion", "1.0"}, {"id", id}, {"source", "/partner"}, {"type", OrderPlaced::event_type}};
  envelope["data"] = Json(OrderPlaced{1});
  return from_cloudevent_json(envelope);
}

class ForeignIdTest : public DurableTest {
 protected:
  /// What the handler of a bus sees of each event.
  [[nodiscard]] auto notes() {
    return [this](const OrderPlaced&, const EventContext& context) { seen_.push_back(context.metadata()); };
  }

  std::vector<Metadata> seen_;
};

TEST_F(ForeignIdTest, StandsBesideTidingsOwn) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  const auto result = bus.publish(OrderPlaced{1}, {.source = "/partner", .foreign_id = kForeign});
  bus.publish(OrderPlaced{2});
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_EQ(seen_[0].event_id, result.event_id);
  EXPECT_EQ(seen_[0].foreign_id, kForeign);
  EXPECT_EQ(seen_[0].source.view(), "/partner");
  EXPECT_FALSE(seen_[1].foreign_id);
}

TEST_F(ForeignIdTest, IsOfOneEventAndNothingInheritsIt) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  auto outer =
      bus.subscribe<OrderShipped>("outer", [&](const OrderShipped&) { bus.publish(OrderPlaced{1}); });
  const auto result = bus.publish(OrderShipped{1}, {.source = "/partner", .foreign_id = kForeign});
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_FALSE(seen_[0].foreign_id);
  EXPECT_EQ(seen_[0].causation_id, result.event_id);
  const std::array both = {OrderPlaced{1}, OrderPlaced{2}};
  EXPECT_EQ(error_code_of([&] { bus.publish_batch(both, {.foreign_id = "1"}); }), ErrorCode::InvalidArgument);
  EXPECT_THAT(seen_, SizeIs(1));
}

TEST_F(ForeignIdTest, IsWithItThroughQueuesAndRetries) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&, const EventContext& context) {
                                              seen_.push_back(context.metadata());
                                              if (context.attempt() == 1)
                                                throw std::runtime_error("once more");
                                            },
                                            {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 2}});
  bus.publish(OrderPlaced{1}, {.source = "/partner", .foreign_id = kForeign});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_EQ(seen_[1].foreign_id, kForeign);
  EXPECT_EQ(capture_.only("handler_failed").at("foreign_id"), kForeign);
  EXPECT_EQ(capture_.only("handler_failed").at("foreign_source"), "/partner");
}

TEST_F(ForeignIdTest, IsInTheLetter) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [](const OrderPlaced&) { throw std::runtime_error("no"); }, {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{1}, {.foreign_id = kForeign});
  ASSERT_THAT(letters_->letters(), SizeIs(1));
  EXPECT_EQ(letters_->letters()[0].metadata.foreign_id, kForeign);
  EXPECT_EQ(capture_.only("dead_letter_stored").at("foreign_id"), kForeign);
}

TEST_F(ForeignIdTest, ThatCouldNotBeKeptIsRefusedAndNothingIsDelivered) {
  for (const auto& accepted : {options(), durable()}) {
    Bus bus(accepted);
    auto handler = bus.subscribe<OrderPlaced>("handler", notes());
    for (const std::string& id : {std::string("a\0b", 3), std::string("a\nb"), std::string("\xFF"),
                                  std::string("\xEF\xBF\xBF"), std::string(kMaxForeignId + 1, 'x')})
      EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}, {.foreign_id = id}); }),
                ErrorCode::InvalidArgument);
  }
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(ForeignIdTest, DeDuplicatesDurablePublishesTogetherWithTheSource) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  const auto first = bus.publish(OrderPlaced{1}, {.source = "/partner", .foreign_id = kForeign});
  const auto again = bus.publish(OrderPlaced{1}, {.source = "/partner", .foreign_id = kForeign});
  const auto elsewhere = bus.publish(OrderPlaced{1}, {.source = "/other", .foreign_id = kForeign});
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.event_id, first.event_id);
  EXPECT_FALSE(elsewhere.duplicate);
  EXPECT_THAT(seen_, SizeIs(2));
  const Json record = capture_.only("publish_duplicate");
  EXPECT_EQ(record.at("foreign_id"), kForeign);
  EXPECT_TRUE(record.at("idempotency_key").is_null());
}

TEST_F(ForeignIdTest, IsNotTakenForAnIdempotencyKeyOfTheSameText) {
  Bus bus(durable());
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.idempotency_key = "1"}).duplicate);
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
  EXPECT_TRUE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
  EXPECT_TRUE(bus.publish(OrderPlaced{1}, {.idempotency_key = "1"}).duplicate);
}

TEST_F(ForeignIdTest, StepsBackBehindAnIdempotencyKey) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1", .idempotency_key = "1/a"}).duplicate);
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1", .idempotency_key = "1/b"}).duplicate);
  EXPECT_TRUE(bus.publish(OrderPlaced{1}, {.foreign_id = "1", .idempotency_key = "1/a"}).duplicate);
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate) << "a key leaves the id unused";
  EXPECT_THAT(seen_, SizeIs(3));
}

TEST_F(ForeignIdTest, WithoutDurabilityDeDuplicatesNothing) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
  EXPECT_THAT(seen_, SizeIs(2));
}

TEST_F(ForeignIdTest, IsRememberedAcrossARestart) {
  const auto first = Bus(durable()).publish(OrderPlaced{1}, {.foreign_id = kForeign});
  crash();
  Bus bus(durable());
  const auto again = bus.publish(OrderPlaced{1}, {.foreign_id = kForeign});
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.event_id, first.event_id);
}

TEST_F(ForeignIdTest, IsForgottenWithTheWindowOfIdempotencyKeys) {
  Bus bus(durable());
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
  clock_->advance(std::chrono::hours(24 * 7 + 1));
  EXPECT_FALSE(bus.publish(OrderPlaced{1}, {.foreign_id = "1"}).duplicate);
}

TEST_F(ForeignIdTest, OfACloudEventComesWithIt) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  const auto first = bus.publish(order_from_outside());
  EXPECT_TRUE(bus.publish(order_from_outside()).duplicate);
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_EQ(seen_[0].event_id, first.event_id);
  EXPECT_EQ(seen_[0].foreign_id, kForeign);
  EXPECT_EQ(seen_[0].source.view(), "/partner");
  CloudEvent out{.type = std::string(OrderPlaced::event_type), .metadata = seen_[0]};
  const Json envelope = to_cloudevent_json(out);
  EXPECT_EQ(envelope.at("id"), kForeign);
  EXPECT_EQ(envelope.at("source"), "/partner");
  EXPECT_EQ(envelope.at("tidingsid"), first.event_id.to_string());
}

TEST_F(ForeignIdTest, OfACloudEventThatTidingsMadeElsewhereIsItsIdThere) {
  Bus bus(durable());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  const std::string id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
  const auto first = bus.publish(order_from_outside(id));
  EXPECT_TRUE(bus.publish(order_from_outside(id)).duplicate);
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_EQ(seen_[0].foreign_id, id);
  EXPECT_NE(first.event_id.to_string(), id);
}

TEST_F(ForeignIdTest, ACloudEventBringsItsContextUnlessTheOptionsSayOtherwise) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", notes());
  CloudEvent event = order_from_outside();
  event.metadata.correlation_id = *CorrelationId::parse("request-1");
  event.metadata.causation_id = EventId::parse("017f22e2-79b0-7cc3-98c4-000000000001");
  event.metadata.traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  event.metadata.tracestate = "a=1";
  event.metadata.fields = {{"tenant", "acme"}, {"region", "eu"}};
  const ContextScope scope(Context::from_id("ambient").with({{"user", "ada"}, {"region", "us"}}));
  bus.publish(event, {.source = "/gateway", .fields = {{"tenant", "other"}}});
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_EQ(seen_[0].correlation_id.to_string(), "request-1");
  EXPECT_EQ(seen_[0].causation_id, event.metadata.causation_id);
  EXPECT_EQ(seen_[0].traceparent, event.metadata.traceparent);
  EXPECT_EQ(seen_[0].tracestate.view(), "a=1");
  EXPECT_EQ(seen_[0].source.view(), "/gateway");
  EXPECT_EQ(seen_[0].fields, (ContextFields{{"region", "eu"}, {"tenant", "other"}, {"user", "ada"}}));
}

TEST_F(ForeignIdTest, ACloudEventWithoutDataOrWithBinaryDataIsPublishedToo) {
  Bus bus(options());
  std::vector<Json> data;
  auto handler =
      bus.subscribe("orders.order_placed", "handler", [&](const Json& json) { data.push_back(json); });
  CloudEvent event = order_from_outside();
  event.data = Json(Json::value_t::discarded);
  bus.publish(event);
  event.has_binary = true;
  event.binary = std::string("\xFF\0", 2);
  bus.publish(event);
  EXPECT_THAT(data, ElementsAre(Json(nullptr), Json::binary({0xFF, 0})));
}

}  // namespace
}  // namespace tidings::test
