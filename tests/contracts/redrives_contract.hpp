#pragma once

#include "contracts/letter_sink_contract.hpp"

#include <tidings/redrive.hpp>

#include <gmock/gmock.h>

#include <map>
#include <utility>

// What every LetterSink promises that lets its letters be redriven. Instantiated as LetterSinkContract is.
namespace tidings::contract {

class RedrivesContract : public LetterSinkContract {
 protected:
  using End = RedriveResult::End;

  Redrives& redrives() { return *subject_.sink->redrives(); }
  void store_letters(std::uint64_t count, Reason reason = Reason::Exhausted) {
    std::vector<DeadLetter> letters;
    for (std::uint64_t number = 1; number <= count; ++number) {
      letters.push_back(letter(number));
      letters.back().reason = reason;
    }
    static_cast<void>(store(letters));
  }
  RedriveRequest mark(const LetterFilter& filter = {}, const RedriveOptions& options = {}) {
    return redrives().mark("orders", filter, options, wall_);
  }
  LetterClaim claim_as(const std::string& claimant, std::size_t most = 100,
                       std::vector<ServedHandler> handlers = {{"orders.order_placed", "send_receipt"}}) {
    return redrives().claim({.service = "orders",
                             .claimant = claimant,
                             .handlers = handlers,
                             .most_letters = most,
                             .most_bytes = 1U << 16U,
                             .lease = std::chrono::seconds(30),
                             .now = now_,
                             .wall = wall_,
                             .waiting = waiting_});
  }
  std::vector<std::int64_t> claimed(std::size_t most = 100, bool parks = false) {
    return ids_of(claim_as("bus", most, {{"orders.order_placed", "send_receipt", parks}}));
  }
  static std::vector<std::int64_t> ids_of(const LetterClaim& claim) {
    std::vector<std::int64_t> ids;
    for (const ClaimedLetter& each : claim.letters) ids.push_back(each.id);
    return ids;
  }
  std::vector<RedriveEnd> settle(std::int64_t id, End end, bool parks = false) {
    RedriveResult result{.id = id, .end = end, .at = wall_, .letter = {}, .parks = parks};
    if (end == End::Failed) {
      result.letter = subject_.letters().at(static_cast<std::size_t>(id - 1));
      add_failed_attempt(result.letter, {wall_, std::chrono::microseconds(5), "std::logic_error", "again"},
                         Reason::Permanent, wall_);
    }
    return redrives().settle("bus", std::vector{result});
  }
  bool begin(std::int64_t id) { return redrives().begin("bus", id, wall_); }
  std::vector<LetterKey> keys(bool parks) {
    return redrives().keys("orders", {"orders.order_placed", "send_receipt", parks});
  }

