#include "counting/counter_book.hpp"
#include "counting/list_count.hpp"

#include "durable_fixture.hpp"
#include "gate.hpp"
#include "minute_sink.hpp"

#include <numeric>
#include <thread>

namespace tidings::test {
namespace {

constexpr const char* kPlaced = "orders.order_placed";
constexpr const char* kShipped = "orders.order_shipped";

std::uint64_t measured(const DeliveryCounts& counts) {
  return std::accumulate(counts.durations.begin(), counts.durations.end(), std::uint64_t{0});
}

TEST(DurationClass, HasStepsOf125UpTo100SecondsAndOneMore) {
  EXPECT_EQ(duration_class(0us), 0U);
  EXPECT_EQ(duration_class(10us), 0U);
  EXPECT_EQ(duration_class(11us), 1U);
  EXPECT_EQ(duration_class(50us), 2U);
  EXPECT_EQ(duration_class(1ms), 6U);
  EXPECT_EQ(duration_class(100s), 21U);
  EXPECT_EQ(duration_class(101s), 22U);
}

TEST(DurationQuantile, IsTheBoundThatTheShareKept) {
  DurationCounts counts{};
  EXPECT_EQ(duration_quantile(counts, 0.5), std::nullopt);
  counts[duration_class(1ms)] = 99;
  counts[duration_class(1s)] = 1;
  EXPECT_EQ(duration_quantile(counts, 0), 1ms);
  EXPECT_EQ(duration_quantile(counts, 0.5), 1ms);
  EXPECT_EQ(duration_quantile(counts, 0.99), 1ms);
  EXPECT_EQ(duration_quantile(counts, 0.991), 1s);
  counts[22] = 100;
  EXPECT_EQ(duration_quantile(counts, 1), 100s);
}

class CountingTest : public DurableTest {
 protected:
  CountingTest() { use(letters_); }
  void use(std::shared_ptr<LetterSink> letters) { sink_ = std::make_shared<MinuteSink>(std::move(letters)); }
  [[nodiscard]] BusOptions counted() {
    BusOptions result = options();
    result.store = sink_;
    return result;
  }
  [[nodiscard]] DeliveryCounts placed(const std::string& handler) const {
    return sink_->kept(kPlaced, handler);
  }

  std::shared_ptr<MinuteSink> sink_;
};

TEST_F(CountingTest, CountsEachInlineHandlerOfAPublish) {
  Bus bus(counted());
  auto one = bus.subscribe<OrderPlaced>("one", [](const OrderPlaced&) {});
  for (int i = 0; i < 100; ++i) bus.publish(OrderPlaced{});
  auto two = bus.subscribe<OrderPlaced>("two", [](const OrderPlaced&) {});
  for (int i = 0; i < 30; ++i) bus.publish(OrderPlaced{});
  one.reset();
  for (int i = 0; i < 4; ++i) bus.publish(OrderPlaced{});
  bus.stop();
  EXPECT_EQ(placed("").published, 134U);
  EXPECT_EQ(placed("one").handled, 130U);
  EXPECT_EQ(placed("two").handled, 34U);
  EXPECT_EQ(placed("one").failed + placed("one").dead + placed("one").slow, 0U);
  EXPECT_EQ(sink_->services(), (std::set<std::string>{"shop"}));
}

TEST_F(CountingTest, TimesOneInlinePublishIn64OfEachThread) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  std::thread other([&] {
    for (int i = 0; i < 65; ++i) bus.publish(OrderPlaced{});
  });
  other.join();
  for (int i = 0; i < 64; ++i) bus.publish(OrderPlaced{});
  bus.stop();
  EXPECT_EQ(placed("handler").handled, 129U);
  // A thread may count on where another has ended.
  EXPECT_GE(measured(placed("handler")), 2U);
  EXPECT_LE(measured(placed("handler")), 4U);
}

TEST_F(CountingTest, TimesEveryAttemptWithASlowThresholdAndCountsTheSlow) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [this](const OrderPlaced& event) { clock_->advance(event.order_id * 1ms); },
      {.slow_threshold = 5ms});
  for (int order = 1; order <= 10; ++order) bus.publish(OrderPlaced{.order_id = order});
  bus.stop();
  EXPECT_EQ(placed("handler").slow, 5U);
  EXPECT_EQ(measured(placed("handler")), 10U);
  EXPECT_EQ(placed("handler").durations[duration_class(5ms)], 3U);  // 3, 4 and 5
}

