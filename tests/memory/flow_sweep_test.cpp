#include "bus/gate.hpp"
#include "contracts/xor_cipher.hpp"
#include "memory/shop.hpp"

#include <tidings/metrics.hpp>

#include <SQLiteCpp/Database.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

// Short memory in what goes beyond one publish: batches, transactions, redrives, subscriptions that come and
// go, stops, and starts that find something owed.

namespace tidings::memory {
namespace {

constexpr std::int64_t kTwins = 20'000;

class FlowSweepTest : public ScarceMemoryTest, public testing::WithParamInterface<Whose> {
 protected:
  /// Runs `body` with the number of an order again and again, until its shortage passes by. `body` makes that
  /// shortage with scarce().
  template <class Body>
  void sweep_whole(Body body) {
    for (const std::uint64_t burst : {std::uint64_t{1}, std::uint64_t{20}}) {
      bool reached = true;
      for (std::uint64_t nth = 1; reached && !HasFatalFailure(); nth += (burst + 1) / 2) {
        SCOPED_TRACE("burst of " + std::to_string(burst) + " from allocation " + std::to_string(nth));
        const std::int64_t order = next_order_++;
        ASSERT_LT(order, kTwins);
        body(order, [&](auto act) {
          const ScarceMemory scarce(GetParam(), nth, burst);
          try {
            act();
          } catch (const std::bad_alloc&) {
            // The caller knows; whether anything is lost shows in the end.
          }
          reached = scarce.was_reached();
        });
        accepted_.push_back(order);
      }
    }
  }
  /// Leaves an order in the journal, owed to the handler `later`.
  void leave_owed(const BusOptions& options, std::int64_t order) {
    test::Gate gate;
    Bus bus(options);
    bus.subscribe<Order>("later",
                         [&](const Order& event) {
                           if (event.number >= kTwins) gate.pass();
                         },
                         {.dispatch = Dispatch::Queued})
        .keep();
    bus.publish(Order{order + kTwins});
    gate.await_arrival();
    bus.publish(Order{order});
    EXPECT_EQ(bus.stop(0ms).left_in_journal, 2U);
    gate.open();
  }
  /// Starts in short memory after each life that left an order, and once more in case that could not.
  template <class LeaveOwed>
  void sweep_starts(const BusOptions& options, LeaveOwed leave) {
    const auto done = done_by("later");
    const auto subscribe = [&](Bus& bus) {
      bus.subscribe<Order>("later", done, {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50}})
          .keep();
    };
    sweep_whole([&](std::int64_t order, auto scarce) {
      leave(order);
      scarce([&] {
        Bus bus(options);
        subscribe(bus);
        const Plenty plenty;
        EXPECT_TRUE(bus.wait_idle(kLong));
      });
      Bus bus(options);
      subscribe(bus);
      ASSERT_TRUE(bus.wait_idle(kLong));
    });
    expect_each_order_settled_once({"later"});
  }
  /// Redrives a letter again and again, in short memory.
  void sweep_redrives(const BusOptions& options) {
    Bus bus(options);
    std::atomic<bool> broken{false};
    const auto done = done_by("mends");
    bus.subscribe<Order>("mends",
                         [&](const Order& order) {
                           if (broken) throw Permanent("broken");
                           done(order);
                         },
                         {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 1}})
        .keep();
    sweep(bus, GetParam(), [&](std::int64_t order) {
      {
        const Plenty plenty;
        broken = true;
        bus.publish(Order{order});
        ASSERT_TRUE(bus.wait_idle(kLong));
        broken = false;
      }
      bus.redrive({.handler = "mends"});
    });
    bus.redrive({.handler = "mends"});
    ASSERT_TRUE(bus.wait_idle(kLong));
    for (std::int64_t order = 0; order < next_order_; ++order)
      ASSERT_EQ(done_["mends"][static_cast<std::size_t>(order)], 1) << order;
    EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL"), "0");
  }
  /// The same as leave_owed(), after attempts that failed.
  void leave_owed_after_failures(const BusOptions& options, std::int64_t order) {
    test::Gate gate;
    Bus bus(options);
    bus.subscribe<Order>(
           "later",
           [&](const Order&, const EventContext& context) {
             if (context.attempt() == 3) gate.pass();
             throw std::runtime_error("not yet");
           },
           {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50, .backoff = constant(1ms)}})
        .keep();
    bus.publish(Order{order});
    gate.await_arrival();
    EXPECT_EQ(bus.stop(0ms).left_in_journal, 1U);
    gate.open();
  }
};

