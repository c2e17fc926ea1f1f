#include "ledger/commit_schedule.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace tidings::detail {
namespace {

using namespace std::chrono_literals;

class CommitScheduleTest : public testing::Test {
 protected:
  [[nodiscard]] std::optional<Instant> in(std::chrono::milliseconds wait) const {
    return clock_->monotonic_now() + wait;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  CommitSchedule schedule_{clock_};
};

TEST_F(CommitScheduleTest, ACommitIsDueWithin50Milliseconds) {
  EXPECT_EQ(schedule_.next_due(), std::nullopt);
  EXPECT_TRUE(schedule_.arm());
  EXPECT_EQ(schedule_.next_due(), in(50ms));
  EXPECT_FALSE(schedule_.take_due(*in(49ms)));
  EXPECT_TRUE(schedule_.take_due(*in(50ms)));
  EXPECT_FALSE(schedule_.take_due(*in(50ms)));
}

TEST_F(CommitScheduleTest, TheTimerIsWokenOnlyIfItWouldNotWakeInTime) {
  EXPECT_TRUE(schedule_.arm());
  EXPECT_FALSE(schedule_.arm());
  static_cast<void>(schedule_.next_due());
  EXPECT_FALSE(schedule_.arm_again());  // it wakes in 50 ms
  clock_->advance(50ms);
  EXPECT_FALSE(schedule_.arm_again());  // it wakes now
  clock_->advance(1ms);
  EXPECT_TRUE(schedule_.arm_again());  // it has slept on
}

TEST_F(CommitScheduleTest, ATimerThatWaitsForARefusedCommitIsWokenForTheNext) {
  schedule_.commit_refused(false);
  EXPECT_EQ(schedule_.next_due(), in(100ms));
  schedule_.commit_succeeded();
  EXPECT_TRUE(schedule_.arm());
}

TEST_F(CommitScheduleTest, WaitsLongerAfterEachRefusalUpToFiveSeconds) {
  for (const auto wait : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms}) {
    schedule_.commit_refused(false);
    EXPECT_TRUE(schedule_.refused());
    EXPECT_EQ(schedule_.next_due(), in(wait));
  }
  schedule_.commit_succeeded();
  EXPECT_FALSE(schedule_.refused());
  EXPECT_EQ(schedule_.next_due(), std::nullopt);
  schedule_.commit_refused(false);
  EXPECT_EQ(schedule_.next_due(), in(100ms));
}

TEST_F(CommitScheduleTest, ShortMemoryIsTriedAgainAtOnceAndLengthensNoWait) {
  schedule_.commit_refused(true);
  EXPECT_EQ(schedule_.next_due(), in(kAgainWithoutMemory));
  schedule_.commit_refused(false);
  EXPECT_EQ(schedule_.next_due(), in(100ms));
}

TEST_F(CommitScheduleTest, ADueCommitMayBeTriedByAnyoneAgain) {
  schedule_.commit_refused(false);
  EXPECT_TRUE(schedule_.take_due(*in(100ms)));
  EXPECT_FALSE(schedule_.refused());
}

}  // namespace
}  // namespace tidings::detail
