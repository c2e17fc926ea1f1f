#include "bus_fixture.hpp"
#include "captures.hpp"
#include "gate.hpp"
#include "held_order.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace tidings::test {
namespace {

using testing::ElementsAre;

/// Remembers in which order the orders of each customer were handled. Thread-safe.
class Journey {
 public:
  void add(const OrderPlaced& order) {
    const std::lock_guard lock(mutex_);
    seen_[order.customer].push_back(order.order_id);
  }
  std::vector<std::int64_t> of(const std::string& customer) {
    const std::lock_guard lock(mutex_);
    return seen_[customer];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::int64_t>> seen_;  // guarded by mutex_
};

class OrderingKeyTest : public BusTest {
 protected:
  static SubscribeOptions<OrderPlaced> by_customer(RetryPolicy retry = {}) {
    return {.dispatch = Dispatch::Queued,
            .retry = std::move(retry),
            .concurrency = 4,
            .ordering_key = [](const OrderPlaced& e) { return e.customer; }};
  }
  BusOptions four_workers() {
    auto result = options();
    result.workers = 4;
    return result;
  }
  void await_failures(std::size_t count) const {
    while (capture_.count("handler_failed") < count) std::this_thread::yield();
  }
  std::vector<std::pair<std::int64_t, Reason>> letters_of(const std::string& customer) const {
    std::vector<std::pair<std::int64_t, Reason>> result;
    for (const DeadLetter& letter : letters_->letters()) {
      if (letter.ordering_key != customer) continue;
      result.emplace_back(Json::parse(letter.data.bytes).at("order_id"), letter.reason);
    }
    return result;
  }

  Journey journey_;
};

TEST_F(OrderingKeyTest, EachKeyKeepsItsOrderWhateverTheConcurrency) {
  Bus bus(four_workers());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& e) { journey_.add(e); }, by_customer());
  constexpr int kKeys = 8;
  constexpr std::int64_t kEach = 200;
  for (std::int64_t id = 0; id < kEach; ++id) {
    for (int key = 0; key < kKeys; ++key)
      bus.publish(OrderPlaced{.order_id = id, .customer = std::to_string(key)});
  }
  ASSERT_TRUE(bus.wait_idle(kLong));
  for (int key = 0; key < kKeys; ++key) {
    const auto seen = journey_.of(std::to_string(key));
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  }
}

TEST_F(OrderingKeyTest, DeliveriesOfOneKeyNeverRunAtTheSameTime) {
  Bus bus(four_workers());
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced&) {
        most = std::max(most.load(), ++inside);
        std::this_thread::yield();
        --inside;
      },
      by_customer());
  for (int i = 0; i < 500; ++i) bus.publish(OrderPlaced{.customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(most, 1);
}

TEST_F(OrderingKeyTest, DifferentKeysRunAtTheSameTime) {
  Bus bus(four_workers());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { gate.pass(); }, by_customer());
  for (const char* customer : {"Ada", "Ben", "Cy", "Di", "Ada"})
    bus.publish(OrderPlaced{.customer = customer});
  for (int i = 0; i < 4; ++i) gate.await_arrival();
  EXPECT_EQ(bus.snapshot().handlers[0].running, 4U);
  EXPECT_EQ(bus.snapshot().handlers[0].waiting, 1U);  // the second of Ada's
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
}

TEST_F(OrderingKeyTest, AWaitingRetryHoldsBackItsOwnKeyAndNothingElse) {
  Bus bus(four_workers());
  std::atomic<bool> broken{true};
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& e) {
        if (e.customer == "Ada" && broken) throw std::runtime_error("not now");
        journey_.add(e);
      },
      by_customer({.backoff = constant(1s)}));
  for (std::int64_t id = 1; id <= 3; ++id) {
    bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
    bus.publish(OrderPlaced{.order_id = id, .customer = "Ben"});
  }
  await_failures(1);
  while (journey_.of("Ben").size() < 3) std::this_thread::yield();
  EXPECT_THAT(journey_.of("Ada"), ElementsAre());
  broken = false;
  advance(1s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(journey_.of("Ada"), ElementsAre(1, 2, 3));
  EXPECT_THAT(journey_.of("Ben"), ElementsAre(1, 2, 3));
}

TEST_F(OrderingKeyTest, OrderIsKeptWhenEveryDeliveryNeedsARetry) {
  Bus bus(four_workers());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& e, const EventContext& context) {
        if (context.attempt() == 1) throw std::runtime_error("not now");
        journey_.add(e);
      },
      by_customer({.backoff = constant(1s)}));
  for (std::int64_t id = 1; id <= 4; ++id) bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
  for (std::size_t failures = 1; failures <= 4; ++failures) {
    await_failures(failures);
    while (bus.snapshot().handlers[0].running > 0) std::this_thread::yield();
    advance(1s);
  }
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(journey_.of("Ada"), ElementsAre(1, 2, 3, 4));
}

