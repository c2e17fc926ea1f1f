#include "bus_fixture.hpp"

#include <atomic>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

class RetryDeliveryTest : public BusTest {};

TEST_F(RetryDeliveryTest, RetriesAtOnceWithoutBackoff) {
  Bus bus(options());
  int attempts = 0;
  auto flaky = bus.subscribe<OrderPlaced>("flaky", [&](const OrderPlaced&, const EventContext& context) {
    EXPECT_EQ(context.attempt(), static_cast<std::uint32_t>(++attempts));
    if (attempts < 3) throw std::runtime_error("not yet");
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_EQ(attempts, 3);
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(RetryDeliveryTest, GivesUpAfterTheLastAttemptWithTheWholeHistory) {
  Bus bus(options());
  int attempts = 0;
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [&](const OrderPlaced&) { throw std::runtime_error("failure " + std::to_string(++attempts)); });
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 5, .customer = "Ada"}).dead, 1U);
  ASSERT_EQ(letters_->letters().size(), 1U);
  const DeadLetter letter = letters_->letters()[0];
  EXPECT_EQ(letter.reason, Reason::Exhausted);
  EXPECT_EQ(letter.retry_count, 2U);
  ASSERT_EQ(letter.attempts.size(), 3U);
  EXPECT_EQ(letter.attempts[0].error_message, "failure 1");
  EXPECT_EQ(letter.error_message, "failure 3");
  EXPECT_EQ(letter.error_type, "std::runtime_error");
  EXPECT_EQ(letter.failed_at, clock_->now());
}

TEST_F(RetryDeliveryTest, WhatHasEndedDoesNotCountAsWaiting) {
  BusOptions real = options();
  real.clock = system_clock();
  Bus bus(real);
  auto flaky = bus.subscribe<OrderPlaced>("flaky",
                                          [](const OrderPlaced&, const EventContext& context) {
                                            if (context.attempt() == 1) throw std::runtime_error("later");
                                          },
                                          {.retry = {.backoff = constant(1ms)}});
  for (int round = 0; round < 500; ++round) {
    bus.publish(OrderPlaced{});
    ASSERT_TRUE(bus.wait_idle(kLong));
    ASSERT_EQ(bus.snapshot().handlers[0].waiting, 0U) << "round " << round;
  }
}

TEST_F(RetryDeliveryTest, DelayedRetriesDoNotBlockThePublisherAndRunOnAWorker) {
  Bus bus(options());
  std::vector<std::thread::id> threads;
  auto flaky = bus.subscribe<OrderPlaced>("flaky",
                                          [&](const OrderPlaced& e) {
                                            EXPECT_EQ(e.customer, "Ada");
                                            threads.push_back(std::this_thread::get_id());
                                            if (threads.size() < 3) throw std::runtime_error("later");
                                          },
                                          {.retry = {.backoff = exponential(100ms, 10s)}});
  EXPECT_EQ(bus.publish(OrderPlaced{.customer = "Ada"}).scheduled, 1U);
  EXPECT_EQ(bus.snapshot().handlers[0].waiting, 1U);
  advance(100ms);
  const auto waits = [&] { return bus.snapshot().handlers[0].waiting == 1; };
  while (capture_.count("handler_failed") < 2 || !waits()) std::this_thread::yield();
  advance(200ms);
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(threads.size(), 3U);
  EXPECT_EQ(threads[0], std::this_thread::get_id());
  EXPECT_NE(threads[1], std::this_thread::get_id());
}

TEST_F(RetryDeliveryTest, ADelayedRetryIsNotServedBeforeItsTime) {
  Bus bus(options());
  std::atomic<int> attempts{0};
  auto flaky = bus.subscribe<OrderPlaced>("flaky",
                                          [&](const OrderPlaced&) {
                                            if (++attempts == 1) throw std::runtime_error("later");
                                          },
                                          {.retry = {.backoff = constant(1s)}});
  bus.publish(OrderPlaced{});
  advance(999ms);
  EXPECT_FALSE(bus.wait_idle(20ms));
  EXPECT_EQ(attempts, 1);
  advance(1ms);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(attempts, 2);
}

