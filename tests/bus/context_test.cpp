#include "bus_fixture.hpp"

#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

namespace tidings::test {
namespace {

const ContextFields kRequest{{"tenant", "acme"}, {"user_id", 42}};

class BusContextTest : public BusTest {
 protected:
  Bus bus_{options()};
};

TEST_F(BusContextTest, EventsBearTheFieldsOfTheContextTheyArePublishedIn) {
  ContextFields seen;
  auto note = bus_.subscribe<OrderPlaced>(
      "note", [&](const OrderPlaced&, const EventContext& context) { seen = context.metadata().fields; });
  const ContextScope scope({{"tenant", "acme"}, {"user_id", 42}});
  bus_.publish(OrderPlaced{});
  EXPECT_EQ(seen, kRequest);
  bus_.publish(OrderPlaced{}, {.fields = {{"user_id", 7}, {"line", 3}}});
  EXPECT_EQ(seen, (ContextFields{{"tenant", "acme"}, {"user_id", 7}, {"line", 3}}));
}

TEST_F(BusContextTest, FieldsWithoutACorrelationIdLeaveEachEventItsOwn) {
  const ContextScope scope({{"tenant", "acme"}});
  const auto first = bus_.publish(OrderPlaced{});
  EXPECT_EQ(first.correlation_id, CorrelationId(first.event_id));
  EXPECT_NE(first.correlation_id, bus_.publish(OrderPlaced{}).correlation_id);
}

TEST_F(BusContextTest, NestedAndQueuedEventsAndRetriesInheritTheFields) {
  std::vector<Metadata> seen;
  int attempts = 0;
  auto chain =
      bus_.subscribe<OrderPlaced>("chain",
                                  [&](const OrderPlaced&) {
                                    if (++attempts == 1) throw std::runtime_error("x");
                                    bus_.publish(OrderShipped{});
                                  },
                                  {.dispatch = Dispatch::Queued, .retry = {.backoff = constant(1s)}});
  auto note = bus_.subscribe<OrderShipped>(
      "note", [&](const OrderShipped&, const EventContext& context) { seen.push_back(context.metadata()); });
  {
    const ContextScope scope(Context::from_id("request-1").with({{"tenant", "acme"}, {"user_id", 42}}));
    bus_.publish(OrderPlaced{});
  }
  while (bus_.snapshot().handlers.at(0).waiting == 0) std::this_thread::yield();
  advance(1s);
  ASSERT_TRUE(bus_.wait_idle(kLong));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].fields, kRequest);
  EXPECT_EQ(seen[0].correlation_id.to_string(), "request-1");
}

TEST_F(BusContextTest, AHandlerThatAddsToTheContextPassesThatOnAlone) {
  std::vector<ContextFields> seen;
  auto chain = bus_.subscribe<OrderPlaced>("chain", [&](const OrderPlaced&) {
    {
      const ContextScope more({{"step", "charge"}});
      bus_.publish(OrderShipped{});
    }
    bus_.publish(OrderShipped{});
  });
  auto note = bus_.subscribe<OrderShipped>("note", [&](const OrderShipped&, const EventContext& context) {
    seen.push_back(context.metadata().fields);
  });
  bus_.publish(OrderPlaced{}, {.fields = kRequest});
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], kRequest.with("step", "charge"));
  EXPECT_EQ(seen[1], kRequest);
}

TEST_F(BusContextTest, ALetterKeepsTheFieldsAndItsRedriveBearsThem) {
  bool broken = true;
  ContextFields seen;
  auto handler = bus_.subscribe<OrderPlaced>("charge", [&](const OrderPlaced&, const EventContext& context) {
    seen = context.metadata().fields;
    if (broken) throw Permanent("no");
  });
  bus_.publish(OrderPlaced{}, {.fields = kRequest});
  EXPECT_EQ(letters_->letters().at(0).metadata.fields, kRequest);
  broken = false;
  seen = {};
  bus_.redrive({});
  ASSERT_TRUE(bus_.wait_idle(kLong));
  EXPECT_EQ(seen, kRequest);
}

