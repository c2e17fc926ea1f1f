#include "bus_fixture.hpp"
#include "counting_sink.hpp"

#include <array>
#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

// Everything at once. What was accepted must come out somewhere: handled or in a letter, never both, never
// neither.

namespace tidings::test {
namespace {

class BusStressTest : public testing::Test {
 protected:
  BusOptions options() {
    BusOptions result{.service = "shop", .store = letters_};
    result.logger = logging::Logger({.level = logging::Level::Off});
    result.unhandled = Unhandled::Ignore;
    result.workers = 3;
    return result;
  }

  std::shared_ptr<CountingSink> letters_ = std::make_shared<CountingSink>();
};

/// Handlers of every kind, each counting what it handled.
class Handlers {
 public:
  static constexpr std::array<const char*, 6> kNames{"inline", "flaky", "dying", "one", "four", "keyed"};

  explicit Handlers(Bus& bus) {
    const auto queued = Dispatch::Queued;
    add(bus, 0, {});
    add(bus, 1, {.retry = {.max_attempts = 3, .backoff = constant(1ms)}});
    add(bus, 2, {.retry = {.max_attempts = 1}});
    add(bus, 3, {.dispatch = queued, .queue_capacity = 64});
    add(bus, 4, {.dispatch = queued, .retry = {.backoff = constant(1ms)}, .concurrency = 4});
    add(bus, 5,
        {.dispatch = queued,
         .retry = {.backoff = constant(1ms)},
         .concurrency = 2,
         .ordering_key = [](const OrderPlaced& e) { return e.customer; },
         .after_death = AfterDeath::Park});
  }

  [[nodiscard]] std::size_t handled(std::size_t index) const { return handled_[index]; }

 private:
  /// Fails as often as its number says, by what is in the event and by the attempt.
  static bool fails(std::size_t index, const OrderPlaced& event, std::uint32_t attempt) {
    if (index == 0 || index == 3) return false;
    if (index == 2) return event.order_id % 3 == 0;
    return event.order_id % 5 == 0 && attempt == 1;
  }
  void add(Bus& bus, std::size_t index, const SubscribeOptions<OrderPlaced>& how) {
    bus.subscribe<OrderPlaced>(
           kNames[index],
           [this, index](const OrderPlaced& e, const EventContext& context) {
             if (fails(index, e, context.attempt())) throw std::runtime_error("no");
             ++handled_[index];
           },
           how)
        .keep();
  }

  std::array<std::atomic<std::size_t>, kNames.size()> handled_{};
};

TEST_F(BusStressTest, NothingIsLostWhenTheBusStopsWhileThreadsPublish) {
  for (int round = 0; round < 40; ++round) {
    letters_ = std::make_shared<CountingSink>();
    auto bus = std::make_unique<Bus>(options());
    const Handlers handlers(*bus);
    std::atomic<std::size_t> accepted{0};
    std::latch warm(4);
    const auto publish_until_stopped = [&, target = bus.get()] {
      for (std::int64_t id = 0;; ++id) {
        if (id == 10) warm.count_down();
        try {
          target->publish(OrderPlaced{.order_id = id, .customer = std::to_string(id % 4)});
          ++accepted;
        } catch (const Error&) {
          return;
        }
      }
    };
    std::vector<std::jthread> publishers;
    for (int i = 0; i < 3; ++i) publishers.emplace_back(publish_until_stopped);
    warm.arrive_and_wait();
    bus->stop(std::chrono::milliseconds(round % 4));
    publishers.clear();
    bus.reset();
    for (std::size_t i = 0; i < Handlers::kNames.size(); ++i) {
      ASSERT_EQ(handlers.handled(i) + letters_->count(Handlers::kNames[i]), accepted) << Handlers::kNames[i];
    }
    ASSERT_EQ(letters_->repeated(), 0U);
  }
}

TEST_F(BusStressTest, NothingIsLostWhenASubscriptionIsResetWhileItsBusIsDestroyed) {
  for (int round = 0; round < 150; ++round) {
    letters_ = std::make_shared<CountingSink>();
    auto hasty = options();
    hasty.stop_deadline = std::chrono::milliseconds(round % 3);
    auto bus = std::make_unique<Bus>(hasty);
    std::atomic<std::size_t> handled{0};
    const auto handler = [&](const OrderPlaced& e, const EventContext& context) {
      if (e.order_id % 3 == 0 && context.attempt() == 1) throw std::runtime_error("later");
      ++handled;
    };
    auto subscription = bus->subscribe<OrderPlaced>(
        "handler", handler, {.dispatch = Dispatch::Queued, .retry = {.backoff = constant(1h)}});
    constexpr std::size_t kPublished = 60;
    for (std::size_t id = 0; id < kPublished; ++id)
      bus->publish(OrderPlaced{.order_id = static_cast<int>(id)});
    std::latch both(2);
    {
      std::jthread resetting([&] {
        both.arrive_and_wait();
        subscription.reset();
      });
      both.arrive_and_wait();
      bus.reset();
    }
    ASSERT_EQ(handled + letters_->count("handler"), kPublished);
  }
}

/// What eight threads do to one bus until it is stopped.
class Chaos {
 public:
  explicit Chaos(Bus& bus) : bus_(bus), handlers_(bus) {}

  void publish() {
    for (std::int64_t id = 0;; ++id) {
      try {
        bus_.publish(OrderPlaced{.order_id = id, .customer = std::to_string(id % 4)});
        ++accepted_;
      } catch (const Error&) {
        return;
      }
    }
  }
  void subscribe_and_unsubscribe() {
    try {
      for (int n = 0;; ++n) {
        const auto dispatch = n % 2 == 0 ? Dispatch::Inline : Dispatch::Queued;
        auto typed = bus_.subscribe<OrderPlaced>("brief", [](const OrderPlaced&) {}, {.dispatch = dispatch});
        auto all = bus_.subscribe_all("all", [](const Json&) {}, {.dispatch = dispatch});
        ++lives_;
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BusStopped);
    }
  }
  void look() {
    while (bus_.snapshot().accepting) static_cast<void>(bus_.wait_idle(std::chrono::milliseconds(1)));
  }
  void stop_when_warm() {
    while (accepted_ < 300 || lives_ < 20) std::this_thread::yield();
    bus_.stop(std::chrono::milliseconds(5));
  }
  void expect_conserved(const CountingSink& letters) const {
    for (std::size_t i = 0; i < Handlers::kNames.size(); ++i) {
      const char* const name = Handlers::kNames[i];
      EXPECT_EQ(handlers_.handled(i) + letters.count(name), accepted_) << name;
    }
    EXPECT_EQ(letters.repeated(), 0U);
  }

 private:
  Bus& bus_;
  Handlers handlers_;
  std::atomic<std::size_t> accepted_{0};
  std::atomic<int> lives_{0};
};

TEST_F(BusStressTest, EightThreadsDoEverythingAtOnceAndTheCountsAddUp) {
  for (int round = 0; round < 10; ++round) {
    letters_ = std::make_shared<CountingSink>();
    auto bus = std::make_unique<Bus>(options());
    Chaos chaos(*bus);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) threads.emplace_back([&] { chaos.publish(); });
      threads.emplace_back([&] { chaos.subscribe_and_unsubscribe(); });
      for (int i = 0; i < 2; ++i) threads.emplace_back([&] { chaos.look(); });
      for (int i = 0; i < 2; ++i) threads.emplace_back([&] { chaos.stop_when_warm(); });
    }
    bus.reset();
    chaos.expect_conserved(*letters_);
  }
}

}  // namespace
}  // namespace tidings::test