  Instant now_ = Instant(std::chrono::hours(1));
  const Timestamp wall_ = Timestamp(std::chrono::microseconds(1'900'000'000'000'000));
  std::vector<std::int64_t> waiting_;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_P(RedrivesContract, OnlyMarkedLettersAreClaimed) {
  store_letters(3);
  EXPECT_THAT(claimed(), IsEmpty());
  const auto request = mark({.ids = {{2}}});
  EXPECT_GT(request.id, 0);
  EXPECT_EQ(request.letters, 1U);
  const auto claim = claim_as("bus");
  ASSERT_THAT(ids_of(claim), ElementsAre(2));
  EXPECT_EQ(claim.letters[0].redrive_id, request.id);
  expect_equal_letter(claim.letters[0].letter, letter(2));
}

TEST_P(RedrivesContract, EachLetterIsClaimedByOne) {
  store_letters(5);
  static_cast<void>(mark());
  EXPECT_THAT(ids_of(claim_as("one", 2)), ElementsAre(1, 2));
  EXPECT_THAT(ids_of(claim_as("two")), ElementsAre(3, 4, 5));
  EXPECT_THAT(ids_of(claim_as("three")), IsEmpty());
}

TEST_P(RedrivesContract, SaysWhetherThereIsMore) {
  store_letters(3);
  static_cast<void>(mark());
  EXPECT_TRUE(claim_as("bus", 2).more);
  EXPECT_FALSE(claim_as("bus", 2).more);
}

TEST_P(RedrivesContract, OnlyLettersOfServedHandlersAndTheServiceAreClaimed) {
  DeadLetter other_handler = letter(1);
  other_handler.handler = "update_stock";
  DeadLetter other_type = letter(2);
  other_type.event_type = "orders.order_cancelled";
  DeadLetter other_service = letter(3);
  other_service.service = "shipping";
  static_cast<void>(store({other_handler, other_type, other_service, letter(4)}));
  EXPECT_EQ(mark().letters, 3U);
  EXPECT_THAT(claimed(), ElementsAre(4));
  EXPECT_THAT(ids_of(claim_as("bus", 9, {{"*", "send_receipt"}})), ElementsAre(2));
  EXPECT_THAT(ids_of(claim_as("bus", 9, {})), IsEmpty());
}

TEST_P(RedrivesContract, EachFilterRestricts) {
  store_letters(2);
  DeadLetter special = full_letter(3);
  special.failed_at += std::chrono::hours(1);
  static_cast<void>(store({special}));
  const std::vector<LetterFilter> filters = {
      {.ids = {{3, 99}}},
      {.handler = "charge_card"},
      {.fingerprint = special.error_fingerprint, .since = special.failed_at},
      {.correlation_id = special.metadata.correlation_id.to_string()},
      {.event_id = special.metadata.event_id},
      {.reason = Reason::Permanent},
      {.since = special.failed_at}};
  for (const LetterFilter& filter : filters) {
    EXPECT_EQ(mark(filter).letters, 1U);
    EXPECT_THAT(ids_of(claim_as("bus", 9, {{"*", "charge_card"}})), ElementsAre(3));
    RedriveResult back{.id = 3, .end = End::Withdrawn, .at = wall_, .letter = {}};
    redrives().settle("bus", std::vector{back});
  }
  EXPECT_EQ(mark({.event_type = "orders.unknown"}).letters, 0U);
  EXPECT_EQ(mark({.event_type = "orders.unknown"}).id, 0);
  EXPECT_EQ(mark({.until = special.failed_at}).letters, 2U);
}

TEST_P(RedrivesContract, LettersWithoutTheirWholePayloadAreNotMarked) {
  DeadLetter without = letter(1);
  without.data = {{}, DataEncoding::None, "not to be stored"};
  DeadLetter masked = letter(2);
  masked.data.encoding = DataEncoding::Masked;
  static_cast<void>(store({without, masked, letter(3)}));
  EXPECT_EQ(mark({.ids = {{1}}}).letters, 0U);
  EXPECT_EQ(mark().letters, 1U);
  EXPECT_THAT(claimed(), ElementsAre(3));
}

TEST_P(RedrivesContract, WhatIsMarkedOrClaimedIsNotMarkedAgain) {
  store_letters(2);
  EXPECT_EQ(mark({.ids = {{1}}}).letters, 1U);
  EXPECT_EQ(mark().letters, 1U);
  static_cast<void>(claimed());
  EXPECT_EQ(mark().letters, 0U);
}

TEST_P(RedrivesContract, ASuccessResolvesTheLetterForGood) {
  store_letters(1);
  const auto request = mark();
  static_cast<void>(claimed());
  EXPECT_TRUE(begin(1));
  const auto ended = settle(1, End::Reprocessed);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].id, request.id);
  EXPECT_FALSE(ended[0].stopped);
  EXPECT_EQ(ended[0].succeeded, 1);
  EXPECT_EQ(mark().letters, 0U);
  EXPECT_THAT(claimed(), IsEmpty());
  expect_equal_letter(subject_.letters().at(0), letter(1));
}

TEST_P(RedrivesContract, AFailureAppendsTheAttemptAndTakesTheMarkBack) {
  store_letters(1);
  static_cast<void>(mark());
  static_cast<void>(claimed());
  const auto ended = settle(1, End::Failed);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].failed, 1);
  EXPECT_THAT(claimed(), IsEmpty());
  const DeadLetter failed = subject_.letters().at(0);
  EXPECT_EQ(failed.reason, Reason::Permanent);
  EXPECT_EQ(failed.error_message, "again");
  EXPECT_EQ(failed.error_fingerprint, error_fingerprint("send_receipt", "std::logic_error", "again"));
  EXPECT_EQ(failed.failed_at, wall_);
  ASSERT_EQ(failed.attempts.size(), 1U);
  EXPECT_EQ(failed.attempts[0].error_type, "std::logic_error");
  EXPECT_EQ(mark().letters, 1U);
}

