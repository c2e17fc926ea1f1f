#include "redrive_fixture.hpp"

#include "gate.hpp"

#include <latch>
#include <semaphore>

namespace tidings::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(RedriveTest, DeliversALetterToTheHandlerThatFailedAndToNoOther) {
  Bus bus(options());
  int others = 0;
  auto other = bus.subscribe<OrderPlaced>("other", [&](const OrderPlaced&) { ++others; });
  auto failing = bus.subscribe<OrderPlaced>("failing", handler());
  fail(bus, 7, 7);
  ASSERT_THAT(unresolved(), ElementsAre(7));
  const auto request = bus.redrive({});
  EXPECT_EQ(request.letters, 1U);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled(), ElementsAre(7));
  EXPECT_EQ(others, 1);
  EXPECT_THAT(unresolved(), IsEmpty());
  EXPECT_EQ(capture_.only("redrive_finished").at("succeeded"), 1);
}

TEST_F(RedriveTest, TheHandlerSeesTheOriginalMetadataAndACausationChainThatStartsAnew) {
  Bus bus(options());
  Metadata first;
  Metadata again;
  std::uint32_t attempt = 0;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&, const EventContext& context) {
                                              attempt = context.attempt();
                                              (attempt == 1 ? first : again) = context.metadata();
                                              if (attempt == 1) throw std::runtime_error("not yet");
                                            },
                                            {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{}, {.correlation_id = "request-42", .fields = {{"tenant", "acme"}}});
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(attempt, 2U);
  EXPECT_EQ(again, first);
  EXPECT_EQ(again.correlation_id.to_string(), "request-42");
}

TEST_F(RedriveTest, TheHandlerCanAskWhetherItIsOne) {
  Bus bus(options());
  std::vector<bool> redrives;
  auto failing = bus.subscribe<OrderPlaced>("failing",
                                            [&](const OrderPlaced&, const EventContext& context) {
                                              redrives.push_back(context.is_redrive());
                                              throw std::runtime_error("no");
                                            },
                                            {.retry = {.max_attempts = 2}});
  bus.publish(OrderPlaced{});
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(redrives, ElementsAre(false, false, true));
}

TEST_F(RedriveTest, AttemptsAreNumberedOverTheLettersLifeAndTheRedrivesIsTheLast) {
  Bus bus(options());
  std::vector<std::uint32_t> last;
  auto failing = bus.subscribe<OrderPlaced>("failing",
                                            [&](const OrderPlaced&, const EventContext& context) {
                                              last.push_back(context.max_attempts());
                                              throw std::runtime_error("no");
                                            },
                                            {.retry = {.max_attempts = 2}});
  bus.publish(OrderPlaced{});
  for (int redrive = 0; redrive < 2; ++redrive) {
    static_cast<void>(bus.redrive({}));
    ASSERT_TRUE(bus.wait_idle(kLong));
  }
  std::vector<std::string> told;
  for (const Json& record : capture_.records()) {
    if (record.at("event") != "handler_failed") continue;
    told.push_back(record.at("attempt").dump() + " of " + record.at("max_attempts").dump());
    EXPECT_EQ(record.at("retry_in_ms").is_null(), record.at("attempt") == record.at("max_attempts"));
  }
  EXPECT_THAT(told, ElementsAre("1 of 2", "2 of 2", "3 of 3", "4 of 4"));
  EXPECT_THAT(last, ElementsAre(2, 2, 3, 4));
}

TEST_F(RedriveTest, ChoosesLettersByFieldsOfTheirContext) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) { throw Permanent("bad"); },
                                            {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{}, {.fields = {{"tenant", "acme"}, {"user_id", 42}, {"vip", true}}});
  bus.publish(OrderPlaced{}, {.fields = {{"tenant", "acme"}}});
  bus.publish(OrderPlaced{});
  failing.reset();
  const auto marked = [&](std::vector<FieldValue> fields) {
    return bus.redrive({.fields = std::move(fields)}).letters;
  };
  EXPECT_EQ(marked({{"tenant", "other"}}), 0U);
  EXPECT_EQ(marked({{"tenant", "acme"}, {"user_id", "42"}, {"vip", "true"}}), 1U);
  EXPECT_EQ(marked({{"tenant", "acme"}}), 1U) << "the other one is marked already";
}

