#include "redrive_fixture.hpp"

#include "gate.hpp"

#include <algorithm>
#include <atomic>
#include <set>

namespace tidings::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RedriveOrderTest : public RedriveTest {
 protected:
  std::vector<std::pair<std::int64_t, Reason>> letters() const {
    std::vector<std::pair<std::int64_t, Reason>> found;
    for (const DeadLetter& letter : letters_->unresolved())
      found.emplace_back(Json::parse(letter.data.bytes).at("order_id"), letter.reason);
    return found;
  }
  /// Leaves letters with the reason `shutdown`: a bus that ends while its handler waits for a retry.
  void leave_behind(std::int64_t first, std::int64_t last, const std::string& customer,
                    SubscribeOptions<OrderPlaced> how) {
    Bus bus(options());
    how.retry = {.backoff = constant(1h)};
    auto waiting = bus.subscribe<OrderPlaced>(
        "handler", [](const OrderPlaced&) { throw std::runtime_error("later"); }, std::move(how));
    for (std::int64_t id = first; id <= last; ++id)
      bus.publish(OrderPlaced{.order_id = id, .customer = customer});
    while (bus.snapshot().handlers.at(0).waiting < static_cast<std::size_t>(last - first + 1))
      std::this_thread::yield();
    bus.stop(1ms);
  }
};

TEST_F(RedriveOrderTest, ParkedLettersAreRedrivenInOrderAndFreeTheirKey) {
  Bus bus(options());
  auto parking = bus.subscribe<OrderPlaced>("handler", handler(), keyed());
  fail(bus, 1, 4, "Ada");
  EXPECT_THAT(letters(), ElementsAre(std::pair(1, Reason::Exhausted), std::pair(2, Reason::Parked),
                                     std::pair(3, Reason::Parked), std::pair(4, Reason::Parked)));
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1, 2, 3, 4));
  bus.publish(OrderPlaced{.order_id = 5, .customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(RedriveOrderTest, AKeyWhoseLettersWereResolvedElsewhereIsFreeWithinASecond) {
  Bus bus(options());
  auto parking = bus.subscribe<OrderPlaced>("handler", handler(), keyed());
  fail(bus, 1, 1, "Ada");
  Redrives& tool = *letters_->redrives();
  static_cast<void>(tool.mark("shop", {}, {}, clock_->now()));
  const std::vector<ServedHandler> served = {{"orders.order_placed", "handler", true}};
  static_cast<void>(tool.claim({.service = "shop",
                                .claimant = "tool",
                                .handlers = served,
                                .most_letters = 9,
                                .most_bytes = 999,
                                .lease = 1s,
                                .now = clock_->monotonic_now(),
                                .wall = clock_->now(),
                                .waiting = {}}));
  const std::vector done = {
      RedriveResult{.id = 1, .end = RedriveResult::End::Reprocessed, .at = clock_->now(), .letter = {}}};
  tool.settle("tool", done);
  advance(1s);
  clock_->await_waiter();
  bus.publish(OrderPlaced{.order_id = 2, .customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(2));
}

TEST_F(RedriveOrderTest, AKeyWhoseLetterIsNotCommittedYetIsDead) {
  Bus bus(options());
  auto parking = bus.subscribe<OrderPlaced>("handler", handler(), keyed());
  clock_->await_waiter();  // the first look at keys commits what it finds of them
  downstream_.break_order(1);
  bus.publish(OrderPlaced{.order_id = 1, .customer = "Ada"});
  const auto has_died = [&] {
    const Snapshot now = bus.snapshot();
    return now.letters_pending == 1 && now.handlers.at(0).queued + now.handlers.at(0).running == 0;
  };
  while (!has_died()) std::this_thread::yield();
  static_cast<void>(letters_->redrives()->settle("tool", {}));  // something has changed, the bus finds
  advance(1s);
  clock_->await_waiter();
  bus.publish(OrderPlaced{.order_id = 2, .customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(letters(), ElementsAre(std::pair(1, Reason::Exhausted), std::pair(2, Reason::Parked)));
}

TEST_F(RedriveOrderTest, ALetterThatFailsAgainHoldsBackThoseParkedBehindIt) {
  Bus bus(options());
  auto parking = bus.subscribe<OrderPlaced>("handler", handler(), keyed());
  fail(bus, 1, 3, "Ada");
  fail(bus, 4, 4, "Ben");
  downstream_.break_order(1);
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), IsEmpty());
  EXPECT_THAT(downstream_.handled("Ben"), ElementsAre(4));
  EXPECT_THAT(unresolved(), ElementsAre(1, 2, 3));
  EXPECT_EQ(capture_.only("redrive_finished").at("failed"), 1);
  downstream_.repair();
  EXPECT_EQ(bus.redrive({}).letters, 3U);
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1, 2, 3));
}

TEST_F(RedriveOrderTest, WithoutParkingAFailureLetsLaterLettersOfTheKeyGoOn) {
  Bus bus(options());
  auto going_on = bus.subscribe<OrderPlaced>("handler", handler(), keyed(AfterDeath::Continue));
  fail(bus, 1, 3, "Ada");
  downstream_.break_order(1);
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(2, 3));
  EXPECT_THAT(unresolved(), ElementsAre(1));
}