TEST_P(RedrivesContract, AReturnedLetterIsClaimedAgainAndAWithdrawnOneIsNot) {
  store_letters(2);
  static_cast<void>(mark());
  static_cast<void>(claimed());
  EXPECT_THAT(settle(1, End::Returned), IsEmpty());
  settle(2, End::Withdrawn);
  EXPECT_THAT(claimed(), ElementsAre(1));
}

TEST_P(RedrivesContract, WhoHoldsNoClaimNeitherBeginsNorSettles) {
  store_letters(1);
  static_cast<void>(mark());
  EXPECT_FALSE(begin(1));
  static_cast<void>(claim_as("other"));
  EXPECT_FALSE(begin(1));
  EXPECT_FALSE(begin(77));
  settle(1, End::Reprocessed);
  EXPECT_TRUE(redrives().begin("other", 1, wall_));
}

TEST_P(RedrivesContract, ACanaryGoesFirstAndAlone) {
  store_letters(5);
  static_cast<void>(mark({}, {.canary = 2}));
  EXPECT_THAT(claimed(), ElementsAre(1, 2));
  EXPECT_THAT(claimed(), IsEmpty());
  settle(1, End::Reprocessed);
  EXPECT_THAT(claimed(), IsEmpty());
  settle(2, End::Reprocessed);
  EXPECT_THAT(claimed(), ElementsAre(3, 4, 5));
}

TEST_P(RedrivesContract, AReturnedCanaryMakesRoomForItself) {
  store_letters(3);
  static_cast<void>(mark({}, {.canary = 1}));
  EXPECT_THAT(claimed(), ElementsAre(1));
  settle(1, End::Returned);
  EXPECT_THAT(claimed(), ElementsAre(1));
}

TEST_P(RedrivesContract, ACanaryThatFailsStopsTheRequestAndTakesTheMarksBack) {
  store_letters(4);
  const auto request = mark({}, {.canary = 2});
  static_cast<void>(claimed());
  EXPECT_THAT(settle(2, End::Failed), IsEmpty());  // one is claimed
  EXPECT_FALSE(begin(1));
  const auto ended = settle(1, End::Returned);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].id, request.id);
  EXPECT_TRUE(ended[0].stopped);
  EXPECT_EQ(ended[0].failed, 1);
  EXPECT_THAT(claimed(), IsEmpty());
  EXPECT_EQ(mark().letters, 4U);
}

TEST_P(RedrivesContract, ARequestThatStopsWaitsForWhatRunsAndCountsIt) {
  store_letters(4);
  static_cast<void>(mark({}, {.canary = 2}));
  static_cast<void>(claimed());
  EXPECT_TRUE(begin(1));
  settle(2, End::Failed);
  EXPECT_THAT(redrives().tend("bus", std::chrono::seconds(30), wall_).ended, IsEmpty());
  const auto ended = settle(1, End::Reprocessed);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].stopped);
  EXPECT_EQ(ended[0].succeeded + ended[0].failed, 2);
  EXPECT_EQ(mark().letters, 3U);
}

TEST_P(RedrivesContract, StopsAfterSoManyFailures) {
  store_letters(5);
  static_cast<void>(mark({}, {.stop_after = 2}));
  static_cast<void>(claimed(3));
  EXPECT_THAT(settle(1, End::Failed), IsEmpty());
  EXPECT_TRUE(begin(3));
  EXPECT_THAT(settle(2, End::Failed), IsEmpty());
  EXPECT_FALSE(begin(3));
  EXPECT_THAT(claimed(), IsEmpty());
  const auto ended = settle(3, End::Returned);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].stopped);
  EXPECT_EQ(mark().letters, 5U);
}

TEST_P(RedrivesContract, KeepsToARateWhoeverClaims) {
  store_letters(200);
  static_cast<void>(mark({}, {.rate = 40.0}));
  std::size_t first_second = 0;
  for (int step = 0; step < 100; ++step) {
    first_second += ids_of(claim_as(step % 2 == 0 ? "one" : "two")).size();
    now_ += std::chrono::milliseconds(10);
  }
  EXPECT_LE(first_second, 40U);
  EXPECT_GE(first_second, 20U);
}

