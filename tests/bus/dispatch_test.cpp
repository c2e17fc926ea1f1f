#include "bus_fixture.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using testing::ElementsAre;

class DispatchTest : public BusTest {};

/// Another struct for the type of OrderShipped.
struct Renamed {
  static constexpr std::string_view event_type = "orders.order_shipped";
  std::int64_t order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Renamed, order_id)
};

TEST_F(DispatchTest, DeliversToEverySubscriberInOrderOfSubscription) {
  Bus bus(options());
  std::vector<std::string> seen;
  auto first = bus.subscribe<OrderPlaced>(
      "first", [&](const OrderPlaced& e) { seen.push_back("first " + e.customer); });
  auto second = bus.subscribe<OrderPlaced>("second", [&](const OrderPlaced&, const EventContext& context) {
    seen.push_back(std::string(context.handler()));
  });
  const PublishResult result = bus.publish(OrderPlaced{.order_id = 1, .customer = "Ada"});
  EXPECT_THAT(seen, ElementsAre("first Ada", "second"));
  EXPECT_EQ(result.handled, 2U);
  EXPECT_EQ(result.scheduled + result.dead, 0U);
}

TEST_F(DispatchTest, OneHandlersFailureHidesNoOther) {
  Bus bus(options());
  int handled = 0;
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw std::runtime_error("no"); });
  auto good = bus.subscribe<OrderPlaced>("good", [&](const OrderPlaced&) { ++handled; });
  const PublishResult result = bus.publish(OrderPlaced{});
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(result.handled, 1U);
  EXPECT_EQ(result.dead, 1U);
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].handler, "bad");
}

TEST_F(DispatchTest, GivesTheContextOfTheDelivery) {
  Bus bus(options());
  auto subscription =
      bus.subscribe<OrderShipped>("mail", [&](const OrderShipped&, const EventContext& context) {
        EXPECT_EQ(context.event_type(), "orders.order_shipped");
        EXPECT_EQ(context.schema_version(), 2);
        EXPECT_EQ(context.service(), "shop");
        EXPECT_EQ(context.attempt(), 1U);
        EXPECT_EQ(context.max_attempts(), 3U);
        EXPECT_EQ(context.metadata().source.view(), "shop");
        EXPECT_EQ(context.metadata().published_at, clock_->now());
        EXPECT_EQ(context.idempotency_key(), context.metadata().event_id.to_string() + "/mail");
      });
  EXPECT_EQ(bus.publish(OrderShipped{}).handled, 1U);
}

TEST_F(DispatchTest, MetadataKeptByAHandlerOutlivesThePublish) {
  Bus bus(options());
  std::optional<Metadata> kept;
  auto subscription = bus.subscribe<OrderPlaced>(
      "keep", [&](const OrderPlaced&, const EventContext& context) { kept = context.metadata(); });
  {
    const std::string source = "a/source/longer/than/any/small/string/buffer";
    bus.publish(OrderPlaced{}, {.source = source, .fields = {{"tenant", "acme"}}});
  }
  EXPECT_EQ(kept->source.view(), "a/source/longer/than/any/small/string/buffer");
  EXPECT_EQ(kept->fields, (ContextFields{{"tenant", "acme"}}));
}

TEST_F(DispatchTest, StructsReachHandlersByNameAsJson) {
  Bus bus(options());
  Json seen;
  auto by_name = bus.subscribe("orders.order_placed", "audit", [&](const Json& data) { seen = data; });
  bus.publish(OrderPlaced{.order_id = 7, .customer = "Ada"});
  EXPECT_EQ(seen, Json({{"order_id", 7}, {"customer", "Ada"}}));
}

TEST_F(DispatchTest, JsonPublishedByNameReachesHandlersOfTheStruct) {
  Bus bus(options());
  std::int64_t seen = 0;
  auto typed = bus.subscribe<OrderShipped>("typed", [&](const OrderShipped& e) { seen = e.order_id; });
  const auto result = bus.publish("orders.order_shipped", Json{{"order_id", 9}}, {}, 2);
  EXPECT_EQ(seen, 9);
  EXPECT_EQ(result.handled, 1U);
}

TEST_F(DispatchTest, JsonThatDoesNotFitTheStructIsADeadLetterAndHidesNoOther) {
  Bus bus(options());
  int by_name_calls = 0;
  auto typed = bus.subscribe<OrderShipped>("typed", [&](const OrderShipped&) { FAIL(); });
  auto by_name = bus.subscribe("orders.order_shipped", "by_name", [&](const Json&) { ++by_name_calls; });
  const auto result = bus.publish("orders.order_shipped", Json{{"order_id", "not a number"}});
  EXPECT_EQ(result.dead, 1U);
  EXPECT_EQ(by_name_calls, 1);
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::Undecodable);
  EXPECT_EQ(letters_->letters()[0].attempts.size(), 1U);
}

