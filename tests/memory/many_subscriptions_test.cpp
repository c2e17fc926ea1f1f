#include "memory/failing_new.hpp"
#include "memory/shop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

// What many handlers of one type cost, counted in bytes that are asked for: copying a list at each change
// asks for the square of their number. Instructions are counted by scripts/bench --instructions.

namespace tidings::memory {
namespace {

class ManySubscriptionsTest : public ScarceMemoryTest {
 protected:
  /// What it takes to subscribe so many handlers, publish to them, and reset them in that order.
  [[nodiscard]] std::uint64_t bytes_of(std::size_t handlers, Durability durability) {
    Bus bus(options(durability));
    std::size_t calls = 0;
    std::vector<Subscription> subscriptions;
    subscriptions.reserve(handlers);
    const std::uint64_t before = allocated_bytes();
    for (std::size_t number = 0; number < handlers; ++number) {
      subscriptions.push_back(
          bus.subscribe<Order>("handler-" + std::to_string(number), [&](const Order&) { ++calls; }));
    }
    bus.publish(Order{1});
    for (Subscription& subscription : subscriptions) subscription.reset();
    const std::uint64_t bytes = allocated_bytes() - before;
    bus.publish(Order{2});
    EXPECT_EQ(calls, handlers);
    return bytes;
  }
};

TEST_F(ManySubscriptionsTest, TwiceAsManyHandlersOfATypeCostNoMoreThanTwoAndAHalfTimes) {
  EXPECT_LE(bytes_of(4000, Durability::None) * 2, bytes_of(2000, Durability::None) * 5);
}

TEST_F(ManySubscriptionsTest, TwiceAsManyHandlersOfADurableTypeCostNoMoreThanTwoAndAHalfTimes) {
  EXPECT_LE(bytes_of(4000, Durability::ProcessCrash) * 2, bytes_of(2000, Durability::ProcessCrash) * 5);
}

TEST_F(ManySubscriptionsTest, OfALongListEveryChangeTakesEffectWithTheNextPublish) {
  constexpr int kHandlers = 300;
  Bus bus(options(Durability::None));
  std::vector<int> called;
  std::vector<Subscription> subscriptions;
  const auto publish_and_take = [&] {
    called.clear();
    bus.publish(Order{1});
    return called;
  };
  std::vector<int> expected;
  for (int number = 0; number < kHandlers; ++number) {
    subscriptions.push_back(bus.subscribe<Order>(
        "handler-" + std::to_string(number), [&called, number](const Order&) { called.push_back(number); }));
    expected.push_back(number);
    ASSERT_EQ(publish_and_take(), expected);
  }
  for (int number = 0; number < kHandlers; number += 2) {
    subscriptions[static_cast<std::size_t>(number)].reset();
    expected.erase(std::find(expected.begin(), expected.end(), number));
    ASSERT_EQ(publish_and_take(), expected);
  }
}

TEST_F(ManySubscriptionsTest, AHandlerChangesALongListThatIsBeingCalled) {
  Bus bus(options(Durability::None));
  std::vector<Subscription> subscriptions;
  std::size_t calls = 0;
  for (int number = 0; number < 300; ++number) {
    subscriptions.push_back(bus.subscribe<Order>("handler-" + std::to_string(number), [&](const Order&) {
      ++calls;
      subscriptions.back().reset();
      subscriptions.pop_back();
    }));
  }
  while (!subscriptions.empty()) bus.publish(Order{1});
  EXPECT_EQ(calls, 300U);
}

}  // namespace
}  // namespace tidings::memory