TEST_F(OrderingKeyTest, AfterADeathLaterDeliveriesGoOnByDefault) {
  Bus bus(four_workers());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& e) {
        if (e.order_id == 1) throw Permanent("bad");
        journey_.add(e);
      },
      by_customer());
  for (std::int64_t id = 1; id <= 3; ++id) bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(journey_.of("Ada"), ElementsAre(2, 3));
  EXPECT_THAT(letters_of("Ada"), ElementsAre(std::pair(1, Reason::Permanent)));
}

TEST_F(OrderingKeyTest, ParkedDeliveriesAreLettersBehindTheDeadOneInOrder) {
  Bus bus(four_workers());
  Gate gate;
  auto parking = by_customer();
  parking.after_death = AfterDeath::Park;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& e) {
        if (e.customer == "Ada") gate.pass();
        if (e.customer == "Ada") throw Permanent("bad");
        journey_.add(e);
      },
      std::move(parking));
  for (std::int64_t id = 1; id <= 3; ++id) bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
  gate.await_arrival();
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(bus.publish(OrderPlaced{.order_id = 4, .customer = "Ada"}).scheduled, 1U);
  bus.publish(OrderPlaced{.order_id = 5, .customer = "Ben"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(letters_of("Ada"), ElementsAre(std::pair(1, Reason::Permanent), std::pair(2, Reason::Parked),
                                             std::pair(3, Reason::Parked), std::pair(4, Reason::Parked)));
  EXPECT_THAT(journey_.of("Ben"), ElementsAre(5));
}

TEST_F(OrderingKeyTest, ParkedLettersStayInOrderWhilePublishingGoesOn) {
  for (int round = 0; round < 30; ++round) {
    letters_ = std::make_shared<MemoryLetterSink>();
    Bus bus(four_workers());
    auto parking = by_customer();
    parking.after_death = AfterDeath::Park;
    auto handler = bus.subscribe<OrderPlaced>(
        "handler", [&](const OrderPlaced&) { throw Permanent("bad"); }, std::move(parking));
    for (std::int64_t id = 0; id < 100; ++id) bus.publish(OrderPlaced{.order_id = id, .customer = "Ada"});
    ASSERT_TRUE(bus.wait_idle(kLong));
    const auto letters = letters_of("Ada");
    ASSERT_EQ(letters.size(), 100U);
    EXPECT_TRUE(
        std::is_sorted(letters.begin(), letters.end(), [](auto a, auto b) { return a.first < b.first; }));
  }
}

TEST_F(OrderingKeyTest, WhatIsPublishedWhileThoseBehindADeadOneAreMadeLettersComesBehindThem) {
  Bus bus(options());
  Gate death;
  Gate making_second;
  auto handler = bus.subscribe<HeldOrder>("handler",
                                          [&](const HeldOrder&) {
                                            death.pass();
                                            throw Permanent("bad");
                                          },
                                          {.dispatch = Dispatch::Queued,
                                           .ordering_key = [](const HeldOrder& e) { return e.customer; },
                                           .after_death = AfterDeath::Park});
  bus.publish(HeldOrder{.order_id = 1, .customer = "Ada"});
  bus.publish(HeldOrder{.order_id = 2, .customer = "Ada", .gate = &making_second});
  bus.publish(HeldOrder{.order_id = 3, .customer = "Ada"});
  death.await_arrival();
  death.open();
  making_second.await_arrival();
  EXPECT_EQ(bus.publish(HeldOrder{.order_id = 4, .customer = "Ada"}).scheduled, 1U);
  making_second.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(letters_of("Ada"), ElementsAre(std::pair(1, Reason::Permanent), std::pair(2, Reason::Parked),
                                             std::pair(3, Reason::Parked), std::pair(4, Reason::Parked)));
}

TEST_F(OrderingKeyTest, KeysThatDiedInAnEarlierLifeAreParkedToo) {
  const auto parking = [] {
    auto result = by_customer();
    result.after_death = AfterDeath::Park;
    return result;
  };
  {
    Bus bus(four_workers());
    auto failing = bus.subscribe<OrderPlaced>(
        "handler", [](const OrderPlaced&) { throw Permanent("bad"); }, parking());
    bus.publish(OrderPlaced{.order_id = 1, .customer = "Ada"});
    ASSERT_TRUE(bus.wait_idle(kLong));
  }
  Bus bus(four_workers());
  auto healthy = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& e) { journey_.add(e); }, parking());
  bus.publish(OrderPlaced{.order_id = 2, .customer = "Ada"});
  bus.publish(OrderPlaced{.order_id = 3, .customer = "Ben"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(letters_of("Ada"), ElementsAre(std::pair(1, Reason::Permanent), std::pair(2, Reason::Parked)));
  EXPECT_THAT(journey_.of("Ben"), ElementsAre(3));
}

TEST_F(OrderingKeyTest, AKeyWhoseLetterStillWaitsForItsCommitIsParkedToo) {
  Bus bus(four_workers());
  // It does not park, so it has no look at dead keys, which commits the letters that wait.
  auto first = bus.subscribe<OrderPlaced>(
      "handler", [](const OrderPlaced&) { throw Permanent("bad"); }, by_customer());
  bus.publish(OrderPlaced{.order_id = 1, .customer = "Ada"});
  while (bus.snapshot().letters_pending == 0)
    std::this_thread::yield();  // the clock stands still: not committed
  first.reset();
  auto parking = by_customer();
  parking.after_death = AfterDeath::Park;
  auto second = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& e) { journey_.add(e); }, parking);
  bus.publish(OrderPlaced{.order_id = 2, .customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(journey_.of("Ada"), ElementsAre());
  EXPECT_THAT(letters_of("Ada"), ElementsAre(std::pair(1, Reason::Permanent), std::pair(2, Reason::Parked)));
}

TEST_F(OrderingKeyTest, AnExtractorThatThrowsRefusesThePublishBeforeAnythingIsDelivered) {
  Bus bus(options());
  int runs = 0;
  auto inline_handler = bus.subscribe<OrderPlaced>("inline", [&](const OrderPlaced&) { ++runs; });
  auto keyed = bus.subscribe<OrderPlaced>("keyed", [&](const OrderPlaced&) { ++runs; },
                                          {.dispatch = Dispatch::Queued,
                                           .queue_capacity = 1,
                                           .when_full = WhenFull::Throw,
                                           .ordering_key = [](const OrderPlaced& e) -> std::string {
                                             if (e.customer.empty())
                                               throw std::invalid_argument("no customer");
                                             return e.customer;
                                           }});
  for (int i = 0; i < 3; ++i) EXPECT_THROW(bus.publish(OrderPlaced{}), std::invalid_argument);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(bus.publish(OrderPlaced{.customer = "Ada"}).scheduled, 1U);  // no place was lost
}

TEST_F(OrderingKeyTest, JsonThatDoesNotFitTheStructHasNoKeyAndIsADeadLetter) {
  Bus bus(options());
  int others = 0;
  auto keyed = bus.subscribe<OrderPlaced>(
      "keyed", [](const OrderPlaced&) { FAIL(); }, by_customer());
  auto other = bus.subscribe("orders.order_placed", "other", [&](const Json&) { ++others; });
  EXPECT_EQ(bus.publish("orders.order_placed", Json{{"order_id", "seven"}}).scheduled, 1U);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(others, 1);
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].reason, Reason::Undecodable);
}

