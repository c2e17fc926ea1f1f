#include "bus_fixture.hpp"
#include "captures.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/topics.hpp"

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>

// The invariants that bus/src/subscriptions/hazard.hpp states, and the unsubscribe guarantee that is built on
// them, under load.

namespace tidings::test {
namespace {

using detail::DispatchGuard;
using detail::Subscriber;
using detail::SubscriberList;
using detail::Topics;

/// Records of millions of publishes would only cost time.
BusOptions silent(BusOptions options) {
  options.logger = logging::Logger({.level = logging::Level::Off});
  options.unhandled = Unhandled::Ignore;
  return options;
}

class HazardStressTest : public BusTest {
 protected:
  std::shared_ptr<Subscriber> subscriber(const std::string& handler) {
    auto spec = detail::make_spec<OrderPlaced>(
        OrderPlaced::event_type, handler, [](const OrderPlaced&) {}, SubscribeOptions<OrderPlaced>{});
    return std::make_shared<Subscriber>(std::move(spec), "shop", std::weak_ptr<detail::BusCore>());
  }
  /// Reads whatever list is current, all of it, until told to stop.
  void read(const std::atomic<bool>& done) {
    const std::size_t slot = detail::slot_of<OrderPlaced>();
    while (!done) {
      DispatchGuard guard(setup_);
      const SubscriberList& list = guard.protect(topics_.find(slot).list);
      for (const auto& member : list.subscribers) ASSERT_EQ(member->identity.service, "shop");
    }
  }

  const detail::BusSetup setup_{options()};
  Topics topics_;
};

TEST_F(HazardStressTest, LongListsAreRenewedByWhoReadsThemWhileTheyChange) {
  constexpr std::size_t kAlways = 300;
  for (std::size_t number = 0; number < kAlways; ++number)
    topics_.add(subscriber("always-" + std::to_string(number)));
  std::atomic<bool> done{false};
  std::atomic<std::size_t> reads{0};
  const auto read_current = [&] {
    const std::size_t slot = detail::slot_of<OrderPlaced>();
    for (; !done; ++reads) {
      DispatchGuard guard(setup_);
      const SubscriberList& list = topics_.current(topics_.find(slot), guard);
      ASSERT_FALSE(list.outdated);
      ASSERT_GE(list.subscribers.size(), kAlways);
      for (const auto& member : list.subscribers) ASSERT_EQ(member->identity.service, "shop");
    }
  };
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 3; ++reader) readers.emplace_back(read_current);
  for (int round = 0; round < 1000 || reads < 1000; ++round) {
    const auto changing = subscriber("changing");
    topics_.add(changing);
    ASSERT_TRUE(topics_.remove(*changing));
  }
  done = true;
  readers.clear();
  topics_.add(subscriber("last"));
  EXPECT_EQ(topics_.retired(), 0U);
}

TEST_F(HazardStressTest, ReplacedListsAreFreedWhileOthersRead) {
  std::atomic<bool> done{false};
  constexpr std::size_t kReaders = 3;
  std::vector<std::jthread> readers;
  for (std::size_t i = 0; i < kReaders; ++i) readers.emplace_back([&] { read(done); });
  topics_.add(subscriber("always"));
  std::size_t most_retired = 0;
  for (int round = 0; round < 50'000; ++round) {
    const auto changing = subscriber("changing");
    topics_.add(changing);
    EXPECT_TRUE(topics_.remove(*changing));
    if (round % 64 == 0) most_retired = std::max(most_retired, topics_.retired());
  }
  done = true;
  readers.clear();
  EXPECT_LE(most_retired, kReaders);
  topics_.add(subscriber("last"));
  EXPECT_EQ(topics_.retired(), 0U);
}

TEST_F(HazardStressTest, AListStaysWhileAnyLevelOfNestingReadsIt) {
  topics_.add(subscriber("handler 0"));
  const std::size_t slot = detail::slot_of<OrderPlaced>();
  constexpr std::size_t kLevels = 40;  // several blocks of slots
  std::vector<std::unique_ptr<DispatchGuard>> guards;
  std::vector<const SubscriberList*> lists;
  for (std::size_t level = 0; level < kLevels; ++level) {
    guards.push_back(std::make_unique<DispatchGuard>(setup_));
    lists.push_back(&guards.back()->protect(topics_.find(slot).list));
    topics_.add(subscriber("handler " + std::to_string(level + 1)));
  }
  EXPECT_EQ(topics_.retired(), kLevels);
  for (std::size_t level = 0; level < kLevels; ++level)
    EXPECT_EQ(lists[level]->subscribers.size(), level + 1);
  while (!guards.empty()) guards.pop_back();
  topics_.add(subscriber("last"));
  EXPECT_EQ(topics_.retired(), 0U);
}

TEST_F(HazardStressTest, RecordsOfThreadsThatEndedAreUsedAgain) {
  const auto records = [] {
    std::size_t count = 0;
    for (auto* record = detail::first_record(); record != nullptr; record = record->next()) ++count;
    return count;
  };
  const auto visit = [&] { std::jthread([&] { const DispatchGuard guard(setup_); }).join(); };
  visit();
  const std::size_t before = records();
  for (int i = 0; i < 500; ++i) visit();
  EXPECT_EQ(records(), before);
}

TEST_F(HazardStressTest, SubscribersThatComeAndGoCostTheOthersNoEvent) {
  Bus bus(silent(options()));
  std::atomic<std::size_t> steady_runs{0};
  std::atomic<std::size_t> published{0};
  auto steady = bus.subscribe<OrderPlaced>("steady", [&](const OrderPlaced&) { ++steady_runs; });
  std::atomic<bool> done{false};
  std::vector<std::jthread> publishers;
  for (int i = 0; i < 2; ++i) {
    publishers.emplace_back([&] {
      for (; !done; ++published) bus.publish(OrderPlaced{});
    });
  }
  for (int round = 0; round < 20'000; ++round) {
    auto brief = bus.subscribe<OrderPlaced>("brief", [](const OrderPlaced&) {});
  }
  done = true;
  publishers.clear();
  EXPECT_EQ(steady_runs, published);
}

/// What one life of a handler may see: it must not run before nor after.
struct Life {
  std::atomic<int> inside{0};
  std::atomic<bool> over{false};
};

class UnsubscribeStressTest : public BusTest {
 protected:
  /// Publishers run all the time; the handler comes and goes. After each reset it must be inside nowhere,
  /// begin nowhere, and be freed.
  void let_handlers_come_and_go(int rounds, const SubscribeOptions<OrderPlaced>& how) {
    Bus bus(silent(options()));
    std::vector<Life> lives(static_cast<std::size_t>(rounds));
    std::atomic<bool> done{false};
    std::vector<std::jthread> publishers;
    for (int i = 0; i < 2; ++i) {
      publishers.emplace_back([&] {
        while (!done) bus.publish(OrderPlaced{});
      });
    }
    for (Life& life : lives) live_once(bus, life, how);
    done = true;
    publishers.clear();
    EXPECT_EQ(ran_when_over_, 0);
    EXPECT_GT(runs_, 0);
  }

