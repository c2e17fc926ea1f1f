#include "stuck_sink.hpp"
#include "bus_fixture.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

// A log sink that does not return, such as a pipe that nobody reads.

namespace tidings::test {
namespace {

class StuckSinkTest : public BusTest {
 protected:
  [[nodiscard]] BusOptions stuck_at(const std::string& record) {
    sink_ = std::make_shared<StuckSink>(record);
    logging::LoggerOptions logger;
    logger.sinks = {{sink_, logging::Format::Json}};
    BusOptions result = options();
    result.logger = logging::Logger(logger);
    return result;
  }
  /// Stops the bus while a thread is stuck; opens the gate whatever comes of it.
  [[nodiscard]] StopReport stop_beside_stuck(Bus& bus) {
    sink_->gate.await_arrival();
    auto stopped = std::async(std::launch::async, [&] { return bus.stop(300ms); });
    const bool in_time = stopped.wait_for(kLong) == std::future_status::ready;
    EXPECT_TRUE(in_time) << "stop waits for the sink";
    sink_->gate.open();
    return stopped.get();
  }

  std::shared_ptr<StuckSink> sink_;
};

TEST_F(StuckSinkTest, StopKeepsItsDeadlineWhenAFailedHandlerIsStuckInIt) {
  Bus bus(stuck_at("handler_failed"));
  auto fails = bus.subscribe<OrderPlaced>("fails", [](const OrderPlaced&) { throw std::runtime_error("no"); },
                                          {.dispatch = Dispatch::Queued});
  for (int order = 0; order < 10; ++order) bus.publish(OrderPlaced{order});
  EXPECT_FALSE(stop_beside_stuck(bus).drained);
}

TEST_F(StuckSinkTest, StopKeepsItsDeadlineWhenWhoeverStoresLettersIsStuckInIt) {
  Bus bus(stuck_at("dead_letter_stored"));
  auto fails = bus.subscribe<OrderPlaced>("fails", [](const OrderPlaced&) { throw std::runtime_error("no"); },
                                          {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 1}});
  bus.publish(OrderPlaced{});
  while (letters_->letters().empty()) {  // the housekeeper commits, and logs it
    clock_->advance(50ms);
    std::this_thread::yield();
  }
  static_cast<void>(stop_beside_stuck(bus));
  EXPECT_EQ(letters_->letters().size(), 1U);
}

TEST_F(StuckSinkTest, WhatIsSettledMeanwhileIsStoredAllTheSame) {
  {
    Bus bus(stuck_at("handler_failed"));
    auto fails =
        bus.subscribe<OrderPlaced>("fails", [](const OrderPlaced&) { throw std::runtime_error("no"); },
                                   {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 1}});
    for (int order = 0; order < 10; ++order) bus.publish(OrderPlaced{order});
    static_cast<void>(stop_beside_stuck(bus));
  }
  EXPECT_EQ(letters_->letters().size(), 10U);
}

}  // namespace
}  // namespace tidings::test