TEST_F(OrderingKeyTest, TheCapturesOfTheExtractorAndOfRetryIfAreFreedWithTheHandler) {
  Bus bus(options());
  Captures of_extractor;
  Captures of_predicate;
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [](const OrderPlaced&) {},
      {.dispatch = Dispatch::Queued,
       .retry = {.retry_if = [kept = of_predicate.take()](const std::exception_ptr&) { return true; }},
       .ordering_key = [kept = of_extractor.take()](const OrderPlaced& e) { return e.customer; }});
  bus.publish(OrderPlaced{.customer = "Ada"});
  handler.reset();
  EXPECT_TRUE(of_extractor.freed());
  EXPECT_TRUE(of_predicate.freed());
}

TEST_F(OrderingKeyTest, ResetWaitsForAnExtractorThatRuns) {
  Bus bus(options());
  Gate gate;
  std::atomic<bool> left{false};
  auto handler =
      bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {},
                                 {.dispatch = Dispatch::Queued, .ordering_key = [&](const OrderPlaced&) {
                                    gate.pass();
                                    left = true;
                                    return std::string("key");
                                  }});
  std::jthread publisher([&] { bus.publish(OrderPlaced{}); });
  gate.await_arrival();
  std::jthread opener([&] {
    while (!bus.snapshot().handlers.empty()) std::this_thread::yield();
    gate.open();
  });
  handler.reset();
  EXPECT_TRUE(left);
}

TEST_F(OrderingKeyTest, TheLetterOfAnEndlessChainKeepsItsKey) {
  auto shallow = options();
  shallow.max_causation_depth = 1;
  Bus bus(shallow);
  auto loop = bus.subscribe<OrderPlaced>(
      "loop", [&](const OrderPlaced& event) { bus.publish(event); }, by_customer());
  bus.publish(OrderPlaced{.order_id = 1, .customer = "ada"});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(letters_->letters().size(), 1U);
  EXPECT_EQ(letters_->letters()[0].ordering_key, "ada");
}

}  // namespace
}  // namespace tidings::test