INSTANTIATE_TEST_SUITE_P(Whose, FlowSweepTest, testing::Values(Whose::Caller, Whose::Others),
                         [](const auto& whose) {
                           return whose.param == Whose::Caller ? "Caller" : "Others";
                         });

TEST_P(FlowSweepTest, ABatch) {
  const std::vector<std::string> handlers = {"queued", "keyed", "parks"};
  Bus bus(options(Durability::ProcessCrash));
  subscribe_queued(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) {
    std::optional<std::array<Order, 2>> batch;
    {
      const Plenty plenty;
      batch = {Order{order}, Order{order + kTwins}};
    }
    bus.publish_batch(*batch);
  });
  expect_each_order_settled_once(handlers);
  for (const std::string& handler : handlers) {
    for (std::size_t order = 0; order < static_cast<std::size_t>(next_order_); ++order)
      ASSERT_EQ(done_[handler][order + kTwins], done_[handler][order]) << handler << ", order " << order;
  }
}

TEST_P(FlowSweepTest, ATransactionOfTheApplications) {
  Bus bus(options(Durability::ProcessCrash));
  subscribe_queued(bus);
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE, 5000);
  const auto run = [&](const char* sql) {
    const Plenty plenty;
    application.exec(sql);
  };
  sweep(bus, GetParam(), [&](std::int64_t order) {
    run("BEGIN IMMEDIATE");
    try {
      deadletter::publish_in(application.getHandle(), bus, Order{order});
    } catch (...) {
      run("ROLLBACK");
      throw;
    }
    run("COMMIT");
    bus.notify();
  });
  expect_each_order_settled_once({"queued", "keyed", "parks"});
}

TEST_P(FlowSweepTest, ATransactionOfAHandlers) {
  Bus bus(options(Durability::ProcessCrash));
  execute("CREATE TABLE ledger (number INTEGER)");
  subscribe_bank(bus);
  sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  EXPECT_EQ(query("SELECT count(*) FROM ledger"), std::to_string(accepted_.size()));
  EXPECT_EQ(query("SELECT count(DISTINCT number) FROM ledger"), std::to_string(accepted_.size()));
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal"), "0");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "0");
}

TEST_P(FlowSweepTest, ATransactionOfAHandlersThatPublishesToNobody) {
  BusOptions wanted = options(Durability::ProcessCrash);
  wanted.unhandled = Unhandled::DeadLetter;
  {
    Bus bus(wanted);
    bus.subscribe<Order>("asks",
                         [&](const Order& order, const EventContext& context) {
                           static_cast<void>(deadletter::transaction(context).connection());
                           bus.publish(HiddenOrder{order.number});
                         },
                         {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50}})
        .keep();
    sweep(bus, GetParam(), [&](std::int64_t order) { bus.publish(Order{order}); });
  }
  const std::string accepted = std::to_string(accepted_.size());
  EXPECT_EQ(query("SELECT count(DISTINCT json_extract(event_data, '$.number')) FROM dead_letters"), accepted);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), accepted);
  EXPECT_EQ(query("SELECT sum(dead) FROM tidings_minutes"), accepted);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal"), "0");
}

TEST_P(FlowSweepTest, ARedrive) { sweep_redrives(options(Durability::ProcessCrash)); }

TEST_P(FlowSweepTest, ASubscriptionThatComesAndGoes) {
  Bus bus(options(Durability::None));
  const auto done = done_by("comes");
  sweep(bus, GetParam(), [&](std::int64_t order) {
    auto comes =
        bus.subscribe<Order>("comes", done, {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50}});
    bus.publish(Order{order});
    comes.reset();
  });
  expect_each_order_settled_once({"comes"});
}

TEST_P(FlowSweepTest, AStopWithARetryThatWaits) {
  const BusOptions wanted = options(Durability::None);
  static_cast<void>(done_["waits"]);
  sweep_whole([&](std::int64_t order, auto scarce) {
    Bus bus(wanted);
    bus.subscribe<Order>("waits", fails(), {.retry = {.max_attempts = 2, .backoff = constant(1h)}}).keep();
    bus.publish(Order{order});
    scarce([&] { bus.stop(kLong); });
  });
  expect_each_order_settled_once({"waits"});
}