TEST_F(RedriveTest, EventsPublishedByARedrivenHandlerBelongToItsRequest) {
  auto shallow = options();
  shallow.max_causation_depth = 1;
  Bus bus(std::move(shallow));
  std::vector<std::string> correlations;
  bool broken = true;
  auto ship = bus.subscribe<OrderShipped>("ship", [&](const OrderShipped&, const EventContext& context) {
    correlations.push_back(context.metadata().correlation_id.to_string());
  });
  auto place = bus.subscribe<OrderPlaced>("place",
                                          [&](const OrderPlaced&) {
                                            if (broken) throw std::runtime_error("no");
                                            bus.publish(OrderShipped{});
                                          },
                                          {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{}, {.correlation_id = "request-1"});
  broken = false;
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(correlations, ElementsAre("request-1"));
}

TEST_F(RedriveTest, RunsOnAWorkerAlsoForInlineHandlers) {
  Bus bus(options());
  std::vector<std::thread::id> threads;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              threads.push_back(std::this_thread::get_id());
                                              if (threads.size() == 1) throw std::runtime_error("no");
                                            },
                                            {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{});
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(threads.size(), 2U);
  EXPECT_EQ(threads[0], std::this_thread::get_id());
  EXPECT_NE(threads[1], std::this_thread::get_id());
}

TEST_F(RedriveTest, OneRedriveIsOneAttemptWhichTheLetterKeeps) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = {.backoff = constant(1s)}});
  downstream_.break_all();
  bus.publish(OrderPlaced{.order_id = 1});
  advance(1s);
  while (downstream_.calls() < 2) std::this_thread::yield();
  while (letters_->letters().empty()) advance(100ms);
  ASSERT_EQ(downstream_.calls(), 3);
  clock_->set_wall(Timestamp(std::chrono::microseconds(1'900'000'000'000'000)));
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.calls(), 4);
  const DeadLetter letter = letters_->unresolved().at(0);
  EXPECT_EQ(letter.attempts.size(), 4U);
  EXPECT_EQ(letter.retry_count, 3U);
  EXPECT_EQ(letter.reason, Reason::Exhausted);
  EXPECT_EQ(letter.failed_at, clock_->now());
  const auto failures = capture_.records("handler_failed");
  EXPECT_EQ(failures.back().at("attempt"), 4);
  EXPECT_TRUE(failures.back().at("retry_in_ms").is_null());
}

TEST_F(RedriveTest, APermanentFailureChangesTheReason) {
  Bus bus(options());
  bool permanent = false;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) {
    if (permanent) throw Permanent("closed");
    throw std::runtime_error("down");
  });
  bus.publish(OrderPlaced{});
  permanent = true;
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  const DeadLetter letter = letters_->unresolved().at(0);
  EXPECT_EQ(letter.reason, Reason::Permanent);
  EXPECT_EQ(letter.error_message, "closed");
  EXPECT_EQ(letter.error_fingerprint, error_fingerprint("handler", letter.error_type, "closed"));
}

TEST_F(RedriveTest, OnlyWhatTheFilterMeansIsDelivered) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 3);
  EXPECT_EQ(bus.redrive({.ids = {{2}}}).letters, 1U);
  EXPECT_EQ(bus.redrive({.handler = "nobody"}).letters, 0U);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled(), ElementsAre(2));
  EXPECT_THAT(unresolved(), ElementsAre(1, 3));
}

TEST_F(RedriveTest, WhatToolsMarkIsSeenWithinASecondOnAnIdleBus) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1);
  static_cast<void>(letters_->redrives()->mark("shop", {}, {}, clock_->now()));
  advance(1s);
  while (!unresolved().empty()) std::this_thread::yield();
  EXPECT_THAT(downstream_.handled(), ElementsAre(1));
}

