#include "bus_fixture.hpp"
#include "gate.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <thread>

// A bus belongs to the process that made it.

namespace tidings::test {
namespace {

constexpr unsigned kHangSeconds = 30;

/// Runs the function in a forked child; true if it returned true there. A child that hangs is killed.
bool succeeds_in_child(const std::function<bool()>& function) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kHangSeconds);
    bool success = false;
    try {
      success = function();
    } catch (...) {
      success = false;
    }
    ::_exit(success ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool throws_forked_child(const std::function<void()>& call) {
  try {
    call();
    return false;
  } catch (const Error& error) {
    return error.code() == ErrorCode::ForkedChild;
  }
}

class ForkTest : public BusTest {};

TEST_F(ForkTest, EveryCallThrowsInTheChild) {
  Bus bus(options());
  auto handler = bus.subscribe<OrderPlaced>("handler", [](const OrderPlaced&) {});
  const std::vector<std::function<void()>> calls = {
      [&] { bus.publish(OrderPlaced{}); },
      [&] { bus.publish(OrderShipped{}); },
      [&] { bus.publish("by.name", Json::object()); },
      [&] { bus.subscribe<OrderPlaced>("other", [](const OrderPlaced&) {}).keep(); },
      [&] { bus.subscribe_all("all", [](const Json&) {}).keep(); },
      [&] { bus.stop(); },
      [&] { static_cast<void>(bus.wait_idle(0ms)); },
      [&] { static_cast<void>(bus.snapshot()); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_TRUE(succeeds_in_child([&] { return throws_forked_child(calls[i]); })) << "call " << i;
  }
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(ForkTest, TheChildMayDestroyItsCopiesOfTheBusAndItsSubscriptions) {
  auto bus = std::make_unique<Bus>(options());
  Gate gate;
  std::optional<Subscription> handler = bus->subscribe<OrderPlaced>(
      "handler", [&](const OrderPlaced&) { gate.pass(); }, {.dispatch = Dispatch::Queued});
  for (int i = 0; i < 3; ++i) bus->publish(OrderPlaced{});
  gate.await_arrival();  // a worker is inside a handler, and more is queued
  EXPECT_TRUE(succeeds_in_child([&] {
    handler->reset();
    bus.reset();
    return true;
  }));
  EXPECT_TRUE(succeeds_in_child([&] {
    bus.reset();
    handler.reset();
    return true;
  }));
  gate.open();
  EXPECT_TRUE(bus->wait_idle(kLong));
  EXPECT_TRUE(letters_->letters().empty());
}

TEST_F(ForkTest, TheHandlerOfAPublishInTheParentMayFork) {
  Bus bus(options());
  bool child_refused = false;
  auto handler = bus.subscribe<OrderPlaced>("handler", [&](const OrderPlaced&) {
    child_refused =
        succeeds_in_child([&] { return throws_forked_child([&] { bus.publish(OrderShipped{}); }); });
  });
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
  EXPECT_TRUE(child_refused);
}

TEST_F(ForkTest, AChildMayMakeABusOfItsOwn) {
  { const Bus bus(options()); }
  EXPECT_TRUE(succeeds_in_child([&] {
    Bus bus(options());
    std::atomic<int> runs{0};
    auto here = bus.subscribe<OrderPlaced>("here", [&](const OrderPlaced&) { ++runs; });
    auto queued = bus.subscribe<OrderPlaced>("queued", [&](const OrderPlaced&) { ++runs; },
                                             {.dispatch = Dispatch::Queued});
    bus.publish(OrderPlaced{});
    return bus.wait_idle(kLong) && runs == 2;
  }));
}

}  // namespace
}  // namespace tidings::test