TEST_P(FlowSweepTest, AStopThatKeepsWhatWasCounted) {
  const BusOptions wanted = options(Durability::None);
  sweep_whole([&](std::int64_t order, auto scarce) {
    Bus bus(wanted);
    bus.subscribe<Order>("counted", done_by("counted")).keep();
    bus.publish(Order{order});
    scarce([&] { bus.stop(kLong); });
  });
  EXPECT_EQ(query("SELECT sum(handled) FROM tidings_minutes WHERE handler = 'counted'"),
            std::to_string(accepted_.size()));
  EXPECT_EQ(query("SELECT sum(published) FROM tidings_minutes WHERE handler = ''"),
            std::to_string(accepted_.size()));
}

/// Of what is subscribed, by whom, and of what nobody subscribes to.
TEST_P(FlowSweepTest, MetricsThatAreReadAndSeriesThatBegin) {
  BusOptions wanted = options(Durability::None);
  wanted.unhandled = Unhandled::Ignore;
  Bus bus(std::move(wanted));
  std::uint64_t published = 0;
  std::uint64_t by_name = 0;
  std::uint64_t handled = 0;
  const auto handle = [&](const Json&) { ++handled; };
  sweep(bus, GetParam(), [&](std::int64_t order) {
    std::string type;
    Json data;
    {
      const Plenty plenty;
      type = "type." + std::to_string(order);
      data = Json{{"number", order}};
    }
    bus.publish(type, data);
    ++by_name;
    const auto subscription = bus.subscribe(type, "handler", handle);
    bus.publish(type, data);
    ++published;
    static_cast<void>(bus.metrics());
  });
  std::uint64_t counted = 0;
  const Metrics metrics = bus.metrics();
  for (const TypeMetrics& each : metrics.types) counted += each.published;
  EXPECT_EQ(counted, by_name + published);
  counted = 0;
  for (const HandlerMetrics& each : metrics.handlers) counted += each.handled;
  EXPECT_EQ(counted, handled);
  EXPECT_EQ(handled, published);
}

TEST_P(FlowSweepTest, AStartThatFindsSomethingOwed) {
  const BusOptions wanted = options(Durability::ProcessCrash);
  sweep_starts(wanted, [&](std::int64_t order) { leave_owed(wanted, order); });
}

TEST_P(FlowSweepTest, AStartThatFindsSomethingOwedAfterFailures) {
  const BusOptions wanted = options(Durability::ProcessCrash);
  sweep_starts(wanted, [&](std::int64_t order) { leave_owed_after_failures(wanted, order); });
}

TEST_P(FlowSweepTest, AStartThatFindsAnEncryptedEventOwed) {
  const BusOptions wanted =
      options(Durability::ProcessCrash, {std::make_shared<contract::XorCipher>(), {"shop.order"}});
  sweep_starts(wanted, [&](std::int64_t order) { leave_owed(wanted, order); });
}

TEST_P(FlowSweepTest, ARedriveOfEncryptedLetters) {
  sweep_redrives(options(Durability::None, {std::make_shared<contract::XorCipher>(), {"shop.order"}}));
}

TEST_P(FlowSweepTest, AStartThatOwesDeathsOfAMaskedEvent) {
  const BusOptions wanted = options(Durability::ProcessCrash);
  sweep_whole([&](std::int64_t order, auto scarce) {
    {
      test::Gate gate;
      Bus bus(wanted);
      bus.subscribe<HiddenOrder>("dies", [&](const HiddenOrder&) { gate.pass(); },
                                 {.dispatch = Dispatch::Queued})
          .keep();
      bus.publish(HiddenOrder{order + kTwins});
      gate.await_arrival();
      bus.publish(HiddenOrder{order});
      EXPECT_EQ(bus.stop(0ms).left_in_journal, 2U);
      gate.open();
    }
    const auto dies = [](const HiddenOrder&) { throw Permanent("no"); };
    scarce([&] {
      Bus bus(wanted);
      bus.subscribe<HiddenOrder>("dies", dies, {.dispatch = Dispatch::Queued}).keep();
      const Plenty plenty;
      EXPECT_TRUE(bus.wait_idle(kLong));
    });
    Bus bus(wanted);
    bus.subscribe<HiddenOrder>("dies", dies, {.dispatch = Dispatch::Queued}).keep();
    ASSERT_TRUE(bus.wait_idle(kLong));
  });
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal"), "0");
  EXPECT_EQ(query("SELECT group_concat(DISTINCT json_extract(event_data, '$.note')) FROM dead_letters"),
            "[masked]");
  EXPECT_EQ(query("SELECT group_concat(DISTINCT data_encoding) FROM dead_letters"), "masked");
}

}  // namespace
}  // namespace tidings::memory
