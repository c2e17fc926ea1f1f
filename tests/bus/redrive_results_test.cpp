#include "redriving/redrive_results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redriving/redrive_schedule.hpp"

namespace tidings::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using namespace std::chrono_literals;

RedriveResult ended(std::int64_t id) { return {.id = id, .end = {}, .at = {}, .letter = {}}; }

TEST(RedriveResultsTest, AreToldWithin20MillisecondsOrWhenThereAre32) {
  const Instant now{};
  RedriveResults results;
  EXPECT_EQ(results.due(), std::nullopt);
  EXPECT_TRUE(results.add(ended(1), now));
  EXPECT_FALSE(results.add(ended(2), now + 10ms));
  EXPECT_EQ(results.due(), now + 20ms);
  EXPECT_FALSE(results.must_flush(now + 19ms));
  EXPECT_TRUE(results.must_flush(now + 20ms));
  for (std::int64_t id = 3; id <= 32; ++id) results.add(ended(id), now);
  EXPECT_TRUE(results.must_flush(now));
}

TEST(RedriveResultsTest, AreNotSettledWhileTheSinkIsTold) {
  RedriveResults results;
  results.add(ended(1), Instant{});
  const auto batch = results.take();
  EXPECT_TRUE(results.empty());
  EXPECT_FALSE(results.all_settled());
  results.settled(batch);
  EXPECT_TRUE(results.all_settled());
}

TEST(RedriveResultsTest, AreToldAgainInTheirOrderAndNotBeforeTheirTime) {
  const Instant now{};
  RedriveResults results;
  results.add(ended(1), now);
  auto batch = results.take();
  results.add(ended(2), now);
  results.put_back(batch, now + 1s);
  EXPECT_FALSE(results.may_flush(now + 999ms));
  EXPECT_TRUE(results.may_flush(now + 1s));
  EXPECT_GE(results.due(), now + 1s);
  batch = results.take();
  EXPECT_THAT(batch, ElementsAre(Field(&RedriveResult::id, 1), Field(&RedriveResult::id, 2)));
  results.settled(batch);
  EXPECT_TRUE(results.all_settled());
}

TEST(RedriveScheduleTest, WhatTakesLongIsFollowedByTwiceItsTimeWithout) {
  const Instant now{};
  RedriveSchedule schedule;
  EXPECT_TRUE(schedule.keys_are_due(now));
  schedule.keys_refreshed(false, now, now + 10s);
  EXPECT_FALSE(schedule.keys_are_due(now + 29s));
  EXPECT_TRUE(schedule.keys_are_due(now + 30s));
  schedule.look_on(now, now + 1s);
  EXPECT_FALSE(schedule.claim_is_due(now + 2s));
  EXPECT_TRUE(schedule.claim_is_due(now + 3s));
}

TEST(RedriveScheduleTest, AFailureWaitsLongerEachTimeAndAsksForAllOfItAgain) {
  const Instant now{};
  RedriveSchedule schedule;
  schedule.keys_refreshed(true, now, now);
  schedule.claim_at(now);
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    schedule.failed(now);
    EXPECT_EQ(schedule.next(), now + wait);
  }
  EXPECT_TRUE(schedule.keys_are_due(now));
  schedule.succeeded();
  schedule.failed(now);
  EXPECT_EQ(schedule.next(), now + 1s);
}

}  // namespace
}  // namespace tidings::detail