TEST_F(BusContextTest, TwoRequestsOnTwoThreadsNeverShowEachOthersFields) {
  const logging::Logger log = capture_.logger();
  auto handler = bus_.subscribe<OrderPlaced>("log",
                                             [&](const OrderPlaced& order) {
                                               log.info("handling", {{"order", order.order_id}});
                                               throw Permanent("no");
                                             },
                                             {.dispatch = Dispatch::Queued, .concurrency = 2});
  const auto request = [&](int user) {
    const ContextScope scope({{"user", user}});
    for (int i = 0; i < 50; ++i) bus_.publish(OrderPlaced{.order_id = user, .customer = {}});
  };
  {
    const std::jthread first(request, 1);
    const std::jthread second(request, 2);
  }
  ASSERT_TRUE(bus_.wait_idle(kLong));
  ASSERT_EQ(capture_.count("handling"), 100U);
  for (const Json& record : capture_.records("handling")) EXPECT_EQ(record.at("user"), record.at("order"));
}

/// What says to whom and to what a record belongs.
Json identity_of(const Json& record) {
  Json identity;
  for (const char* name : {"service", "handler", "event_type", "event_id", "correlation_id", "causation_id",
                           "trace_id", "span_id", "tenant", "user_id"}) {
    identity[name] = record.contains(name) ? record.at(name) : Json("missing");
  }
  return identity;
}