TEST_F(RedriveOrderTest, EventsThatComeDuringARedriveOfTheirKeyWaitBehindIt) {
  Bus bus(options());
  Gate gate;
  std::atomic<bool> held{false};
  auto parking = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& order) {
        if (held.exchange(false)) gate.pass();
        downstream_.handle(order);
      },
      keyed());
  fail(bus, 1, 2, "Ada");
  held = true;
  static_cast<void>(bus.redrive({}));
  gate.await_arrival();
  bus.publish(OrderPlaced{.order_id = 3, .customer = "Ada"});
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1, 2, 3));
  EXPECT_THAT(unresolved(), IsEmpty());
}

TEST_F(RedriveOrderTest, EventsThatCameDuringARedriveThatFailsAreParkedBehindIt) {
  Bus bus(options());
  Gate gate;
  std::atomic<bool> held{false};
  auto parking = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& order) {
        if (held.exchange(false)) gate.pass();
        downstream_.handle(order);
      },
      keyed());
  fail(bus, 1, 2, "Ada");
  downstream_.break_order(1);
  held = true;
  static_cast<void>(bus.redrive({}));
  gate.await_arrival();
  bus.publish(OrderPlaced{.order_id = 3, .customer = "Ada"});
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), IsEmpty());
  EXPECT_THAT(letters(), ElementsAre(std::pair(1, Reason::Exhausted), std::pair(2, Reason::Parked),
                                     std::pair(3, Reason::Parked)));
}

TEST_F(RedriveOrderTest, ARedriveOfPartOfAKeyLeavesItDeadForWhatFollows) {
  Bus bus(options());
  auto parking = bus.subscribe<OrderPlaced>("handler", handler(), keyed());
  fail(bus, 1, 2, "Ada");
  static_cast<void>(bus.redrive({.ids = {{1}}}));
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1));
  bus.publish(OrderPlaced{.order_id = 3, .customer = "Ada"});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(letters(), ElementsAre(std::pair(2, Reason::Parked), std::pair(3, Reason::Parked)));
}

TEST_F(RedriveOrderTest, LettersOfAKeyThatAStopFindsBehindEachOtherStayMarked) {
  Gate gate;
  {
    Bus bus(options());
    std::atomic<bool> held{false};
    auto slow = bus.subscribe<OrderPlaced>(
        "handler",
        [&](const OrderPlaced& order) {
          if (held) gate.pass();
          downstream_.handle(order);
        },
        keyed());
    fail(bus, 1, 1, "Bob");
    fail(bus, 2, 4, "Ada");
    held = true;
    static_cast<void>(bus.redrive({}));
    gate.await_arrival();
    std::jthread opener([&] {
      while (bus.snapshot().accepting) std::this_thread::yield();
      gate.open();
    });
    bus.stop(kLong);
  }
  EXPECT_THAT(downstream_.handled("Bob"), ElementsAre(1));
  EXPECT_THAT(downstream_.handled("Ada"), IsEmpty());
  Bus successor(options());
  auto handler = successor.subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced& order) { downstream_.handle(order); }, keyed());
  ASSERT_TRUE(successor.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(2, 3, 4));
}