TEST_F(RetryDeliveryTest, PermanentIsNotRetried) {
  Bus bus(options());
  int attempts = 0;
  auto bad = bus.subscribe<OrderPlaced>("bad", [&](const OrderPlaced&) {
    ++attempts;
    throw Permanent("the account is closed");
  });
  bus.publish(OrderPlaced{});
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::Permanent);
  EXPECT_EQ(letters_->letters()[0].retry_count, 0U);
}

TEST_F(RetryDeliveryTest, ListedTypesAndWhatDerivesFromThemAreNotRetried) {
  Bus bus(options());
  int attempts = 0;
  auto bad = bus.subscribe<OrderPlaced>("bad",
                                        [&](const OrderPlaced&) {
                                          ++attempts;
                                          throw std::out_of_range("id");
                                        },
                                        {.retry = {.permanent = exception_types<std::logic_error>()}});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::Permanent);
}

TEST_F(RetryDeliveryTest, APredicateDecidesWhatIsRetried) {
  Bus bus(options());
  int attempts = 0;
  const auto only_runtime_errors = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error&) {
      return true;
    } catch (...) {
      return false;
    }
  };
  auto bad = bus.subscribe<OrderPlaced>("bad",
                                        [&](const OrderPlaced&) {
                                          if (++attempts == 1) throw std::runtime_error("again");
                                          throw std::logic_error("never");
                                        },
                                        {.retry = {.max_attempts = 5, .retry_if = only_runtime_errors}});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(attempts, 2);
}

TEST_F(RetryDeliveryTest, APredicateThatThrowsCostsNoRetries) {
  Bus bus(options());
  int attempts = 0;
  auto bad =
      bus.subscribe<OrderPlaced>("bad",
                                 [&](const OrderPlaced&) {
                                   ++attempts;
                                   throw std::runtime_error("x");
                                 },
                                 {.retry = {.retry_if = [](const std::exception_ptr&) -> bool { throw 1; }}});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(attempts, 3);
}

TEST_F(RetryDeliveryTest, RetryAfterTakesThePlaceOfTheBackoff) {
  Bus bus(options());
  std::atomic<int> attempts{0};
  auto limited = bus.subscribe<OrderPlaced>("limited", [&](const OrderPlaced&) {
    if (++attempts == 1) throw RetryAfter(7s, "429");
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  EXPECT_EQ(capture_.only("handler_failed").at("retry_in_ms"), 7000.0);
  advance(7s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(attempts, 2);
}

TEST_F(RetryDeliveryTest, ANegativeRetryAfterMeansAtOnce) {
  Bus bus(options());
  int attempts = 0;
  auto limited = bus.subscribe<OrderPlaced>("limited", [&](const OrderPlaced&) {
    if (++attempts == 1) throw RetryAfter(-5s);
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(RetryDeliveryTest, NoAttemptBeginsAfterGiveUpAfter) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [](const OrderPlaced&) { throw std::runtime_error("x"); },
      {.retry = {.max_attempts = 10, .backoff = constant(400ms), .give_up_after = 1s}});
  bus.publish(OrderPlaced{});
  for (std::size_t failures = 1; failures < 3; ++failures) {
    while (capture_.count("handler_failed") < failures) std::this_thread::yield();
    advance(400ms);
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].attempts.size(), 3U);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::Exhausted);
}

TEST_F(RetryDeliveryTest, AnythingThrownCounts) {
  Bus bus(options());
  auto number = bus.subscribe<OrderPlaced>("number", [](const OrderPlaced&) { throw 42; });
  auto text = bus.subscribe<OrderPlaced>("text", [](const OrderPlaced&) { throw "plain text"; });
  auto null =
      bus.subscribe<OrderPlaced>("null", [](const OrderPlaced&) { throw static_cast<const char*>(nullptr); });
  auto string =
      bus.subscribe<OrderPlaced>("string", [](const OrderPlaced&) { throw std::string("a string"); });
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 4U);
  const auto letters = letters_->letters();
  EXPECT_EQ(letters[0].error_type, "int");
  EXPECT_EQ(letters[0].error_message, "not a std::exception");
  EXPECT_EQ(letters[1].error_message, "plain text");
  EXPECT_EQ(letters[2].error_message, "not a std::exception");
  EXPECT_EQ(letters[3].error_message, "a string");
}

TEST_F(RetryDeliveryTest, ANestedExceptionIsNamedWithWhatItWasThrownFrom) {
  Bus bus(options());
  auto charging = bus.subscribe<OrderPlaced>("charge", [](const OrderPlaced&) {
    try {
      throw std::out_of_range("no such card");
    } catch (...) {
      std::throw_with_nested(Permanent("the charge failed"));
    }
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U);
  const DeadLetter letter = letters_->letters().at(0);
  EXPECT_EQ(letter.error_type, "tidings::Permanent");
  EXPECT_EQ(letter.error_message, "the charge failed; caused by std::out_of_range: no such card");
  EXPECT_EQ(letter.reason, Reason::Permanent);
  EXPECT_EQ(capture_.only("handler_failed").at("error"), letter.error_message);
  EXPECT_EQ(capture_.only("handler_failed").at("error_type"), letter.error_type);
}

TEST_F(RetryDeliveryTest, ALongHistoryKeepsItsBeginningAndItsEnd) {
  Bus bus(options());
  int attempts = 0;
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [&](const OrderPlaced&) { throw std::runtime_error(std::to_string(++attempts)); },
      {.retry = {.max_attempts = 250}});
  bus.publish(OrderPlaced{});
  const DeadLetter letter = letters_->letters()[0];
  EXPECT_EQ(letter.retry_count, 249U);
  ASSERT_EQ(letter.attempts.size(), 100U);
  EXPECT_EQ(letter.attempts[0].error_message, "1");
  EXPECT_EQ(letter.attempts[49].error_message, "50");
  EXPECT_EQ(letter.attempts[50].error_message, "201");
  EXPECT_EQ(letter.attempts[99].error_message, "250");
}

TEST_F(RetryDeliveryTest, ManyWaitingRetriesAreBoundedAndAPublishPastTheBoundIsRefused) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [](const OrderPlaced&) { throw std::runtime_error("x"); },
      {.retry = {.backoff = constant(1h)}, .queue_capacity = 3, .when_full = WhenFull::Throw});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::QueueFull);
}

