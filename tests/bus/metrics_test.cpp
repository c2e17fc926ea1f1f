#include "counting/counter_book.hpp"

#include "durable_fixture.hpp"
#include "gate.hpp"
#include "minute_sink.hpp"

#include <tidings/metrics.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <optional>
#include <thread>

// What Bus::metrics() says, and that it agrees with minutes and letters.

namespace tidings::test {
namespace {

constexpr const char* kPlaced = "orders.order_placed";

TypeMetrics type_of(const Metrics& metrics, std::string_view event_type) {
  const auto found = std::find_if(metrics.types.begin(), metrics.types.end(),
                                  [&](const auto& each) { return each.event_type == event_type; });
  return found == metrics.types.end() ? TypeMetrics{"missing"} : *found;
}

HandlerMetrics handler_of(const Metrics& metrics, std::string_view handler,
                          std::string_view event_type = kPlaced) {
  const auto found = std::find_if(metrics.handlers.begin(), metrics.handlers.end(), [&](const auto& each) {
    return each.event_type == event_type && each.handler == handler;
  });
  return found == metrics.handlers.end() ? HandlerMetrics{"missing", "missing"} : *found;
}

std::uint64_t published(const Metrics& metrics) {
  return std::accumulate(metrics.types.begin(), metrics.types.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& each) { return sum + each.published; });
}

/// Of all classes but those of the given durations: none.
DurationHistogram histogram_of(std::initializer_list<std::chrono::microseconds> durations) {
  DurationHistogram histogram;
  for (const auto duration : durations) {
    ++histogram.counts[duration_class(duration)];
    histogram.sum += duration;
  }
  return histogram;
}

class MetricsTest : public DurableTest {
 protected:
  [[nodiscard]] BusOptions measured() {
    BusOptions result = options();
    result.telemetry.metrics = true;
    return result;
  }
  /// With a store that keeps minutes, too.
  [[nodiscard]] BusOptions with_minutes() {
    BusOptions result = options();
    result.store = minutes_;
    return result;
  }

  std::shared_ptr<MinuteSink> minutes_ = std::make_shared<MinuteSink>(letters_);
};

TEST_F(MetricsTest, SayWhetherDeliveriesAreCounted) {
  EXPECT_FALSE(Bus(options()).metrics().counted);
  EXPECT_TRUE(Bus(measured()).metrics().counted);
  EXPECT_TRUE(Bus(with_minutes()).metrics().counted);
}

TEST_F(MetricsTest, SaySinceWhenTheyCountAndWhenTheyWereRead) {
  const Timestamp began = clock_->now();
  const Bus bus(measured());
  clock_->advance(5s);
  EXPECT_EQ(bus.metrics().began_at, began);
  EXPECT_EQ(bus.metrics().read_at, began + 5s);
}

TEST_F(MetricsTest, OfABusThatCountsNoDeliveriesHaveItsLoadAndLetters) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) { throw Permanent("never"); });
  bus.publish(OrderPlaced{});
  const Metrics metrics = bus.metrics();
  EXPECT_TRUE(metrics.types.empty());
  ASSERT_EQ(metrics.handlers.size(), 1U);
  EXPECT_EQ(metrics.handlers.front().handler, "handler");
  EXPECT_EQ(metrics.handlers.front().failed, 0U);
  EXPECT_EQ(metrics.letters.of(Reason::Permanent), 1U);
  EXPECT_EQ(metrics.letters.unresolved->letters, 1U);
  EXPECT_EQ(metrics.letters.unresolved->oldest_failed_at, clock_->now());
}

