#include "bus/gate.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <atomic>
#include <stdexcept>
#include <string>

// A queue whose places are taken by what waits behind a redrive, while the journal holds more for it.

namespace tidings::deadletter {
namespace {

using namespace std::chrono_literals;

/// Event 1 is of the key `1`, and a letter; events from 10 on are of another key.
class ParkedBacklogTest : public HandlerTransactionTest {
 protected:
  SubscribeOptions<Placed> parking() {
    SubscribeOptions<Placed> how = queued();
    how.queue_capacity = 2;
    how.after_death = AfterDeath::Park;
    how.ordering_key = [](const Placed& placed) { return std::string(placed.number < 10 ? "1" : "2"); };
    return how;
  }
  [[nodiscard]] auto handler() {
    return [this](const Placed& placed) {
      if (placed.number >= 10) ++others_handled_;
      if (placed.number != 1) return;
      if (redriven_) gate_.pass();
      throw std::runtime_error("refused");
    };
  }
  /// Leaves event 1 as a letter, and holds its redrive at work.
  void hold_redrive(Bus& bus) {
    bus.publish(Placed{1});
    EXPECT_TRUE(bus.wait_idle(kLong));
    redriven_ = true;
    static_cast<void>(bus.redrive({}));
    gate_.await_arrival();
  }

  std::atomic<bool> redriven_{false};
  std::atomic<int> others_handled_{0};
  test::Gate gate_;
};

TEST_F(ParkedBacklogTest, IsReadWhenWhatTookThePlacesIsParked) {
  Bus bus(options());
  const auto handling = bus.subscribe<Placed>("pay", handler(), parking());
  hold_redrive(bus);
  for (const std::int64_t number : {2, 3, 10, 11}) bus.publish(Placed{number});
  gate_.open();
  EXPECT_TRUE(bus.wait_idle(5s));
  EXPECT_EQ(others_handled_, 2);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE reason = 'parked'"), "2");
  EXPECT_EQ(journalled(), "0");
}

}  // namespace
}  // namespace tidings::deadletter
