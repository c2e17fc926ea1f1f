#include "bus_fixture.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace tidings::test {
namespace {

class BusCorrelationTest : public BusTest {
 protected:
  /// A bus that notes the metadata of every order that is shipped.
  BusCorrelationTest() {
    shipped_.emplace(bus_.subscribe<OrderShipped>(
        "note",
        [this](const OrderShipped&, const EventContext& context) { noted_.push_back(context.metadata()); }));
  }

  Bus bus_{options()};
  std::vector<Metadata> noted_;
  std::optional<Subscription> shipped_;
};

TEST_F(BusCorrelationTest, AnEventOutsideAnyScopeStartsItsOwnStory) {
  const auto result = bus_.publish(OrderShipped{});
  EXPECT_EQ(result.correlation_id.to_string(), result.event_id.to_string());
  EXPECT_EQ(noted_.at(0).causation_id, std::nullopt);
}

TEST_F(BusCorrelationTest, TheAmbientScopeIsInherited) {
  const ContextScope scope(Context::from_id("request-7"));
  bus_.publish(OrderShipped{});
  EXPECT_EQ(noted_.at(0).correlation_id.to_string(), "request-7");
}

TEST_F(BusCorrelationTest, AnExplicitIdWinsOverTheScope) {
  const ContextScope scope(Context::from_id("request-7"));
  bus_.publish(OrderShipped{}, {.correlation_id = "explicit"});
  EXPECT_EQ(noted_.at(0).correlation_id.to_string(), "explicit");
}

TEST_F(BusCorrelationTest, AnEventPublishedByAHandlerNamesItsCauseAndSharesItsStory) {
  auto chain =
      bus_.subscribe<OrderPlaced>("chain", [&](const OrderPlaced&) { bus_.publish(OrderShipped{}); });
  const auto cause = bus_.publish(OrderPlaced{}, {.correlation_id = "request-8"});
  EXPECT_EQ(noted_.at(0).causation_id, cause.event_id);
  EXPECT_EQ(noted_.at(0).correlation_id.to_string(), "request-8");
  EXPECT_EQ(noted_.at(0).causation_depth, 1U);
}

TEST_F(BusCorrelationTest, TheScopeAfterAHandlerIsTheOneBefore) {
  auto chain =
      bus_.subscribe<OrderPlaced>("chain", [](const OrderPlaced&) { throw std::runtime_error("x"); });
  const ContextScope scope(Context::from_id("outer"));
  bus_.publish(OrderPlaced{}, {.correlation_id = "inner"});
  EXPECT_EQ(Context::current().correlation_id.to_string(), "outer");
}

TEST_F(BusCorrelationTest, QueuedDeliveriesRestoreTheScopeOnTheirWorker) {
  std::string seen;
  auto queued = bus_.subscribe<OrderPlaced>("queued",
                                            [&](const OrderPlaced&) {
                                              seen = Context::current().correlation_id.to_string();
                                              bus_.publish(OrderShipped{});
                                            },
                                            {.dispatch = Dispatch::Queued});
  PublishResult cause;
  {
    const ContextScope scope(Context::from_id("request-9"));
    cause = bus_.publish(OrderPlaced{});
  }
  ASSERT_TRUE(bus_.wait_idle(kLong));
  EXPECT_EQ(seen, "request-9");
  EXPECT_EQ(noted_.at(0).causation_id, cause.event_id);
}

TEST_F(BusCorrelationTest, DelayedRetriesRestoreTheScope) {
  int attempts = 0;
  std::string seen;
  auto flaky = bus_.subscribe<OrderPlaced>("flaky",
                                           [&](const OrderPlaced&) {
                                             seen = Context::current().correlation_id.to_string();
                                             if (++attempts == 1) throw std::runtime_error("x");
                                           },
                                           {.retry = {.backoff = constant(1s)}});
  bus_.publish(OrderPlaced{}, {.correlation_id = "request-10"});
  seen.clear();
  advance(1s);
  ASSERT_TRUE(bus_.wait_idle(kLong));
  EXPECT_EQ(seen, "request-10");
}

TEST_F(BusCorrelationTest, AContextCapturedInAHandlerContinuesTheChainOnAnotherThread) {
  auto handler = bus_.subscribe<OrderPlaced>("hand_over", [&](const OrderPlaced&) {
    std::thread([&, context = Context::current()] {
      const ContextScope scope(context);
      bus_.publish(OrderShipped{});
    }).join();
  });
  const auto cause = bus_.publish(OrderPlaced{}, {.correlation_id = "request-11"});
  EXPECT_EQ(noted_.at(0).correlation_id.to_string(), "request-11");
  EXPECT_EQ(noted_.at(0).causation_id, cause.event_id);
  EXPECT_EQ(noted_.at(0).causation_depth, 1U);
}

TEST_F(BusCorrelationTest, InboundTraceTravelsThroughNestedEvents) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  auto chain =
      bus_.subscribe<OrderPlaced>("chain", [&](const OrderPlaced&) { bus_.publish(OrderShipped{}); });
  const ContextScope scope(Context::from_headers({{"traceparent", trace}, {"tracestate", "vendor=1"}}));
  bus_.publish(OrderPlaced{});
  EXPECT_EQ(noted_.at(0).traceparent->to_string(), trace);
  EXPECT_EQ(noted_.at(0).tracestate.view(), "vendor=1");
}

TEST_F(BusCorrelationTest, ATracestateThatIsGivenIsShortenedByWholeMembers) {
  const auto trace = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const std::string tracestate = "a=1\t,\tb=2," + std::string(513, 'c');
  bus_.publish(OrderShipped{}, {.traceparent = trace, .tracestate = tracestate});
  EXPECT_EQ(noted_.at(0).tracestate.view(), "a=1,b=2");
}

TEST_F(BusCorrelationTest, OutboundHeadersInsideAHandlerCarryItsStory) {
  Headers headers;
  auto handler = bus_.subscribe<OrderPlaced>(
      "call", [&](const OrderPlaced&) { headers = Context::current().outbound_headers(); });
  bus_.publish(OrderPlaced{}, {.correlation_id = "request-12"});
  EXPECT_EQ(headers, (Headers{{"X-Correlation-ID", "request-12"}, {"X-Request-ID", "request-12"}}));
}

TEST_F(BusCorrelationTest, ACorrelationIdOf128CharactersIsKeptWhole) {
  const std::string longest(128, 'c');
  bus_.publish(OrderShipped{}, {.correlation_id = longest});
  EXPECT_EQ(noted_.at(0).correlation_id.to_string(), longest);
}

}  // namespace
}  // namespace tidings::test