TEST_F(RedriveTest, AMarkedLetterWaitsForItsHandler) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1);
  failing.reset();
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(unresolved(), ElementsAre(1));
  auto successor = bus.subscribe<OrderPlaced>("failing", handler());
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled(), ElementsAre(1));
}

TEST_F(RedriveTest, ThousandsOfLettersAreRedrivenWhilePublishingGoesOn) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 1500);
  static_cast<void>(bus.redrive({}, {.canary = 3}));
  for (std::int64_t id = 2001; id <= 2100; ++id) bus.publish(OrderPlaced{.order_id = id});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.handled().size(), 1600U);
  EXPECT_THAT(unresolved(), IsEmpty());
}

TEST_F(RedriveTest, ACanaryThatFailsStopsTheRequest) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 50);
  downstream_.break_order(2);
  const int before = downstream_.calls();
  const auto request = bus.redrive({}, {.canary = 2});
  EXPECT_EQ(request.letters, 50U);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.calls() - before, 2);
  EXPECT_EQ(capture_.only("redrive_stopped").at("redrive_id"), request.id);
  EXPECT_EQ(unresolved().size(), 49U);
  EXPECT_EQ(bus.redrive({}).letters, 49U);
}

TEST_F(RedriveTest, StopsAfterSoManyFailures) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 40);
  downstream_.break_all();
  const int before = downstream_.calls();
  static_cast<void>(bus.redrive({}, {.stop_after = 5}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.calls() - before, 5);
  EXPECT_EQ(capture_.only("redrive_stopped").at("failed"), 5);
}

TEST_F(RedriveTest, KeepsToItsRate) {
  Bus bus(options());
  auto failing = bus.subscribe<OrderPlaced>("failing", handler(), {.retry = once()});
  fail(bus, 1, 4);
  static_cast<void>(bus.redrive({}, {.rate = 2.0}));
  for (std::size_t begun = 1; begun <= 4; ++begun) {
    while (4 - unresolved().size() < begun) std::this_thread::yield();
    ASSERT_TRUE(bus.wait_idle(kLong));
    EXPECT_EQ(4 - unresolved().size(), begun);
    advance(500ms);
  }
}

TEST_F(RedriveTest, RedrivesTakeNoPlaceFromPublishers) {
  Bus bus(options());
  Gate gate;
  bool held = false;
  auto small = bus.subscribe<OrderPlaced>(
      "small",
      [&](const OrderPlaced& order) {
        if (held && order.order_id < 4) gate.pass();
        downstream_.handle(order);
      },
      {.dispatch = Dispatch::Queued, .retry = once(), .queue_capacity = 1, .when_full = WhenFull::Block});
  fail(bus, 1, 3);
  held = true;
  static_cast<void>(bus.redrive({}));
  gate.await_arrival();
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 4}).scheduled, 1U);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(downstream_.handled().size(), 4U);
}

TEST_F(RedriveTest, AHandlerWithManyLettersHoldsUpNoneOfItsNameForAnotherType) {
  Bus bus(options());
  Gate gate;
  std::latch shipped{1};
  std::atomic<bool> healed{false};
  auto slow = bus.subscribe<OrderPlaced>("audit", [&](const OrderPlaced&) {
    if (!healed) throw Permanent("no");
    gate.pass();
  });
  auto other = bus.subscribe<OrderShipped>("audit", [&](const OrderShipped&) {
    if (!healed) throw Permanent("no");
    shipped.count_down();
  });
  for (std::int64_t id = 1; id <= 100; ++id) bus.publish(OrderPlaced{.order_id = id});
  bus.publish(OrderShipped{});
  healed = true;
  static_cast<void>(bus.redrive({}));
  gate.await_arrival();
  advance(1s);  // the next poll
  shipped.wait();
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
}