TEST_F(DispatchTest, AWildcardSeesEveryEventAfterTheTypesOwnHandlers) {
  Bus bus(options());
  std::vector<std::string> seen;
  auto all = bus.subscribe_all("all", [&](const Json& data, const EventContext& context) {
    seen.push_back(std::string(context.event_type()) + data.dump());
  });
  auto own = bus.subscribe<OrderShipped>("own", [&](const OrderShipped&) { seen.push_back("own"); });
  bus.publish(OrderShipped{.order_id = 1});
  bus.publish("never.seen.before", Json{{"x", 2}});
  EXPECT_THAT(seen, ElementsAre("own", "orders.order_shipped{\"order_id\":1}", "never.seen.before{\"x\":2}"));
}

TEST_F(DispatchTest, AHandlerIsToldWhatItHasSubscribed) {
  Bus bus(options());
  std::vector<std::string> seen;
  auto all = bus.subscribe_all(
      "all", [&](const Json&, const EventContext& context) { seen.emplace_back(context.subscribed_type()); });
  auto own = bus.subscribe<OrderShipped>("own", [&](const OrderShipped&, const EventContext& context) {
    seen.emplace_back(context.subscribed_type());
  });
  bus.publish(OrderShipped{.order_id = 1});
  EXPECT_THAT(seen, ElementsAre("orders.order_shipped", "*"));
}

TEST_F(DispatchTest, WarnsOncePerTypeWhenNobodySubscribes) {
  Bus bus(options());
  for (int i = 0; i < 3; ++i) bus.publish(OrderPlaced{});
  bus.publish("another.type", Json::object());
  EXPECT_EQ(capture_.count("event_unhandled"), 2U);
}

TEST_F(DispatchTest, IgnoresUnhandledEventsWhenTold) {
  auto quiet = options();
  quiet.unhandled = Unhandled::Ignore;
  Bus bus(quiet);
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.count("event_unhandled"), 0U);
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(DispatchTest, KeepsUnhandledEventsWhenTold) {
  auto keeping = options();
  keeping.unhandled = Unhandled::DeadLetter;
  Bus bus(keeping);
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 3}).dead, 1U);
  ASSERT_EQ(letters_->letters().size(), 1U);
  const DeadLetter letter = letters_->letters()[0];
  EXPECT_EQ(letter.reason, Reason::Unhandled);
  EXPECT_EQ(letter.handler, "");
  EXPECT_EQ(Json::parse(letter.data.bytes).at("order_id"), 3);
}

TEST_F(DispatchTest, CutsEndlessChainsOfEvents) {
  auto shallow = options();
  shallow.max_causation_depth = 5;
  Bus bus(shallow);
  int runs = 0;
  auto loop = bus.subscribe<OrderPlaced>("loop", [&](const OrderPlaced& e) {
    ++runs;
    bus.publish(e);
  });
  bus.publish(OrderPlaced{});
  EXPECT_EQ(runs, 6);
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::CausationLoop);
}

TEST_F(DispatchTest, AFreshScopeBeginsANewChain) {
  auto shallow = options();
  shallow.max_causation_depth = 2;
  Bus bus(shallow);
  int runs = 0;
  auto chain = bus.subscribe<OrderPlaced>("chain", [&](const OrderPlaced& e) {
    if (++runs == 10) return;
    const ContextScope fresh(Context::fresh());
    bus.publish(e);
  });
  bus.publish(OrderPlaced{});
  EXPECT_EQ(runs, 10);
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(DispatchTest, TwoStructsOfOneTypeMeetThroughJson) {
  Bus bus(options());
  std::int64_t seen = 0;
  auto other = bus.subscribe<Renamed>("other", [&](const Renamed& e) { seen = e.order_id; });
  bus.publish(OrderShipped{.order_id = 4});
  EXPECT_EQ(seen, 4);
}

TEST_F(DispatchTest, SubscribersAddedDuringAPublishSeeTheNextOne) {
  Bus bus(options());
  int late_calls = 0;
  Subscription late;
  auto adder = bus.subscribe<OrderPlaced>("adder", [&](const OrderPlaced&) {
    if (!late) late = bus.subscribe<OrderPlaced>("late", [&](const OrderPlaced&) { ++late_calls; });
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_EQ(late_calls, 0);
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 2U);
}

TEST_F(DispatchTest, KeptHandlersStayUntilTheBusStops) {
  Bus bus(options());
  int calls = 0;
  bus.subscribe<OrderPlaced>("kept", [&](const OrderPlaced&) { ++calls; }).keep();
  bus.publish(OrderPlaced{});
  EXPECT_EQ(calls, 1);
}

TEST_F(DispatchTest, ServesTenThousandTypesAndFindsEachOne) {
  auto quiet = options();
  quiet.unhandled = Unhandled::Ignore;
  Bus bus(quiet);
  std::vector<Subscription> subscriptions;
  std::vector<int> calls(10'000);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    subscriptions.push_back(
        bus.subscribe("type." + std::to_string(i), "count", [&calls, i](const Json&) { ++calls[i]; }));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) bus.publish("type." + std::to_string(i), Json::object());
  EXPECT_THAT(calls, testing::Each(1));
}

}  // namespace
}  // namespace tidings::test