TEST_F(MetricsTest, OfThreadsThatPublishAreExactlyWhatTheyPublished) {
  constexpr int kThreads = 8;
  constexpr int kEvents = 3'000;
  Bus bus(measured());
  auto fast = bus.subscribe<OrderPlaced>("fast", [](const OrderPlaced&) {});
  auto queued =
      bus.subscribe<OrderPlaced>("queued", [](const OrderPlaced&) {}, {.dispatch = Dispatch::Queued});
  auto fails = bus.subscribe<OrderPlaced>("fails", [](const OrderPlaced& event) {
    if (event.order_id % 10 == 0) throw Permanent("never");
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int order = 0; order < kEvents; ++order) {
        bus.publish(OrderPlaced{.order_id = order});
        if (order % 3 == 0) bus.publish(OrderShipped{});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(bus.wait_idle(kLong));
  const Metrics metrics = bus.metrics();
  constexpr auto kAll = std::uint64_t{kThreads} * kEvents;
  EXPECT_EQ(type_of(metrics, kPlaced).published, kAll);
  EXPECT_EQ(type_of(metrics, kOtherSeries).published, kAll / 3);
  EXPECT_EQ(handler_of(metrics, "fast").handled, kAll);
  EXPECT_EQ(handler_of(metrics, "queued").handled, kAll);
  EXPECT_EQ(handler_of(metrics, "queued").durations.count(), kAll);
  EXPECT_EQ(handler_of(metrics, "queued").queue_waits.count(), kAll);
  EXPECT_EQ(handler_of(metrics, "fails").handled, kAll / 10 * 9);
  EXPECT_EQ(handler_of(metrics, "fails").failed, kAll / 10);
  EXPECT_EQ(handler_of(metrics, "fails").dead, kAll / 10);
  EXPECT_EQ(metrics.letters.of(Reason::Permanent), kAll / 10);
  EXPECT_EQ(letters_->letters().size(), kAll / 10);
}

TEST_F(MetricsTest, NeverFallWhileThreadsPublishAndHandlersFail) {
  Bus bus(measured());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced& event) {
    if (event.order_id % 2 == 0) throw Permanent("never");
  });
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    for (int order = 0; order < 5'000; ++order) bus.publish(OrderPlaced{.order_id = order});
    done = true;
  });
  Metrics before = bus.metrics();
  while (!done) {
    Metrics now = bus.metrics();
    EXPECT_GE(type_of(now, kPlaced).published, type_of(before, kPlaced).published);
    EXPECT_GE(handler_of(now, "handler").handled, handler_of(before, "handler").handled);
    EXPECT_GE(handler_of(now, "handler").failed, handler_of(before, "handler").failed);
    before = std::move(now);
  }
  publisher.join();
  bus.publish(OrderPlaced{.order_id = 1});  // makes up for the one that was counted while it failed
  EXPECT_EQ(type_of(bus.metrics(), kPlaced).published, 5'001U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handled, 2'501U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").dead, 2'500U);
}

// --- which series there are ---

TEST_F(MetricsTest, SeriesBeginAtZeroAndStayWhenTheSubscriptionIsGone) {
  Bus bus(measured());
  EXPECT_EQ(bus.metrics().handlers.size(), 1U);
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  EXPECT_EQ(type_of(bus.metrics(), kPlaced).published, 0U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handled, 0U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handler, "handler");
  for (int i = 0; i < 100; ++i) bus.publish(OrderPlaced{});
  handler.reset();
  bus.publish(OrderPlaced{});
  EXPECT_EQ(type_of(bus.metrics(), kPlaced).published, 101U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handled, 100U);
  auto again = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handled, 101U);
}

TEST_F(MetricsTest, WhatWasPublishedBeforeTheFirstSubscriptionStaysWithTheOthers) {
  for (const bool minutes : {false, true}) {
    Bus bus(minutes ? with_minutes() : measured());
    for (int i = 0; i < 3; ++i) bus.publish(OrderPlaced{});
    auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    for (int i = 0; i < 5; ++i) bus.publish(OrderPlaced{});
    EXPECT_EQ(type_of(bus.metrics(), kOtherSeries).published, 3U);
    EXPECT_EQ(type_of(bus.metrics(), kPlaced).published, 5U);
  }
}

TEST_F(MetricsTest, AHandlerOfAllEventsHasOneSeries) {
  for (const bool minutes : {false, true}) {
    Bus bus(minutes ? with_minutes() : measured());
    bus.publish("a.type", Json::object());
    auto all = bus.subscribe_all("audit", [](const Json&) {});
    auto placed = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    for (int i = 0; i < 70; ++i) bus.publish(OrderPlaced{});
    bus.publish("a.type", Json::object());
    const Metrics metrics = bus.metrics();
    EXPECT_EQ(handler_of(metrics, "audit", "*").handled, 71U);
    EXPECT_EQ(handler_of(metrics, "handler").handled, 70U);
    EXPECT_EQ(metrics.handlers.size(), 3U);
    EXPECT_EQ(handler_of(metrics, kOtherSeries, kOtherSeries).handled, 0U);
  }
}

