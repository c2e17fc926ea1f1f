#include "durable_fixture.hpp"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

/// Handlers that fail, and publishes that say how often they may.
class MaxAttemptsTest : public DurableTest {
 protected:
  [[nodiscard]] auto fails() {
    return [this](const OrderPlaced&, const EventContext& context) {
      limits_.push_back(context.max_attempts());
      throw std::runtime_error("boom");
    };
  }
  /// `max_attempts` of each attempt that was logged.
  [[nodiscard]] std::vector<int> logged() const {
    std::vector<int> limits;
    for (const Json& record : capture_.records("handler_failed"))
      limits.push_back(record.at("max_attempts").get<int>());
    return limits;
  }

  std::vector<std::uint32_t> limits_;  // what the handlers saw
};

TEST_F(MaxAttemptsTest, APublishMayAllowFewerThanThePolicy) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails(), {.retry = {.max_attempts = 5}});
  EXPECT_EQ(bus.publish(OrderPlaced{}, {.max_attempts = 2}).dead, 1U);
  EXPECT_THAT(limits_, ElementsAre(2, 2));
  EXPECT_THAT(logged(), ElementsAre(2, 2));
  EXPECT_EQ(letters_->letters().at(0).retry_count, 1U);
  EXPECT_EQ(letters_->letters().at(0).reason, Reason::Exhausted);
}

TEST_F(MaxAttemptsTest, OrMore) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails(), {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{}, {.max_attempts = 4});
  EXPECT_THAT(logged(), (ElementsAre(4, 4, 4, 4)));
}

TEST_F(MaxAttemptsTest, OtherPublishesKeepThePolicy) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails());
  bus.publish(OrderPlaced{}, {.max_attempts = 1});
  bus.publish(OrderPlaced{}, {.correlation_id = "request-7"});
  bus.publish(OrderPlaced{});
  EXPECT_THAT(logged(), ElementsAre(1, 3, 3, 3, 3, 3, 3));
}

TEST_F(MaxAttemptsTest, HoldsForEveryHandlerOfTheEvent) {
  Bus bus(options());
  auto one = bus.subscribe<OrderPlaced>("one", fails(), {.retry = {.max_attempts = 1}});
  auto other = bus.subscribe<OrderPlaced>("other", fails(), {.retry = {.max_attempts = 9}});
  EXPECT_EQ(bus.publish(OrderPlaced{}, {.max_attempts = 2}).dead, 2U);
  EXPECT_THAT(logged(), ElementsAre(2, 2, 2, 2));
}

TEST_F(MaxAttemptsTest, WhatElseThePolicySaysHolds) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [](const OrderPlaced&) { throw std::invalid_argument("never"); },
      {.retry = {.max_attempts = 1, .permanent = exception_types<std::invalid_argument>()}});
  bus.publish(OrderPlaced{}, {.max_attempts = 4});
  EXPECT_THAT(logged(), SizeIs(1));
  EXPECT_EQ(letters_->letters().at(0).reason, Reason::Permanent);
}

TEST_F(MaxAttemptsTest, GoesWithTheEventThroughAQueueAndRetriesThatWait) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", fails(),
      {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 1, .backoff = constant(1min)}});
  bus.publish(OrderPlaced{}, {.max_attempts = 3});
  const auto waits = [&] { return bus.snapshot().handlers[0].waiting == 1; };
  for (std::size_t failures = 1; failures < 3; ++failures) {
    while (capture_.count("handler_failed") < failures || !waits()) std::this_thread::yield();
    advance(1min);
  }
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(logged(), ElementsAre(3, 3, 3));
  EXPECT_THAT(limits_, ElementsAre(3, 3, 3));
}

TEST_F(MaxAttemptsTest, GoesWithAnInlineDeliveryThatWaitsForItsRetry) {
  Bus bus(options());
  auto bad =
      bus.subscribe<OrderPlaced>("bad", fails(), {.retry = {.max_attempts = 1, .backoff = constant(1min)}});
  bus.publish(OrderPlaced{}, {.max_attempts = 2});
  advance(1min);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(logged(), ElementsAre(2, 2));
}

TEST_F(MaxAttemptsTest, HoldsForABatchAndForJson) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails());
  bus.publish_batch(std::vector<OrderPlaced>(2), {.max_attempts = 1});
  bus.publish(OrderPlaced::event_type, Json(OrderPlaced{}), {.max_attempts = 2});
  EXPECT_THAT(logged(), ElementsAre(1, 1, 2, 2));
}

TEST_F(MaxAttemptsTest, IsNotInheritedByWhatTheHandlerPublishes) {
  Bus bus(options());
  auto first = bus.subscribe<OrderShipped>("first", [&](const OrderShipped&) { bus.publish(OrderPlaced{}); });
  auto bad = bus.subscribe<OrderPlaced>("bad", fails());
  bus.publish(OrderShipped{}, {.max_attempts = 7});
  EXPECT_THAT(logged(), ElementsAre(3, 3, 3));
}

TEST_F(MaxAttemptsTest, ARedriveIsOneAttemptAllTheSame) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails());
  bus.publish(OrderPlaced{}, {.max_attempts = 2});
  bus.redrive({});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(logged(), ElementsAre(2, 2, 3));
  EXPECT_EQ(letters_->letters().at(0).metadata.max_attempts, 0U);
}

TEST_F(MaxAttemptsTest, OfADurableEventSurvivesACrash) {
  Gate gate;
  {
    Bus bus(durable());
    auto stuck = bus.subscribe<OrderPlaced>("bad", [&](const OrderPlaced&) { gate.pass(); },
                                            {.dispatch = Dispatch::Queued});
    bus.publish(OrderPlaced{}, {.max_attempts = 2});
    auto left = journal_->after_crash();
    gate.open();
    EXPECT_TRUE(bus.wait_idle(kLong));
    journal_ = std::move(left);
  }
  capture_.clear();
  Bus bus(durable());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails(), {.retry = {.max_attempts = 5}});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(logged(), ElementsAre(2, 2));
}

TEST_F(MaxAttemptsTest, NoneAtAllIsRefused) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", fails());
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}, {.max_attempts = 0}); }),
            ErrorCode::InvalidArgument);
  EXPECT_THAT(limits_, SizeIs(0));
}

}  // namespace
}  // namespace tidings::test