TEST_F(CountingTest, CountsFailuresRetriesAndDeathsOfInlineHandlers) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [](const OrderPlaced& event, const EventContext& context) {
                                              if (event.order_id == 1) throw Permanent("never");
                                              if (event.order_id == 2 && context.attempt() < 3)
                                                throw std::runtime_error("not yet");
                                            },
                                            {.retry = {.max_attempts = 3}});
  for (int order = 0; order < 3; ++order) bus.publish(OrderPlaced{.order_id = order});
  bus.stop();
  EXPECT_EQ(placed("").published, 3U);
  EXPECT_EQ(placed("handler").handled, 2U);
  EXPECT_EQ(placed("handler").failed, 3U);
  EXPECT_EQ(placed("handler").dead, 1U);
}

TEST_F(CountingTest, AnInlineDeliveryThatIsRetriedLaterIsHandledOnce) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [](const OrderPlaced&, const EventContext& context) {
                                              if (context.attempt() == 1) throw std::runtime_error("not yet");
                                            },
                                            {.retry = {.max_attempts = 2, .backoff = constant(1s)}});
  EXPECT_EQ(bus.publish(OrderPlaced{}).scheduled, 1U);
  advance(1s);
  ASSERT_TRUE(bus.wait_idle(kLong));
  bus.stop();
  EXPECT_EQ(placed("handler").handled, 1U);
  EXPECT_EQ(placed("handler").failed, 1U);
  EXPECT_EQ(placed("handler").dead, 0U);
}

TEST_F(CountingTest, CountsQueuedDeliveriesWhereTheyEndAndTimesAll) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [](const OrderPlaced& event) {
                                              if (event.order_id % 10 == 0) throw Permanent("never");
                                            },
                                            {.dispatch = Dispatch::Queued, .concurrency = 2});
  for (int order = 0; order < 100; ++order) bus.publish(OrderPlaced{.order_id = order});
  ASSERT_TRUE(bus.wait_idle(kLong));
  bus.stop();
  EXPECT_EQ(placed("").published, 100U);
  EXPECT_EQ(placed("handler").handled, 90U);
  EXPECT_EQ(measured(placed("handler")), 90U);
  EXPECT_EQ(placed("handler").failed, 10U);
  EXPECT_EQ(placed("handler").dead, 10U);
}

TEST_F(CountingTest, WhatAStopTurnsIntoLettersIsDeadAndNotHandled) {
  Gate gate;
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); },
                                            {.dispatch = Dispatch::Queued});
  for (int order = 0; order < 5; ++order) bus.publish(OrderPlaced{.order_id = order});
  gate.await_arrival();
  bus.stop(0ms);
  gate.open();
  bus.stop();
  EXPECT_EQ(placed("").published, 5U);
  EXPECT_EQ(placed("handler").handled, 1U);
  EXPECT_EQ(placed("handler").dead, 4U);
}

TEST_F(CountingTest, ARefusedPublishIsNotCounted) {
  Gate gate;
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { gate.pass(); },
      {.dispatch = Dispatch::Queued, .queue_capacity = 1, .when_full = WhenFull::Throw});
  auto inline_one = bus.subscribe<OrderPlaced>("inline", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::QueueFull);
  gate.open();
  bus.stop();
  EXPECT_EQ(error_code_of([&] { bus.publish(OrderPlaced{}); }), ErrorCode::BusStopped);
  EXPECT_EQ(placed("").published, 1U);
  EXPECT_EQ(placed("inline").handled, 1U);
}