TEST_F(MetricsTest, AHundredThousandTypesThatAreNotSubscribedAreOneSeries) {
  constexpr int kTypes = 100'000;
  for (const bool minutes : {false, true}) {
    BusOptions wanted = minutes ? with_minutes() : measured();
    wanted.unhandled = Unhandled::Ignore;
    Bus bus(std::move(wanted));
    auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
    const Json data = Json::object();
    for (int type = 0; type < kTypes; ++type) bus.publish("type." + std::to_string(type), data);
    const Metrics metrics = bus.metrics();
    EXPECT_EQ(metrics.types.size(), 2U);
    EXPECT_EQ(published(metrics), std::uint64_t{kTypes});
    EXPECT_EQ(type_of(metrics, kOtherSeries).published, std::uint64_t{kTypes});
    EXPECT_EQ(metrics.counts_lost > 0, minutes);  // of the rows alone
  }
}

TEST_F(MetricsTest, SubscriptionsBeyondAThousandShareASeries) {
  constexpr int kTypes = 1'100;
  for (const bool minutes : {false, true}) {
    Bus bus(minutes ? with_minutes() : measured());
    std::vector<Subscription> subscriptions;
    for (int type = 0; type < kTypes; ++type)
      subscriptions.push_back(bus.subscribe("type." + std::to_string(type), "handler", [](const Json&) {}));
    for (int type = 0; type < kTypes; ++type) bus.publish("type." + std::to_string(type), Json::object());
    const Metrics metrics = bus.metrics();
    EXPECT_EQ(metrics.types.size(), 1'001U);
    EXPECT_EQ(metrics.handlers.size(), 1'001U);
    EXPECT_EQ(published(metrics), std::uint64_t{kTypes});
    EXPECT_EQ(type_of(metrics, kOtherSeries).published, 100U);
    EXPECT_EQ(handler_of(metrics, kOtherSeries, kOtherSeries).handled, 100U);
  }
}

TEST_F(MetricsTest, ASubscriptionThatIsNamedLikeTheOthersSharesTheirSeries) {
  Bus bus(measured());
  auto other = bus.subscribe("other", "other", [](const Json&) {});
  bus.publish("other", Json::object());
  bus.publish("unknown", Json::object());
  const Metrics metrics = bus.metrics();
  ASSERT_EQ(metrics.types.size(), 1U);
  ASSERT_EQ(metrics.handlers.size(), 1U);
  EXPECT_EQ(metrics.types.front().published, 2U);
  EXPECT_EQ(metrics.handlers.front().handled, 1U);
}

// --- one source ---

TEST_F(MetricsTest, MinutesAndLettersAgree) {
  Bus bus(with_minutes());
  auto all = bus.subscribe_all("audit", [](const Json&) {});
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [](const OrderPlaced& event, const EventContext& context) {
                                              if (event.order_id % 7 == 0) throw Permanent("never");
                                              if (event.order_id % 5 == 0 && context.attempt() < 3)
                                                throw std::runtime_error("not yet");
                                            },
                                            {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 3}});
  Metrics between;
  for (int order = 1; order <= 100; ++order) {
    bus.publish(OrderPlaced{.order_id = order});
    bus.publish("unsubscribed.type", Json::object());
    if (order == 50) between = bus.metrics();
    if (order % 30 == 0) advance(1s);  // some of it is gathered meanwhile
  }
  ASSERT_TRUE(bus.wait_idle(kLong));
  bus.stop();
  const Metrics metrics = bus.metrics();
  EXPECT_EQ(type_of(metrics, kPlaced).published, minutes_->kept(kPlaced, "").published);
  EXPECT_EQ(type_of(metrics, kOtherSeries).published, minutes_->kept("unsubscribed.type", "").published);
  const DeliveryCounts kept = minutes_->kept(kPlaced, "handler");
  const HandlerMetrics counted = handler_of(metrics, "handler");
  EXPECT_EQ(counted.handled, kept.handled);
  EXPECT_EQ(counted.failed, kept.failed);
  EXPECT_EQ(counted.dead, kept.dead);
  EXPECT_EQ(counted.durations.counts, kept.durations);
  EXPECT_EQ(handler_of(metrics, "audit", "*").handled, 200U);
  EXPECT_EQ(counted.handled, 86U);
  EXPECT_EQ(counted.retried, 2U * 18U);
  EXPECT_EQ(counted.failed, 2U * 18U + 14U);
  EXPECT_EQ(metrics.letters.of(Reason::Permanent), 14U);
  EXPECT_EQ(letters_->letters().size(), 14U);
  EXPECT_EQ(type_of(between, kPlaced).published, 50U);
}