TEST_F(RedriveOrderTest, OrderIsKeptThroughFailuresParkingAndRedrivesUnderTraffic) {
  constexpr std::int64_t kEach = 150;
  constexpr int kKeys = 4;
  auto real_time = options();
  real_time.clock = system_clock();
  Bus bus(std::move(real_time));
  std::atomic<bool> unreliable{true};
  auto how = keyed();
  how.concurrency = 2;
  auto parking = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& order) {
        if (unreliable && random_bits() % 16 == 0) throw std::runtime_error("now and then");
        downstream_.handle(order);
      },
      std::move(how));
  std::jthread publisher([&] {
    for (std::int64_t id = 1; id <= kEach; ++id) {
      for (int key = 0; key < kKeys; ++key)
        bus.publish(OrderPlaced{.order_id = id, .customer = std::to_string(key)});
    }
    unreliable = false;
  });
  while (unreliable) {
    bus.redrive({});
    std::this_thread::yield();
  }
  publisher.join();
  do {
    bus.redrive({});
    ASSERT_TRUE(bus.wait_idle(kLong));
  } while (!letters_->unresolved().empty());
  for (int key = 0; key < kKeys; ++key) {
    const auto handled = downstream_.handled(std::to_string(key));
    EXPECT_EQ(std::set<std::int64_t>(handled.begin(), handled.end()).size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(handled.begin(), handled.end()));
  }
}

TEST_F(RedriveOrderTest, LettersLeftByAShutdownAreRedrivenByThemselves) {
  leave_behind(1, 3, "", {.dispatch = Dispatch::Queued});
  EXPECT_THAT(letters(), ElementsAre(std::pair(1, Reason::Shutdown), std::pair(2, Reason::Shutdown),
                                     std::pair(3, Reason::Shutdown)));
  Bus bus(options());
  auto successor = bus.subscribe<OrderPlaced>("handler", handler(), {.dispatch = Dispatch::Queued});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled(), ElementsAre(1, 2, 3));
  EXPECT_THAT(unresolved(), IsEmpty());
}

TEST_F(RedriveOrderTest, ALetterLeftByAShutdownThatFailsIsNotRedrivenByItselfAgain) {
  leave_behind(1, 1, "", {.dispatch = Dispatch::Queued});
  downstream_.break_all();
  for (int start = 0; start < 2; ++start) {
    Bus bus(options());
    auto successor = bus.subscribe<OrderPlaced>("handler", handler());
    ASSERT_TRUE(bus.wait_idle(kLong));
  }
  EXPECT_EQ(downstream_.calls(), 1);
  EXPECT_THAT(letters(), ElementsAre(std::pair(1, Reason::Exhausted)));
}

TEST_F(RedriveOrderTest, NewEventsOfAKeyWaitForWhatAShutdownLeft) {
  for (const AfterDeath after_death : {AfterDeath::Continue, AfterDeath::Park}) {
    const std::string customer = after_death == AfterDeath::Park ? "Ada" : "Ben";
    leave_behind(1, 3, customer, keyed(after_death));
    Bus bus(options());
    auto successor = bus.subscribe<OrderPlaced>("handler", handler(), keyed(after_death));
    bus.publish(OrderPlaced{.order_id = 4, .customer = customer});
    bus.publish(OrderPlaced{.order_id = 5, .customer = customer});
    ASSERT_TRUE(bus.wait_idle(kLong));
    EXPECT_THAT(downstream_.handled(customer), ElementsAre(1, 2, 3, 4, 5));
    EXPECT_THAT(unresolved(), IsEmpty());
  }
}

TEST_F(RedriveOrderTest, OtherKeysDoNotWaitForWhatAShutdownLeft) {
  leave_behind(1, 1, "Ada", keyed());
  Bus bus(options());
  Gate gate;
  auto successor = bus.subscribe<OrderPlaced>(
      "handler",
      [&](const OrderPlaced& order) {
        if (order.customer == "Ada") gate.pass();
        downstream_.handle(order);
      },
      keyed());
  gate.await_arrival();
  bus.publish(OrderPlaced{.order_id = 2, .customer = "Ada"});
  EXPECT_EQ(bus.snapshot().handlers.at(0).waiting, 1U);
  gate.open();
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(downstream_.handled("Ada"), ElementsAre(1, 2));
}

}  // namespace
}  // namespace tidings::test
