#include "bus_fixture.hpp"
#include "gate.hpp"

#include <tidings/metrics.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
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
      [&] { static_cast<void>(bus.metrics()); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_TRUE(succeeds_in_child([&] { return throws_forked_child(calls[i]); })) << "call " << i;
  }
  EXPECT_EQ(bus.publish(OrderPlaced{}).handled, 1U);
}

/// Notes in which processes it is called.
struct WhoCalls : Observer {
  void note() {
    if (::getpid() != parent) called_in_child = true;
  }
  ObservedSpan publish_started(const PublishStart&) override {
    note();
    return {TraceParent{{1}, {1}, 1}, true};
  }
  void publish_ended(const ObservedSpan&, const PublishEnd&) override { note(); }
  ObservedSpan attempt_started(const AttemptStart&) override {
    note();
    return {TraceParent{{1}, {2}, 1}, true};
  }
  void attempt_ended(const ObservedSpan&, const AttemptEnd&) override { note(); }

  const pid_t parent = ::getpid();
  bool called_in_child = false;
};

TEST_F(ForkTest, AnObserverIsNotToldOfTheEndOfAPublishInAChildThatComesOutOfAHandler) {
  BusOptions how = options();
  const auto observer = std::make_shared<WhoCalls>();
  how.telemetry.observer = observer;
  Bus bus(std::move(how));
  pid_t child = -1;
  auto forks = bus.subscribe<OrderPlaced>("forks", [&](const OrderPlaced&) { child = ::fork(); });
  const bool threw = throws_forked_child([&] { bus.publish(OrderPlaced{}); });
  if (child == 0) ::_exit(threw && !observer->called_in_child ? 0 : 1);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(threw);
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

/// A counter that a forked child shares with its parent.
class SharedCount {
 public:
  SharedCount()
      : count_(static_cast<std::atomic<int>*>(::mmap(
            nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedCount() { ::munmap(count_, sizeof(std::atomic<int>)); }
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  std::atomic<int>& operator*() const { return *count_; }

 private:
  std::atomic<int>* count_;
};

/// For a handler: forks; in the child it returns or throws, in the parent it returns the child's status.
int come_back_in_a_child(bool throwing) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kHangSeconds);
    if (throwing) throw std::runtime_error("exec failed");
    return 0;
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(ForkTest, AChildThatComesBackOutOfAQueuedHandlerEndsAndDeliversNothing) {
  for (const bool throwing : {false, true}) {
    const SharedCount runs;
    int status = 0;
    Bus bus(options());
    auto handler = bus.subscribe<OrderPlaced>("handler",
                                              [&](const OrderPlaced&) {
                                                if (++*runs == 1) status = come_back_in_a_child(throwing);
                                              },
                                              {.dispatch = Dispatch::Queued, .concurrency = 1});
    for (int i = 0; i < 5; ++i) bus.publish(OrderPlaced{});
    EXPECT_TRUE(bus.wait_idle(kLong));
    EXPECT_EQ(*runs, 5);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EX_SOFTWARE) << status;
  }
}

TEST_F(ForkTest, AChildThatComesBackOutOfAnInlineHandlerGetsForkedChildFromPublish) {
  const SharedCount later;
  const pid_t parent = ::getpid();
  int status = 0;
  Bus bus(options());
  auto forking = bus.subscribe<OrderPlaced>(
      "forking", [&](const OrderPlaced&) { status = come_back_in_a_child(false); });
  auto next = bus.subscribe<OrderPlaced>("next", [&](const OrderPlaced&) { ++*later; });
  const bool refused = throws_forked_child([&] { bus.publish(OrderPlaced{}); });
  if (::getpid() != parent) ::_exit(refused ? 0 : 1);
  EXPECT_FALSE(refused);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(*later, 1);
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
