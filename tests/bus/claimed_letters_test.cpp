#include "redriving/claimed_letters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tidings::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using End = RedriveResult::End;

class ClaimedLettersTest : public testing::Test {
 protected:
  static ClaimedLetter letter(std::int64_t id, std::string key, std::string handler = "ship") {
    ClaimedLetter claimed{.id = id, .redrive_id = std::nullopt, .limited = false, .letter = {}};
    claimed.letter.event_type = "orders.order_placed";
    claimed.letter.handler = std::move(handler);
    claimed.letter.ordering_key = std::move(key);
    return claimed;
  }
  void hold(std::vector<ClaimedLetter> letters) {
    LetterClaim claim;
    claim.letters = std::move(letters);
    letters_.hold(claim);
  }
  static RedriveResult parks(std::int64_t id, End end) {
    return {.id = id, .end = end, .at = {}, .letter = {}, .parks = true};
  }

  ClaimedLetters letters_;
};

TEST_F(ClaimedLettersTest, OneThatFailedWithdrawsWhatFollowsOfItsKey) {
  hold({letter(1, "a"), letter(2, "b"), letter(3, "a"), letter(4, "a", "bill")});
  letters_.end(parks(1, End::Failed));
  EXPECT_EQ(letters_.begin(3).instead, End::Withdrawn);
  EXPECT_EQ(letters_.begin(2).instead, std::nullopt);
  EXPECT_EQ(letters_.begin(4).instead, std::nullopt);
}

TEST_F(ClaimedLettersTest, OneThatWasHandedBackHandsBackWhatFollows) {
  hold({letter(1, "a"), letter(2, "a")});
  letters_.end(parks(1, End::Returned));
  EXPECT_EQ(letters_.begin(2).instead, End::Returned);
}

TEST_F(ClaimedLettersTest, BlocksWhatIsClaimedBeforeTheSinkKnows) {
  hold({letter(1, "a")});
  letters_.end(parks(1, End::Failed));
  letters_.begin_claim();
  letters_.settled({parks(1, End::Failed)});  // the claim may have been made before
  hold({letter(2, "a")});
  EXPECT_EQ(letters_.begin(2).instead, End::Withdrawn);
}

TEST_F(ClaimedLettersTest, BlocksNothingThatIsClaimedOnceTheSinkKnows) {
  hold({letter(1, "a")});
  letters_.end(parks(1, End::Failed));
  letters_.settled({parks(1, End::Failed)});
  letters_.begin_claim();
  hold({letter(2, "a")});
  EXPECT_EQ(letters_.begin(2).instead, std::nullopt);
}

TEST_F(ClaimedLettersTest, BlocksUntilTheSinkKnowsHoweverManyClaimsThereAre) {
  hold({letter(1, "a")});
  letters_.end(parks(1, End::Failed));
  letters_.begin_claim();
  hold({letter(2, "b")});
  letters_.begin_claim();
  hold({letter(3, "a")});
  EXPECT_EQ(letters_.begin(3).instead, End::Withdrawn);
}

TEST_F(ClaimedLettersTest, SaysWhichLimitedRequestsWaitAndWhenTheLastLetterOfOneBegins) {
  std::vector<ClaimedLetter> limited = {letter(1, "a"), letter(2, "b"), letter(3, "c")};
  for (ClaimedLetter& each : limited) {
    each.limited = true;
    each.redrive_id = each.id == 3 ? 8 : 7;
  }
  hold(limited);
  EXPECT_THAT(letters_.waiting_requests(), ElementsAre(7, 7, 8));
  EXPECT_FALSE(letters_.begin(1).last_of_request);
  EXPECT_THAT(letters_.waiting_requests(), ElementsAre(7, 8));
  EXPECT_TRUE(letters_.begin(2).last_of_request);
  EXPECT_TRUE(letters_.end({.id = 1, .end = End::Failed, .at = {}, .letter = {}}));
}

TEST_F(ClaimedLettersTest, AHandlerWithEnoughAtHandIsLeftOut) {
  std::vector<ClaimedLetter> many;
  for (std::int64_t id = 1; id <= 64; ++id) many.push_back(letter(id, std::to_string(id)));
  std::vector<ServedHandler> handlers = {{"orders.order_placed", "ship"}, {"*", "ship"}, {"*", "bill"}};
  hold({many.begin(), many.end() - 1});
  EXPECT_TRUE(letters_.wants_more());
  letters_.leave_out_busy(handlers);
  EXPECT_THAT(handlers, SizeIs(3));
  hold({many.back()});
  letters_.leave_out_busy(handlers);
  ASSERT_THAT(handlers, SizeIs(1));
  EXPECT_EQ(handlers[0].handler, "bill");
  EXPECT_FALSE(letters_.wants_more());
}

}  // namespace
}  // namespace tidings::detail