 private:
  void live_once(Bus& bus, Life& life, const SubscribeOptions<OrderPlaced>& how) {
    Captures captures;
    auto subscription = bus.subscribe<OrderPlaced>(
        "handler",
        [this, &life, kept = captures.take()](const OrderPlaced&) {
          ++life.inside;
          if (life.over) ++ran_when_over_;
          if (*kept != 0) ++ran_when_over_;  // a read after it was freed is for the sanitizers to find
          ++runs_;
          if (life.over) ++ran_when_over_;
          --life.inside;
        },
        how);
    const int before = runs_;
    // The first life waits for its first run: on a busy machine publishers come late.
    for (int turn = 0; (turn < 5 || before == 0) && runs_ == before; ++turn) std::this_thread::yield();
    subscription.reset();
    life.over = true;
    ASSERT_EQ(life.inside, 0);
    ASSERT_TRUE(captures.freed());
  }

  std::atomic<int> runs_{0};
  std::atomic<int> ran_when_over_{0};
};

TEST_F(UnsubscribeStressTest, AfterResetAnInlineHandlerRunsNowhereAndIsFreed) {
  let_handlers_come_and_go(2000, {});
}

TEST_F(UnsubscribeStressTest, AfterResetAQueuedHandlerRunsNowhereAndIsFreed) {
  let_handlers_come_and_go(500, {.dispatch = Dispatch::Queued, .queue_capacity = 8});
}

TEST_F(UnsubscribeStressTest, HandlersThatResetEachOtherAreFreedByTheLastOneOut) {
  Bus bus(silent(options()));
  for (int round = 0; round < 300; ++round) {
    Captures captures;
    Subscription victim;
    std::latch start(3);
    victim = bus.subscribe<OrderPlaced>(
        "victim", [kept = captures.take()](const OrderPlaced&) { std::this_thread::yield(); });
    auto killer = bus.subscribe<OrderShipped>("killer", [&](const OrderShipped&) { victim.reset(); });
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
          start.arrive_and_wait();
          for (int n = 0; n < 5; ++n) bus.publish(OrderPlaced{});
        });
      }
      start.arrive_and_wait();
      bus.publish(OrderShipped{});
    }
    ASSERT_TRUE(captures.freed());
  }
}

}  // namespace
}  // namespace tidings::test