TEST_F(BusContextTest, AllRecordsOfADeliveryBearTheSameIdentity) {
  const logging::Logger log = capture_.logger({.service = "shop"});
  auto handler = bus_.subscribe<OrderPlaced>("charge",
                                             [&](const OrderPlaced&) {
                                               log.info("charging");
                                               const ContextScope scope({{"step", 1}});
                                               log.info("charging_step");
                                               throw std::runtime_error("no");
                                             },
                                             {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 2}});
  {
    Context request =
        Context::from_headers({{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
            .with({{"tenant", "acme"}, {"user_id", 42}});
    request.causation_id = EventId::parse("0195f3c2-7b1e-7cc3-98c4-dc0c0c07398f");
    const ContextScope scope(std::move(request));
    bus_.publish(OrderPlaced{});
  }
  ASSERT_TRUE(bus_.wait_idle(kLong));
  std::set<std::string> identities;
  for (const char* name :
       {"charging", "charging_step", "handler_failed", "handler_exhausted_retries", "dead_letter_stored"}) {
    ASSERT_GE(capture_.count(name), 1U) << name;
    for (const Json& record : capture_.records(name)) identities.insert(identity_of(record).dump());
  }
  EXPECT_EQ(identities.size(), 1U) << Json(identities);
  EXPECT_EQ(identities.begin()->find("missing"), std::string::npos) << *identities.begin();
}

class BindTest : public BusContextTest {
 protected:
  /// Fails each attempt, with what it has bound.
  Subscription subscribe_failing(Dispatch dispatch) {
    return bus_.subscribe<OrderPlaced>(
        "charge",
        [this](const OrderPlaced&, const EventContext& context) {
          before_.push_back(context.bound());
          context.bind("order_id", 42);
          context.bind({{"attempt_of", context.attempt()}, {"step", "charge"}});
          capture_.logger().info("charging");
          throw std::runtime_error("no");
        },
        {.dispatch = dispatch, .retry = {.max_attempts = 2}});
  }
  void expect_bound(const Json& record, int attempt) {
    EXPECT_EQ(record.value("order_id", 0), 42) << record;
    EXPECT_EQ(record.value("attempt_of", 0), attempt) << record;
    EXPECT_EQ(record.value("step", ""), "charge") << record;
  }

  std::vector<ContextFields> before_;
};

TEST_F(BindTest, WhatAHandlerBindsIsInAllRecordsOfItsAttempt) {
  for (const Dispatch dispatch : {Dispatch::Inline, Dispatch::Queued}) {
    capture_.clear();
    auto failing = subscribe_failing(dispatch);
    bus_.publish(OrderPlaced{});
    ASSERT_TRUE(bus_.wait_idle(kLong));
    for (const std::size_t attempt : {0U, 1U}) {
      expect_bound(capture_.records("charging").at(attempt), static_cast<int>(attempt) + 1);
      expect_bound(capture_.records("handler_failed").at(attempt), static_cast<int>(attempt) + 1);
    }
    expect_bound(capture_.only("handler_exhausted_retries"), 2);
    expect_bound(capture_.only("dead_letter_stored"), 2);
  }
}

TEST_F(BindTest, EachAttemptAndEachRedriveBeginsWithoutIt) {
  auto failing = subscribe_failing(Dispatch::Inline);
  bus_.publish(OrderPlaced{});
  bus_.redrive({});
  ASSERT_TRUE(bus_.wait_idle(kLong));
  ASSERT_EQ(before_.size(), 3U);
  for (const ContextFields& before : before_) EXPECT_TRUE(before.empty());
}

TEST_F(BindTest, TheLetterKeepsItWithTheAttempt) {
  auto failing = subscribe_failing(Dispatch::Inline);
  bus_.publish(OrderPlaced{});
  const DeadLetter letter = letters_->letters().at(0);
  ASSERT_EQ(letter.attempts.size(), 2U);
  EXPECT_EQ(letter.attempts[0].fields,
            (ContextFields{{"attempt_of", 1}, {"order_id", 42}, {"step", "charge"}}));
  EXPECT_EQ(letter.attempts[1].fields,
            (ContextFields{{"attempt_of", 2}, {"order_id", 42}, {"step", "charge"}}));
  EXPECT_TRUE(letter.metadata.fields.empty());
}

TEST_F(BindTest, ItIsNotInherited) {
  ContextFields inherited = kRequest;
  auto note = bus_.subscribe<OrderShipped>("note", [&](const OrderShipped&, const EventContext& context) {
    inherited = context.metadata().fields;
    capture_.logger().info("shipping");
  });
  auto chain = bus_.subscribe<OrderPlaced>("chain", [&](const OrderPlaced&, const EventContext& context) {
    context.bind("order_id", 42);
    bus_.publish(OrderShipped{});
  });
  bus_.publish(OrderPlaced{});
  EXPECT_TRUE(inherited.empty());
  EXPECT_FALSE(capture_.only("shipping").contains("order_id"));
}

TEST_F(BindTest, TheNextHandlerOfTheEventBeginsWithoutIt) {
  ContextFields seen = kRequest;
  auto first = bus_.subscribe<OrderPlaced>(
      "first", [](const OrderPlaced&, const EventContext& context) { context.bind("order_id", 42); });
  auto second = bus_.subscribe<OrderPlaced>("second", [&](const OrderPlaced&, const EventContext& context) {
    seen = context.bound();
    capture_.logger().info("second");
  });
  bus_.publish(OrderPlaced{});
  EXPECT_TRUE(seen.empty());
  EXPECT_FALSE(capture_.only("second").contains("order_id"));
}

TEST_F(BindTest, AFieldThatBreaksARuleFailsTheAttemptAndSaysWhy) {
  auto failing = bus_.subscribe<OrderPlaced>("charge", [](const OrderPlaced&, const EventContext& context) {
    context.bind("order_id", 42);
    context.bind("Order", 42);
  });
  bus_.publish(OrderPlaced{});
  const Json failed = capture_.records("handler_failed").at(0);
  EXPECT_NE(failed.at("error").get<std::string>().find("\"Order\" has a bad name"), std::string::npos);
  EXPECT_EQ(failed.at("order_id"), 42);
}

}  // namespace
}  // namespace tidings::test
