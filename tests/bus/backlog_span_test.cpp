#include "subscriptions/backlog.hpp"

#include <gtest/gtest.h>

// Which ids a subscriber gets from the journal; backlog_test.cpp has what a bus does with it.

namespace tidings::detail {
namespace {

using Reached = Backlog::Reached;

class BacklogSpanTest : public testing::Test {
 protected:
  DeliveryQueue queue_{8, 1, false};
  Backlog inline_{queue_, false};
  Backlog queued_{queue_, true};
};

TEST_F(BacklogSpanTest, AnInlineHandlerGetsWhatIsPublishedAfterItsBeginningDirectly) {
  EXPECT_FALSE(inline_.holds(4));
  inline_.begin(5);
  EXPECT_TRUE(inline_.holds(4));
  EXPECT_FALSE(inline_.holds(5));
  const auto unread = inline_.begin_reading();
  EXPECT_EQ(unread.next, 1);
  EXPECT_EQ(unread.until, 5);
}

TEST_F(BacklogSpanTest, AQueueGetsAllThatFollowsFromTheJournal) {
  queued_.begin(5);
  EXPECT_TRUE(queued_.holds(4));
  EXPECT_TRUE(queued_.holds(500));
}

TEST_F(BacklogSpanTest, WhatIsLeftBeginsIt) {
  inline_.leave(7);
  EXPECT_TRUE(inline_.active());
  EXPECT_TRUE(inline_.holds(7));
  EXPECT_FALSE(inline_.holds(8));
  inline_.leave(3);  // goes back, and forgets nothing
  EXPECT_TRUE(inline_.holds(7));
  EXPECT_EQ(inline_.begin_reading().next, 3);
}

TEST_F(BacklogSpanTest, EndsWhereNothingMoreWasGivenOut) {
  queued_.begin(5);
  static_cast<void>(queued_.begin_reading());
  EXPECT_EQ(queued_.end_reading(3, false, 5), Reached::Chunk);
  EXPECT_EQ(queued_.begin_reading().next, 3);
  EXPECT_EQ(queued_.end_reading(4, true, 5), Reached::AllThatIsCommitted);
  EXPECT_TRUE(queued_.active());
  EXPECT_EQ(queued_.end_reading(5, true, 5), Reached::End);
  EXPECT_FALSE(queued_.active());
}

TEST_F(BacklogSpanTest, OfAnInlineHandlerEndsWhereItIsPublishedToDirectly) {
  inline_.begin(5);
  static_cast<void>(inline_.begin_reading());
  EXPECT_EQ(inline_.end_reading(5, true, 50), Reached::End);
}

TEST_F(BacklogSpanTest, OfASubscriptionThatEndsIsNeverTakenUpAgain) {
  queued_.begin(5);
  queued_.close();
  EXPECT_FALSE(queued_.active());
  queued_.leave(7);  // by whoever saw the subscription open
  EXPECT_FALSE(queued_.active());
  EXPECT_TRUE(queue_.empty());
}

TEST_F(BacklogSpanTest, ReadsAgainWhatWasLeftBehindItsReader) {
  queued_.begin(9);
  static_cast<void>(queued_.begin_reading());
  queued_.leave(4);
  EXPECT_EQ(queued_.end_reading(9, true, 9), Reached::Chunk);
  EXPECT_EQ(queued_.begin_reading().next, 4);
  EXPECT_EQ(queued_.end_reading(9, true, 9), Reached::End);
}

}  // namespace
}  // namespace tidings::detail