struct Speechless : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};

TEST_F(RetryDeliveryTest, AnExceptionWhoseWhatIsNullIsALetterLikeAnyOther) {
  Bus bus(options());
  auto mute = bus.subscribe<OrderPlaced>("mute", [](const OrderPlaced&) { throw Speechless(); },
                                         {.retry = {.max_attempts = 1}});
  EXPECT_EQ(bus.publish(OrderPlaced{}).dead, 1U);
  EXPECT_EQ(letters_->letters().at(0).error_message, "(no message: what() returned a null pointer)");
}

TEST_F(RetryDeliveryTest, TheLongestRetryAfterIsNoRetryAtOnce) {
  int calls = 0;
  Bus bus(options());
  auto later = bus.subscribe<OrderPlaced>("later", [&](const OrderPlaced&) {
    ++calls;
    throw RetryAfter(std::chrono::milliseconds::max());
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  EXPECT_EQ(calls, 1);
}

TEST_F(RetryDeliveryTest, TheLongestGiveUpAfterGivesUpNoEarlier) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>(
      "bad", [](const OrderPlaced&) { throw std::runtime_error("x"); },
      {.retry = {.max_attempts = 3, .give_up_after = std::chrono::milliseconds::max()}});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(letters_->letters().at(0).retry_count, 2U);
}

TEST_F(RetryDeliveryTest, AnEventThatCannotBeCopiedIsALetterInsteadOfADelayedRetry) {
  Bus bus(options());
  auto flaky =
      bus.subscribe<Uncopyable>("flaky", [](const Uncopyable&) { throw std::runtime_error("later"); },
                                {.retry = {.backoff = exponential(100ms, 10s)}});
  EXPECT_EQ(bus.publish(Uncopyable{}).dead, 1U);
  ASSERT_EQ(letters_->letters().size(), 1U);
  const DeadLetter letter = letters_->letters()[0];
  EXPECT_EQ(letter.reason, Reason::Exhausted);
  EXPECT_EQ(Json::parse(letter.data.bytes).at("order_id"), 7);
  EXPECT_EQ(letter.error_message,
            "later (gave up: the event's copy constructor threw, so it cannot wait for a retry)");
}

}  // namespace
}  // namespace tidings::test