TEST_F(CountingTest, CountsAHandlerOfAllEventsByTheirTypes) {
  Bus bus(counted());
  auto all = bus.subscribe_all("audit", [](const Json&) {});
  auto placed_only = bus.subscribe<OrderPlaced>("placed", [](const OrderPlaced&) {});
  for (int i = 0; i < 70; ++i) bus.publish(OrderPlaced{});
  for (int i = 0; i < 3; ++i) bus.publish(OrderShipped{});
  bus.publish("orders.seen_by_nobody_else", Json::object());
  bus.stop();
  EXPECT_EQ(placed("audit").handled, 70U);
  EXPECT_EQ(placed("placed").handled, 70U);
  EXPECT_EQ(sink_->kept(kShipped, "audit").handled, 3U);
  EXPECT_EQ(sink_->kept(kShipped, "").published, 3U);
  EXPECT_EQ(sink_->kept("orders.seen_by_nobody_else", "audit").handled, 1U);
}

TEST_F(CountingTest, CountsEventsThatNobodySubscribesTo) {
  BusOptions options = counted();
  options.unhandled = Unhandled::DeadLetter;
  Bus bus(std::move(options));
  for (int i = 0; i < 3; ++i) bus.publish(OrderPlaced{});
  bus.stop();
  EXPECT_EQ(placed("").published, 3U);
  EXPECT_EQ(placed("").dead, 3U);
}

TEST_F(CountingTest, CountsDurableDeliveriesAndNoDuplicates) {
  use(journal_);
  BusOptions options = counted();
  options.durability = Durability::ProcessCrash;
  Bus bus(std::move(options));
  auto queued =
      bus.subscribe<OrderPlaced>("queued", [](const OrderPlaced&) {}, {.dispatch = Dispatch::Queued});
  auto inline_one = bus.subscribe<OrderPlaced>("inline", [](const OrderPlaced& event) {
    if (event.order_id == 1) throw Permanent("never");
  });
  for (int order = 0; order < 10; ++order) bus.publish(OrderPlaced{.order_id = order});
  bus.publish(OrderPlaced{}, {.idempotency_key = "once"});
  EXPECT_TRUE(bus.publish(OrderPlaced{}, {.idempotency_key = "once"}).duplicate);
  bus.publish(OrderPlaced{}, {.durability = Durability::None});
  ASSERT_TRUE(bus.wait_idle(kLong));
  bus.stop();
  EXPECT_EQ(placed("").published, 12U);
  EXPECT_EQ(placed("queued").handled, 12U);
  EXPECT_EQ(placed("inline").handled, 11U);
  EXPECT_EQ(placed("inline").failed, 1U);
  EXPECT_EQ(placed("inline").dead, 1U);
}

TEST_F(CountingTest, ARedriveIsHandledOrFails) {
  Bus bus(counted());
  int attempts = 0;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced&) {
                                              if (++attempts < 3) throw std::runtime_error("not yet");
                                            },
                                            {.retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{});
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(bus.redrive({}));
    ASSERT_TRUE(bus.wait_idle(kLong));
  }
  bus.stop();
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(placed("handler").failed, 2U);
  EXPECT_EQ(placed("handler").dead, 1U);
  EXPECT_EQ(placed("handler").handled, 1U);
}

TEST_F(CountingTest, ManyThreadsManyTypesAndSubscriptionsThatComeAndGoAddUp) {
  constexpr int kThreads = 4;
  constexpr int kEvents = 2'000;
  Bus bus(counted());
  std::atomic<std::uint64_t> runs{0};
  auto always = bus.subscribe<OrderPlaced>("always", [](const OrderPlaced&) {});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEvents; ++i) bus.publish(OrderPlaced{.order_id = i});
    });
  }
  for (int i = 0; i < 200; ++i) {
    auto sometimes = bus.subscribe<OrderPlaced>("sometimes", [&](const OrderPlaced& event) {
      if (event.order_id % 7 == 0) throw Permanent("never");
      runs.fetch_add(1);
    });
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
  bus.stop();
  EXPECT_EQ(placed("").published, std::uint64_t{kThreads} * kEvents);
  EXPECT_EQ(placed("always").handled, std::uint64_t{kThreads} * kEvents);
  EXPECT_EQ(placed("sometimes").handled, runs.load());
  EXPECT_EQ(placed("sometimes").dead, letters_->letters().size());
}