TEST_F(RedriveTest, AStopLeavesWhatHasNotBegunMarkedForTheNextBus) {
  Gate gate;
  {
    Bus bus(options());
    bool held = false;
    auto slow = bus.subscribe<OrderPlaced>("handler",
                                           [&](const OrderPlaced& order) {
                                             if (held) gate.pass();
                                             downstream_.handle(order);
                                           },
                                           {.retry = once()});
    fail(bus, 1, 5);
    held = true;
    static_cast<void>(bus.redrive({}));
    gate.await_arrival();
    std::jthread opener([&] {
      while (bus.snapshot().accepting) std::this_thread::yield();
      gate.open();
    });
    bus.stop(kLong);
  }
  EXPECT_THAT(downstream_.handled(), ElementsAre(1));
  EXPECT_THAT(unresolved(), ElementsAre(2, 3, 4, 5));
  Bus successor(options());
  auto handler = successor.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& order) { downstream_.handle(order); });
  ASSERT_TRUE(successor.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(RedriveTest, UnsubscribingHandsBackWhatIsQueued) {
  Bus bus(options());
  Gate gate;
  bool held = false;
  auto slow = bus.subscribe<OrderPlaced>("handler",
                                         [&](const OrderPlaced& order) {
                                           if (held) gate.pass();
                                           downstream_.handle(order);
                                         },
                                         {.retry = once()});
  fail(bus, 1, 5);
  held = true;
  static_cast<void>(bus.redrive({}));
  gate.await_arrival();
  std::jthread opener([&] {
    while (!bus.snapshot().handlers.empty()) std::this_thread::yield();
    gate.open();
  });
  slow.reset();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(unresolved(), ElementsAre(2, 3, 4, 5));
}

TEST_F(RedriveTest, TwoBusesShareARequestAndDeliverEachLetterOnce) {
  Bus one(options());
  Bus two(options());
  auto first = one.subscribe<OrderPlaced>("handler", handler(), {.retry = once()});
  fail(one, 1, 600);
  auto second = two.subscribe<OrderPlaced>("handler", handler(), {.retry = once()});
  static_cast<void>(one.redrive({}));
  while (!unresolved().empty()) {
    ASSERT_TRUE(one.wait_idle(kLong));
    ASSERT_TRUE(two.wait_idle(kLong));
  }
  auto handled = downstream_.handled();
  std::sort(handled.begin(), handled.end());
  EXPECT_EQ(std::adjacent_find(handled.begin(), handled.end()), handled.end());
  EXPECT_EQ(handled.size(), 600U);
}

TEST_F(RedriveTest, AHandlerOfAllEventsGetsItsLettersBack) {
  Bus bus(options());
  std::vector<std::string> types;
  bool broken = true;
  auto audit = bus.subscribe_all("audit", [&](const Json&, const EventContext& context) {
    if (broken) throw std::runtime_error("no");
    types.emplace_back(context.event_type());
  });
  bus.publish(OrderPlaced{});
  bus.publish(OrderShipped{});
  broken = false;
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(types, ElementsAre("orders.order_placed", "orders.order_shipped"));
}

TEST_F(RedriveTest, RefusesWhatMakesNoSense) {
  Bus bus(options());
  EXPECT_EQ(error_code_of([&] { bus.redrive({}, {.canary = 0}); }), ErrorCode::InvalidArgument);
  EXPECT_EQ(error_code_of([&] { bus.redrive({}, {.rate = 0.0}); }), ErrorCode::InvalidArgument);
  EXPECT_EQ(error_code_of([&] { bus.redrive({}, {.rate = -1.0}); }), ErrorCode::InvalidArgument);
  EXPECT_EQ(error_code_of([&] { bus.redrive({}, {.stop_after = 0}); }), ErrorCode::InvalidArgument);
  bus.stop(kLong);
  EXPECT_EQ(error_code_of([&] { bus.redrive({}); }), ErrorCode::BusStopped);
  Bus storeless({.service = "shop", .logger = capture_.logger()});
  EXPECT_EQ(error_code_of([&] { storeless.redrive({}); }), ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace tidings::test