TEST_P(RedrivesContract, SaysWhenTheRateLetsMoreBeClaimedAndWaitsForThoseThatHaveNotBegun) {
  store_letters(3);
  const auto request = mark({}, {.rate = 2.0});
  const auto first = claim_as("bus");
  EXPECT_EQ(first.letters.size(), 1U);
  ASSERT_TRUE(first.next.has_value());
  EXPECT_EQ(*first.next - now_, std::chrono::milliseconds(500));
  now_ = *first.next;
  waiting_ = {request.id};
  EXPECT_THAT(claimed(), IsEmpty());
  waiting_.clear();
  EXPECT_THAT(claimed(), ElementsAre(2));
}

TEST_P(RedrivesContract, LettersLeftByAShutdownAreClaimedUnmarkedInOrder) {
  store_letters(3, Reason::Shutdown);
  EXPECT_THAT(claimed(2), ElementsAre(1, 2));
  settle(1, End::Failed);
  EXPECT_THAT(claimed(), ElementsAre(3));  // the first has another reason now
}

TEST_P(RedrivesContract, LettersOfOneKeyWaitForEarlierOnesThatComeToo) {
  for (std::uint64_t number = 1; number <= 3; ++number) store_with_key(number, "Ada");
  store_with_key(4, std::nullopt);
  static_cast<void>(mark({.ids = {{2, 3, 4}}}));
  EXPECT_THAT(ids_of(claim_as("one", 1)), ElementsAre(2));
  EXPECT_THAT(ids_of(claim_as("two")), ElementsAre(4));  // the third follows the second, which another holds
  EXPECT_THAT(ids_of(claim_as("one")), ElementsAre(3));
}

TEST_P(RedrivesContract, ParkedLettersWaitUntilEveryEarlierOneIsResolved) {
  for (std::uint64_t number = 1; number <= 3; ++number) store_with_key(number, "Ada");
  static_cast<void>(mark({.ids = {{2, 3}}}));
  EXPECT_THAT(claimed(9, true), IsEmpty());
  static_cast<void>(mark({.ids = {{1}}}));
  EXPECT_THAT(claimed(1, true), ElementsAre(1));
  settle(1, End::Reprocessed);
  EXPECT_THAT(claimed(9, true), ElementsAre(2, 3));
}

TEST_P(RedrivesContract, AFailureTakesTheMarksOfThoseParkedBehindBack) {
  for (std::uint64_t number = 1; number <= 3; ++number) store_with_key(number, "Ada");
  store_with_key(4, "Ben");
  static_cast<void>(mark());
  EXPECT_THAT(claimed(1, true), ElementsAre(1));
  settle(1, End::Failed, true);
  EXPECT_THAT(claimed(9, true), ElementsAre(4));
  EXPECT_EQ(mark().letters, 3U);
}

TEST_P(RedrivesContract, TellsWhichKeysAreComing) {
  store_with_key(1, "dead");
  store_with_key(2, "marked");
  store_with_key(3, "left");
  static_cast<void>(store([&] {
    DeadLetter left = letter(4);
    left.reason = Reason::Shutdown;
    left.ordering_key = "left";
    DeadLetter alone = letter(5);
    alone.reason = Reason::Shutdown;
    alone.ordering_key = "alone";
    return std::vector{left, alone};
  }()));
  static_cast<void>(mark({.ids = {{2}}}));
  std::map<std::string, bool> coming;
  for (const LetterKey& key : keys(true)) coming[key.key] = key.coming;
  EXPECT_THAT(coming, ElementsAre(std::pair("alone", true), std::pair("dead", false),
                                  std::pair("left", false), std::pair("marked", true)));
  std::map<std::string, bool> resuming;
  for (const LetterKey& key : keys(false)) resuming[key.key] = key.coming;
  EXPECT_THAT(resuming, ElementsAre(std::pair("alone", true), std::pair("left", true)));
}

TEST_P(RedrivesContract, NoticesMarksOnceAndIsQuietOtherwise) {
  store_letters(1);
  static_cast<void>(redrives().changed());
  EXPECT_FALSE(redrives().changed());
  static_cast<void>(store({letter(2)}));
  EXPECT_TRUE(redrives().changed());
  EXPECT_FALSE(redrives().changed());
}

TEST_P(RedrivesContract, TakesLettersUpToSoManyBytesAndOneWhateverItsSize) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    DeadLetter large = letter(number);
    large.data = encode_data(std::string(100'000, 'x'));
    static_cast<void>(store({large}));
  }
  static_cast<void>(mark());
  EXPECT_THAT(claimed(), ElementsAre(1));
  EXPECT_THAT(claimed(), ElementsAre(2));
}

}  // namespace tidings::contract
