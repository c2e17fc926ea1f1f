#include "durable_fixture.hpp"

#include <memory>
#include <string>

namespace tidings::test {
namespace {

/// How long a key is remembered, whatever the clocks and the starts of the service.
class IdempotencyWindowTest : public DurableTest {
 protected:
  [[nodiscard]] BusOptions remembering(std::chrono::hours window) {
    BusOptions chosen = durable();
    chosen.idempotency_window = window;
    return chosen;
  }
  static bool is_repeat(Bus& bus, const std::string& key = "k") {
    return bus.publish(OrderPlaced{}, {.idempotency_key = key}).duplicate;
  }
  void step_wall(std::chrono::microseconds step) { clock_->set_wall(clock_->now() + step); }
};

TEST_F(IdempotencyWindowTest, EndsWithItsTimeAndNotWithTheNextCleaning) {
  Bus bus(remembering(1h));
  EXPECT_FALSE(is_repeat(bus));
  clock_->advance(59min);
  EXPECT_TRUE(is_repeat(bus));
  clock_->advance(2min);
  EXPECT_FALSE(is_repeat(bus));
}

TEST_F(IdempotencyWindowTest, BeginsAnewWithTheUseAfterIt) {
  Bus bus(remembering(1h));
  EXPECT_FALSE(is_repeat(bus));
  clock_->advance(61min);
  EXPECT_FALSE(is_repeat(bus));
  clock_->advance(59min);
  EXPECT_TRUE(is_repeat(bus));
}

TEST_F(IdempotencyWindowTest, EndsInAServiceThatIsStartedOften) {
  {
    Bus bus(remembering(1h));
    EXPECT_FALSE(is_repeat(bus));
  }
  clock_->advance(50min);
  {
    Bus bus(remembering(1h));
    EXPECT_TRUE(is_repeat(bus));
  }
  clock_->advance(50min);
  Bus bus(remembering(1h));
  EXPECT_FALSE(is_repeat(bus));
}

TEST_F(IdempotencyWindowTest, IsSweptSoonAfterAStart) {
  {
    Bus bus(remembering(1h));
    EXPECT_FALSE(is_repeat(bus));
    EXPECT_EQ(journal_->keys(), 1U);
  }
  clock_->advance(61min);
  Bus bus(remembering(1h));
  advance(2min);
  clock_->await_waiter();
  EXPECT_EQ(journal_->keys(), 0U);
}

// --- wall clocks that somebody sets ---

TEST_F(IdempotencyWindowTest, OutlastsAClockThatWasAheadForAWhile) {
  Bus bus(remembering(1h));
  EXPECT_FALSE(is_repeat(bus, "before"));
  step_wall(48h);
  EXPECT_TRUE(is_repeat(bus, "before"));
  EXPECT_FALSE(is_repeat(bus, "meanwhile"));
  for (int tick = 0; tick < 5; ++tick) advance(10min);
  clock_->await_waiter();
  step_wall(-48h);
  EXPECT_TRUE(is_repeat(bus, "before"));
  EXPECT_TRUE(is_repeat(bus, "meanwhile"));
}

TEST_F(IdempotencyWindowTest, OutlastsAClockThatWasBehindForAWhile) {
  Bus bus(remembering(1h));
  EXPECT_FALSE(is_repeat(bus, "before"));
  step_wall(-48h);
  EXPECT_TRUE(is_repeat(bus, "before"));
  EXPECT_FALSE(is_repeat(bus, "meanwhile"));
  clock_->advance(10min);
  step_wall(48h);
  EXPECT_TRUE(is_repeat(bus, "before"));
  EXPECT_TRUE(is_repeat(bus, "meanwhile"));
}

TEST_F(IdempotencyWindowTest, OutlastsAServiceWhoseClockWasAhead) {
  {
    step_wall(48h);
    Bus bus(remembering(1h));
    EXPECT_FALSE(is_repeat(bus));
    step_wall(-48h);
  }
  Bus bus(remembering(1h));
  EXPECT_TRUE(is_repeat(bus));
}

TEST_F(IdempotencyWindowTest, EndsForAKeyFromTheFutureOnceTheServiceHasSeenItForAsLong) {
  {
    step_wall(24h * 365 * 70);
    Bus bus(remembering(1h));
    EXPECT_FALSE(is_repeat(bus, "asked"));
    EXPECT_FALSE(is_repeat(bus, "left"));
    step_wall(-24h * 365 * 70);
  }
  Bus bus(remembering(1h));
  clock_->advance(59min);
  EXPECT_TRUE(is_repeat(bus, "asked"));
  advance(2min);
  EXPECT_FALSE(is_repeat(bus, "asked"));
  advance(1h);
  clock_->await_waiter();
  EXPECT_EQ(journal_->keys(), 1U);
}

TEST_F(IdempotencyWindowTest, EndsWhenItShouldOnceAJumpIsAWindowAgo) {
  Bus bus(remembering(1h));
  for (const auto jump : {48h, -48h}) {
    step_wall(jump);
    EXPECT_FALSE(is_repeat(bus, "during_" + std::to_string(jump.count())));
    clock_->advance(121min);
    EXPECT_FALSE(is_repeat(bus, "after_" + std::to_string(jump.count())));
    clock_->advance(59min);
    EXPECT_TRUE(is_repeat(bus, "after_" + std::to_string(jump.count())));
    clock_->advance(2min);
    EXPECT_FALSE(is_repeat(bus, "after_" + std::to_string(jump.count())));
    EXPECT_FALSE(is_repeat(bus, "during_" + std::to_string(jump.count())));
  }
}

TEST_F(IdempotencyWindowTest, MayBeLongerThanTimeCanBeCounted) {
  Bus bus(remembering(std::chrono::hours::max()));
  EXPECT_FALSE(is_repeat(bus));
  clock_->advance(24h * 365 * 50);
  EXPECT_TRUE(is_repeat(bus));
}

}  // namespace
}  // namespace tidings::test
