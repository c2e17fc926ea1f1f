#include "durable_fixture.hpp"
#include "gate.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

namespace tidings::test {
namespace {

using ::testing::ElementsAre;

/// Calls `read` whenever somebody asks for the time of day.
class WatchedClock final : public Clock {
 public:
  explicit WatchedClock(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}
  [[nodiscard]] Timestamp now() const noexcept override {
    if (read) read();
    return clock_->now();
  }
  [[nodiscard]] Instant monotonic_now() const noexcept override { return clock_->monotonic_now(); }
  void wait_until(Signal& signal, Instant deadline) override { clock_->wait_until(signal, deadline); }

  std::function<void()> read;

 private:
  const std::shared_ptr<Clock> clock_;
};

/// The order in which one publisher's events come to a queue. The parameter: whether they have one key.
class QueueOrderTest : public RecoveryTest, public testing::WithParamInterface<bool> {
 protected:
  [[nodiscard]] static SubscribeOptions<OrderPlaced> narrow(std::size_t capacity) {
    SubscribeOptions<OrderPlaced> result{.dispatch = Dispatch::Queued, .queue_capacity = capacity};
    if (GetParam()) result.ordering_key = [](const OrderPlaced&) { return std::string("key"); };
    return result;
  }
  [[nodiscard]] static std::vector<OrderPlaced> six() { return {{1}, {2}, {3}, {4}, {5}, {6}}; }
  [[nodiscard]] static SubscribeOptions<OrderPlaced> parked() {
    return {.dispatch = Dispatch::Queued,
            .ordering_key = [](const OrderPlaced&) { return std::string("dead"); },
            .after_death = AfterDeath::Park};
  }
  /// An inline handler that publishes order 2 for order 1, and 3 for 2.
  [[nodiscard]] static auto publishes_next(Bus& bus, Durability durability) {
    return [&bus, durability](const OrderPlaced& event) {
      if (event.order_id < 3) bus.publish(OrderPlaced{event.order_id + 1}, {.durability = durability});
    };
  }
  [[nodiscard]] BusOptions watched() {
    BusOptions result = durable();
    result.clock = watched_clock_;
    return result;
  }
  void await_seen(std::size_t count) const {
    while (seen_.orders().size() < count) std::this_thread::yield();
  }

  std::shared_ptr<WatchedClock> watched_clock_ = std::make_shared<WatchedClock>(clock_);
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAKey, QueueOrderTest, testing::Bool(),
                         [](const auto& keyed) { return keyed.param ? "Keyed" : "Unkeyed"; });

TEST_P(QueueOrderTest, ABatchThatDoesNotFitStaysInOrderWhileAnInlineHandlerIsSlow) {
  Bus bus(durable());
  Gate gate;
  auto slow = bus.subscribe<OrderPlaced>("slow", [&](const OrderPlaced& event) {
    if (event.order_id == 2) gate.pass();
  });
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), narrow(2));
  std::thread publisher([&] { bus.publish_batch(six()); });
  gate.await_arrival();
  await_seen(5);
  gate.open();
  publisher.join();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_P(QueueOrderTest, TheJournalIsNotReadPastWhatItsPublisherHasYetToQueue) {
  std::atomic<int> reads{0};
  std::atomic<bool> publishing{false};
  int letters = 0;
  journal_->after_read = [&](const OwedQuery& query) { reads += query.handler == "handler" ? 1 : 0; };
  journal_->before_commit = [&](const JournalBatch& batch) { publishing = batch.appended.size() == 6; };
  Bus bus(watched());
  auto parking = bus.subscribe<OrderPlaced>(
      "parking", [](const OrderPlaced&) { throw Permanent("its key is dead"); }, parked());
  bus.publish(OrderPlaced{0});
  EXPECT_TRUE(bus.wait_idle(kLong));
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), narrow(2));
  EXPECT_TRUE(bus.wait_idle(kLong));
  // Orders 1 and 2 are parked, and so have letters, each just before it is pushed to the handler.
  watched_clock_->read = [&, publisher = std::this_thread::get_id()] {
    if (!publishing || std::this_thread::get_id() != publisher || ++letters != 2) return;
    await_seen(1);
    for (const int enough = reads + 2; reads < enough; std::this_thread::yield()) bus.notify();
  };
  bus.publish_batch(six());
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_P(QueueOrderTest, WhatAnInlineHandlerPublishesDurablyComesAfterTheEventThatItHandles) {
  Bus bus(durable());
  auto nested = bus.subscribe<OrderPlaced>("nested", publishes_next(bus, Durability::ProcessCrash));
  auto handler = bus.subscribe<OrderPlaced>("handler", sees(), narrow(9));
  bus.publish(OrderPlaced{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 2, 3));
}

TEST_P(QueueOrderTest, WhatIsNotDurableComesAfterItOnlyInQueuesThatWereSubscribedBefore) {
  Bus bus(options());
  Seen earlier;
  auto before = bus.subscribe<OrderPlaced>(
      "before", [&](const OrderPlaced& event) { earlier.add(event.order_id); }, narrow(9));
  auto nested = bus.subscribe<OrderPlaced>("nested", publishes_next(bus, Durability::None));
  auto after = bus.subscribe<OrderPlaced>("after", sees(), narrow(9));
  bus.publish(OrderPlaced{1});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(earlier.orders(), ElementsAre(1, 2, 3));
  EXPECT_THAT(seen_.orders(), ElementsAre(3, 2, 1));
}

TEST_F(RecoveryTest, ABacklogThatBeganWithARefusedPublishHoldsNothingUp) {
  Bus bus(durable());
  Gate gate;
  auto handler = bus.subscribe<OrderPlaced>("handler",
                                            [&](const OrderPlaced& event) {
                                              if (event.order_id == 1) gate.pass();
                                              seen_.add(event.order_id);
                                            },
                                            {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  bus.publish(OrderPlaced{1});
  gate.await_arrival();
  journal_->fail_commits(1, ErrorCode::DatabaseBusy);
  EXPECT_THROW(bus.publish(OrderPlaced{2}), Error);
  gate.open();
  EXPECT_TRUE(bus.wait_idle(kLong));
  bus.publish(OrderPlaced{3});
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.orders(), ElementsAre(1, 3));
}

}  // namespace
}  // namespace tidings::test