TEST_F(MetricsTest, HaveRepeatsRedrivesAndLettersByReason) {
  BusOptions wanted = durable();
  wanted.telemetry.metrics = true;
  wanted.unhandled = Unhandled::DeadLetter;
  Bus bus(std::move(wanted));
  std::atomic<bool> mended{false};
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) {
    if (!mended) throw std::runtime_error("broken");
  });
  bus.publish(OrderPlaced{}, {.idempotency_key = "once"});
  bus.publish(OrderPlaced{}, {.idempotency_key = "once"});
  bus.publish(OrderShipped{});
  ASSERT_TRUE(bus.wait_idle(kLong));
  Metrics metrics = bus.metrics();
  EXPECT_EQ(metrics.duplicates, 1U);
  EXPECT_EQ(metrics.letters.of(Reason::Exhausted), 1U);
  EXPECT_EQ(metrics.letters.of(Reason::Unhandled), 1U);
  EXPECT_EQ(type_of(metrics, kOtherSeries).dead, 1U);
  EXPECT_EQ(handler_of(metrics, "handler").dead, 1U);
  ASSERT_TRUE(metrics.journal.has_value());
  EXPECT_EQ(metrics.journal->problem, "");
}

TEST_F(MetricsTest, CountRedrivesByWhatBecameOfThem) {
  Bus bus(measured());
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
  EXPECT_EQ(bus.metrics().letters.unresolved->letters, 0U);
  EXPECT_EQ(bus.metrics().letters.redriven, 1U);
  EXPECT_EQ(bus.metrics().letters.redrives_failed, 1U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").retried, 0U);
}

// --- durations ---

TEST_F(MetricsTest, HaveHowLongDeliveriesWaitedInTheirQueueAndTook) {
  Gate gate;
  Bus bus(measured());
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event, const EventContext& context) {
                                              if (event.order_id == 1) gate.pass();
                                              clock_->advance(20ms);
                                              if (context.attempt() == 1 && event.order_id == 2)
                                                throw std::runtime_error("not yet");
                                            },
                                            {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 2}});
  bus.publish(OrderPlaced{.order_id = 1});
  gate.await_arrival();
  bus.publish(OrderPlaced{.order_id = 2});
  clock_->advance(300ms);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  const HandlerMetrics counted = handler_of(bus.metrics(), "handler");
  EXPECT_EQ(counted.queue_waits, histogram_of({0ms, 320ms}));
  EXPECT_EQ(counted.durations, histogram_of({320ms, 20ms}));
}

TEST_F(MetricsTest, HaveHowLongCommitsTook) {
  BusOptions wanted = durable();
  Bus bus(std::move(wanted));
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  const DurationHistogram before = bus.metrics().commits;
  journal_->before_commit = [&](const JournalBatch& batch) {
    if (!batch.appended.empty()) clock_->advance(7ms);
  };
  bus.publish(OrderPlaced{});
  const DurationHistogram after = bus.metrics().commits;
  journal_->before_commit = nullptr;
  EXPECT_EQ(after.counts[duration_class(7ms)], before.counts[duration_class(7ms)] + 1);
  EXPECT_EQ(after.sum, before.sum + 7ms);
}

// --- the load ---

TEST_F(MetricsTest, HaveTheLoadOfTheSnapshotAndWhatTheJournalOwes) {
  Gate gate;
  BusOptions wanted = durable();
  wanted.telemetry.metrics = true;
  Bus bus(std::move(wanted));
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) { gate.pass(); },
                                            {.dispatch = Dispatch::Queued});
  const Timestamp first = clock_->now();
  bus.publish(OrderPlaced{});
  gate.await_arrival();
  clock_->advance(1s);
  bus.publish(OrderPlaced{});
  bus.publish(OrderPlaced{});
  const Metrics metrics = bus.metrics();
  const HandlerMetrics load = handler_of(metrics, "handler");
  EXPECT_EQ(load.running, 1U);
  EXPECT_EQ(load.queued, 2U);
  EXPECT_EQ(load.waiting, 0U);
  EXPECT_EQ(load.owed, 3U);
  EXPECT_EQ(load.oldest_owed, first);
  EXPECT_EQ(metrics.workers, 2U);
  EXPECT_GE(metrics.workers_busy, 1U);
  EXPECT_TRUE(metrics.accepting);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(handler_of(bus.metrics(), "handler").owed, 0U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").oldest_owed, std::nullopt);
  handler.reset();
  EXPECT_EQ(handler_of(bus.metrics(), "handler").running, 0U);
  EXPECT_EQ(handler_of(bus.metrics(), "handler").handled, 3U);
  bus.stop();
  EXPECT_FALSE(bus.metrics().accepting);
}

}  // namespace
}  // namespace tidings::test
