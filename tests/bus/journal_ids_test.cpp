#include "ledger/journal_ids.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace tidings::detail {
namespace {

using ::testing::ElementsAre;

TEST(JournalIdsTest, AllThatWasGivenOutIsSettledWhenNothingIsOpen) {
  JournalIds ids(1);
  EXPECT_EQ(ids.settled_up_to({}), 0);
  EXPECT_EQ(ids.take(), 1);
  EXPECT_EQ(ids.take(), 2);
  EXPECT_EQ(ids.settled_up_to({}), 2);
}

TEST(JournalIdsTest, WhatWaitsForItsCommitIsOpenAndSoIsWhatIsBeingCommitted) {
  JournalIds ids(1);
  for (int count = 0; count < 5; ++count) ids.take();
  EXPECT_EQ(ids.settled_up_to(3), 2);
  ids.begin_appending(2);
  EXPECT_EQ(ids.settled_up_to(4), 1);
  EXPECT_EQ(ids.settled_up_to({}), 1);
  ids.end_appending();
  EXPECT_EQ(ids.settled_up_to(4), 3);
}

TEST(JournalIdsTest, WhatIsBeingPlacedIsOpenUntilTheFirstOfItsPublisherIsDone) {
  JournalIds ids(1);
  const std::int64_t first = ids.place();
  ids.take();
  const std::int64_t second = ids.place();
  ids.take();
  EXPECT_EQ(ids.settled_up_to({}), 0);
  ids.placed(second);
  EXPECT_EQ(ids.settled_up_to({}), 0);
  ids.placed(first);
  EXPECT_EQ(ids.settled_up_to({}), 2);
}

TEST(JournalIdsTest, WhoAsksToBeWokenAfterAPlacingIsWokenOnce) {
  JournalIds ids(1);
  EXPECT_FALSE(ids.wake_after_placing());
  const std::int64_t first = ids.place();
  ids.take();
  const std::int64_t second = ids.place();
  EXPECT_TRUE(ids.wake_after_placing());
  EXPECT_TRUE(ids.placed(first));
  EXPECT_FALSE(ids.placed(second));
}

TEST(JournalIdsTest, ReservedIdsAreSettledByTheirNumbers) {
  JournalIds ids(1);
  for (int count = 0; count < 3; ++count) ids.reserve();
  EXPECT_TRUE(ids.settle_reserved(std::array<std::int64_t, 2>{2, 7}));
  EXPECT_THAT(ids.reserved(), ElementsAre(1, 3));
  EXPECT_FALSE(ids.settle_reserved(std::array<std::int64_t, 1>{2}));
  EXPECT_EQ(ids.settled_up_to({}), 0);
}

}  // namespace
}  // namespace tidings::detail