TEST_F(CountingTest, MoreListsThanThereAreNearCellsAreCountedAllTheSame) {
  Bus bus(counted());
  std::vector<Subscription> subscriptions;
  const auto type = [](int number) { return "type." + std::to_string(number); };
  constexpr int kTypes = 1'200;
  for (int number = 0; number < kTypes; ++number)
    subscriptions.push_back(bus.subscribe(type(number), "handler", [](const Json&) {}));
  for (int number = 0; number < kTypes; ++number) {
    for (int i = 0; i <= number % 3; ++i) bus.publish(type(number), Json::object());
  }
  bus.stop();
  for (int number = 0; number < kTypes; ++number) {
    const auto times = static_cast<std::uint64_t>(number % 3 + 1);
    ASSERT_EQ(sink_->kept(type(number), "handler").handled, times) << number;
    ASSERT_EQ(sink_->kept(type(number), "").published, times) << number;
  }
}

// --- when it is kept ---

TEST_F(CountingTest, IsKeptWithinASecondAndNotWhileNothingHappens) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  for (int i = 0; i < 20; ++i) advance(100ms);
  clock_->await_waiter();
  EXPECT_EQ(placed("handler").handled, 1U);
  const int flushes = sink_->flushes();
  for (int i = 0; i < 50; ++i) advance(100ms);
  clock_->await_waiter();
  EXPECT_EQ(sink_->flushes(), flushes);
}

TEST_F(CountingTest, WhatASinkRefusesIsKeptLaterInItsMinutes) {
  Bus bus(counted());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  sink_->refuse(Error(ErrorCode::DatabaseBusy, "somebody has it"));
  for (int minute = 0; minute < 5; ++minute) {
    bus.publish(OrderPlaced{});
    for (int i = 0; i < 60; ++i) advance(1s);
  }
  EXPECT_EQ(sink_->keys(), 0U);
  sink_->refuse(std::nullopt);
  bus.stop();
  EXPECT_EQ(placed("handler").handled, 5U);
  EXPECT_GE(sink_->minutes_kept().size(), 4U);
  EXPECT_EQ(capture_.count("counters_lost"), 0U);
}

TEST_F(CountingTest, TellsOfCountsThatTheEndOfTheBusCannotKeep) {
  {
    Bus bus(counted());
    auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    bus.publish(OrderPlaced{});
    sink_->refuse(Error(ErrorCode::DatabaseUnusable, "the disk is gone"));
  }
  const Json lost = capture_.only("counters_lost");
  EXPECT_EQ(lost.at("problem"), "the disk is gone");
  EXPECT_TRUE(lost.at("counts").is_null());
}

TEST_F(CountingTest, ABusWithoutMinutesCountsNothing) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  for (int i = 0; i < 200; ++i) EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  bus.stop();
  EXPECT_EQ(sink_->keys(), 0U);
}

// --- the parts alone ---

TEST(CounterBook, CountsAsLostWhatHasNoPlace) {
  detail::CounterBook book(detail::CounterBook::For::MinutesToo, 2);
  const auto held = book.find("type", "handler");
  const auto one = [](detail::HandlerCount& count) { count.failed(); };
  book.change("type", "handler", one);
  book.change("other", "handler", one);
  book.change("third", "handler", one);
  EXPECT_EQ(book.take_lost(), 1U);
  EXPECT_EQ(book.take_lost(), 0U);
  std::vector<MinuteRow> rows;
  book.gather({}, rows);
  EXPECT_EQ(rows.size(), 2U);
  book.change("third", "handler", one);  // in the place of what nobody holds and has nothing any more
  EXPECT_EQ(book.take_lost(), 0U);
}

TEST(HandlerCount, MakesUpForWhatWasTakenTooMuch) {
  detail::Series series{"type", "handler"};
  detail::HandlerCount count("type", "handler", series);
  const auto collected = [&] {
    count.collect(true);
    return count.take_for_minutes().handled;
  };
  count.handled(2);
  EXPECT_EQ(collected(), 2U);
  count.not_handled();
  EXPECT_EQ(collected(), 0U);
  EXPECT_FALSE(count.is_empty());
  count.handled(3);
  EXPECT_EQ(collected(), 2U);
  EXPECT_TRUE(count.is_empty());
  EXPECT_EQ(series.sum.deliveries.handled, 4U);
}

}  // namespace
}  // namespace tidings::test
