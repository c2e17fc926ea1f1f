#include "deadletter/store_fixture.hpp"

#include "file/boot_clock.hpp"
#include "redrive/letter_claims.hpp"

#include <tidings/redrive.hpp>

#include <unistd.h>

namespace tidings::deadletter {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr seconds kLease{30};

/// A store whose boot-time clock and boot id are the test's.
class RedriveStoreTest : public StoreTest {
 protected:
  using End = RedriveResult::End;

  RedriveStoreTest() { reopen({}); }

  void reopen(const StoreOptions& options) {
    StoreInternals internals;
    internals.boot_id = boot_;
    internals.boot_time = [this] { return boot_time_; };
    store_ = open_store(database(), options, std::move(internals));
    static_cast<void>(redrives().changed());
  }
  Redrives& redrives() { return *store_->redrives(); }
  void store_marked(std::uint64_t count) {
    static_cast<void>(store(*store_, letters(1, count)));
    static_cast<void>(redrives().mark("orders", {}, {}, wall_));
  }
  std::vector<std::int64_t> claim(const std::string& claimant = "bus") {
    const std::vector<ServedHandler> handlers = {{"orders.order_placed", "send_receipt"}};
    std::vector<std::int64_t> ids;
    last_ = redrives().claim({.service = "orders",
                              .claimant = claimant,
                              .handlers = handlers,
                              .most_letters = 500,
                              .most_bytes = 1U << 24U,
                              .lease = kLease,
                              .now = {},
                              .wall = wall_,
                              .waiting = {}});
    for (const auto& letter : last_.letters) ids.push_back(letter.id);
    return ids;
  }
  RedriveUpkeep tend(const std::string& claimant = "bus") { return redrives().tend(claimant, kLease, wall_); }
  std::vector<RedriveEnd> settle(std::int64_t id, End end) {
    RedriveResult result{.id = id, .end = end, .at = wall_, .letter = letter(static_cast<std::uint64_t>(id))};
    return redrives().settle("bus", std::vector{result});
  }
  void pass(seconds time) { boot_time_ += std::chrono::microseconds(time).count(); }
  std::string row(const std::string& columns, std::int64_t id = 1) {
    return query("SELECT " + columns + " FROM dead_letters WHERE id = " + std::to_string(id));
  }

  std::int64_t boot_time_ = 1'000'000'000;
  std::string boot_ = "boot-1";
  Timestamp wall_ = failed_at(10'000);
  LetterClaim last_;
  std::shared_ptr<Store> store_;
};

TEST_F(RedriveStoreTest, MarksNoLetterThatNoHandlerGaveUp) {
  static_cast<void>(store(*store_, letters(1, 2)));
  execute("UPDATE dead_letters SET handler = '', reason = 'unhandled' WHERE id = 2");
  EXPECT_EQ(redrives().mark("orders", {}, {}, wall_).letters, 1U);
  EXPECT_EQ(row("redrive_requested_at IS NULL", 2), "1");
}

TEST_F(RedriveStoreTest, WritesDownWhoHoldsALetterAndForHowLong) {
  store_marked(1);
  ASSERT_THAT(claim(), ElementsAre(1));
  EXPECT_EQ(row("claimed_by"), "boot-1/" + std::to_string(::getpid()) + "/bus");
  EXPECT_EQ(row("claimed_until"), std::to_string(boot_time_ + 30'000'000));
  EXPECT_EQ(row("redrive_started_at IS NULL"), "1");
  ASSERT_TRUE(redrives().begin("bus", 1, wall_));
  EXPECT_EQ(row("redrive_started_at"), std::to_string(wall_.time_since_epoch().count()));
  settle(1, End::Reprocessed);
  EXPECT_EQ(row("coalesce(redrive_requested_at, redrive_id, claimed_by, claimed_until, redrive_started_at, "
                "'none')"),
            "none");
  EXPECT_EQ(row("resolution || ' ' || reprocessed_at"),
            "reprocessed " + std::to_string(wall_.time_since_epoch().count()));
  EXPECT_EQ(query("SELECT letters || state || succeeded || failed FROM tidings_redrives"), "1finished10");
}

TEST_F(RedriveStoreTest, AFailureClearsMarkAndClaimAndLeavesTheLetterUnresolved) {
  store_marked(1);
  static_cast<void>(claim());
  settle(1, End::Failed);
  EXPECT_EQ(row("coalesce(redrive_requested_at, claimed_by, claimed_until, redrive_started_at, "
                "reprocessed_at, 'none') || redrive_id"),
            "none1");
  EXPECT_EQ(query("SELECT state || failed FROM tidings_redrives"), "finished1");
}

TEST_F(RedriveStoreTest, UpkeepRenewsItsOwnClaims) {
  store_marked(2);
  static_cast<void>(claim());
  pass(seconds(9));
  static_cast<void>(tend());
  EXPECT_EQ(row("claimed_until"), std::to_string(boot_time_ + 21'000'000));  // not worth a write yet
  pass(seconds(2));
  static_cast<void>(tend());
  EXPECT_EQ(row("claimed_until", 2), std::to_string(boot_time_ + 30'000'000));
}

TEST_F(RedriveStoreTest, ItsOwnClaimsThatItDoesNotKnowOfEndWithTheirLease) {
  store_marked(2);
  static_cast<void>(claim());
  settle(2, End::Returned);
  execute(
      "UPDATE dead_letters SET claimed_by = (SELECT claimed_by FROM dead_letters WHERE id = 1),"
      " claimed_until = (SELECT claimed_until FROM dead_letters WHERE id = 1) WHERE id = 2");
  pass(kLease - seconds(1));
  EXPECT_EQ(tend().returned, 0U);
  pass(seconds(2));
  EXPECT_EQ(tend().returned, 1U);
  EXPECT_EQ(row("claimed_by IS NULL", 1), "0");
  EXPECT_EQ(row("claimed_by IS NULL", 2), "1");
}

TEST_F(RedriveStoreTest, AClaimThatWasNotRenewedReturnsToBeClaimed) {
  store_marked(1);
  static_cast<void>(claim("dead"));
  pass(kLease - seconds(1));
  EXPECT_EQ(tend().returned, 0U);
  EXPECT_THAT(claim(), IsEmpty());
  pass(seconds(1));
  EXPECT_EQ(tend().returned, 1U);
  EXPECT_THAT(claim(), ElementsAre(1));
}

TEST_F(RedriveStoreTest, AClaimOfAnotherBootReturnsAtOnce) {
  store_marked(1);
  static_cast<void>(claim());
  boot_ = "boot-2";
  boot_time_ = 5;
  reopen({});
  EXPECT_EQ(tend().returned, 1U);
  EXPECT_THAT(claim(), ElementsAre(1));
}

TEST_F(RedriveStoreTest, ADeathDuringTheHandlerIsAnAttemptAndNotRepeated) {
  store_marked(2);
  static_cast<void>(claim("dead"));
  ASSERT_TRUE(redrives().begin("dead", 1, wall_));
  pass(kLease);
  const auto upkeep = tend();
  EXPECT_THAT(crashed_in(upkeep), ElementsAre(1));
  EXPECT_EQ(upkeep.returned, 1U);
  EXPECT_THAT(claim(), ElementsAre(2));
  EXPECT_EQ(row("reason || ' ' || error_type || ' ' || retry_count"), "crashed tidings::crashed 2");
  EXPECT_EQ(row("json_array_length(attempts)"), "2");
  EXPECT_THAT(row("attempts ->> '$[1].error_message'"), HasSubstr("the process died while the handler ran"));
  EXPECT_EQ(row("attempts ->> '$[1].at'"), std::to_string(wall_.time_since_epoch().count()));
  EXPECT_EQ(query("SELECT failed FROM tidings_redrives"), "1");
}

TEST_F(RedriveStoreTest, OfAProcessThatDiedThePidIsKnownByItsClaim) {
  store_marked(1);
  execute("UPDATE dead_letters SET host = 'old', pid = 1, release = 'old', span_id = '00f067aa0ba902b7'");
  static_cast<void>(claim("dead"));
  ASSERT_TRUE(redrives().begin("dead", 1, wall_));
  pass(kLease);
  static_cast<void>(tend());
  EXPECT_EQ(row("pid"), std::to_string(::getpid()));
  EXPECT_EQ(row("coalesce(host, release, span_id, 'none')"), "none");
}

TEST_F(RedriveStoreTest, AFailureSaysInWhichProcessItWas) {
  store_marked(1);
  static_cast<void>(claim());
  RedriveResult result{.id = 1, .end = End::Failed, .at = wall_, .letter = letter(1)};
  result.letter.process = {"web-3", 42, "orders@2"};
  result.letter.attempts.back().span_id = SpanId::parse("00f067aa0ba902b7");
  static_cast<void>(redrives().settle("bus", std::vector{result}));
  EXPECT_EQ(row("host || ' ' || pid || ' ' || release || ' ' || span_id"),
            "web-3 42 orders@2 00f067aa0ba902b7");
}

TEST_F(RedriveStoreTest, ACrashOfTheCanaryStopsTheRequest) {
  static_cast<void>(store(*store_, letters(1, 5)));
  static_cast<void>(redrives().mark("orders", {}, {.canary = 1}, wall_));
  static_cast<void>(claim("dead"));
  ASSERT_TRUE(redrives().begin("dead", 1, wall_));
  pass(kLease);
  const auto upkeep = tend();
  ASSERT_EQ(upkeep.ended.size(), 1U);
  EXPECT_TRUE(upkeep.ended[0].stopped);
  static_cast<void>(tend());
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE redrive_requested_at IS NOT NULL"), "0");
}

TEST_F(RedriveStoreTest, WhatIsClaimedWithoutAMarkIsOfNoEarlierRequest) {
  auto left = letter(1);
  left.reason = Reason::Shutdown;
  static_cast<void>(store(*store_, {left}));
  execute("UPDATE dead_letters SET redrive_id = 7");
  EXPECT_THAT(claim(), ElementsAre(1));
  EXPECT_EQ(row("ifnull(redrive_id, 'none')"), "none");
}

TEST_F(RedriveStoreTest, AClaimThatWasLostIsNeitherBegunNorSettled) {
  store_marked(1);
  static_cast<void>(claim());
  pass(kLease);
  static_cast<void>(tend("other"));
  EXPECT_FALSE(redrives().begin("bus", 1, wall_));
  settle(1, End::Reprocessed);
  EXPECT_EQ(row("reprocessed_at IS NULL"), "1");
}

TEST_F(RedriveStoreTest, MarksOfOtherProcessesAreClaimed) {
  static_cast<void>(store(*store_, letters(1, 3)));
  static_cast<void>(redrives().changed());
  EXPECT_FALSE(redrives().changed());
  execute(
      "INSERT INTO tidings_redrives (id, requested_at, requested_by, letters, succeeded, failed, state)"
      " VALUES (7, 1, 'ada', 2, 0, 0, 'open')");
  execute("UPDATE dead_letters SET redrive_requested_at = 1, redrive_id = 7 WHERE id > 1");
  EXPECT_TRUE(redrives().changed());
  EXPECT_THAT(claim(), ElementsAre(2, 3));
  EXPECT_EQ(last_.letters[0].redrive_id, 7);
}

TEST_F(RedriveStoreTest, ARequestThatItsMakerStillMarksForIsReopened) {
  store_marked(1);
  static_cast<void>(claim());
  ASSERT_EQ(settle(1, End::Reprocessed).size(), 1U);
  static_cast<void>(store(*store_, {letter(2)}));
  execute("UPDATE dead_letters SET redrive_requested_at = 1, redrive_id = 1 WHERE id = 2");
  execute("UPDATE tidings_redrives SET letters = 2");
  EXPECT_THAT(claim(), ElementsAre(2));
  EXPECT_EQ(query("SELECT state || (finished_at IS NULL) FROM tidings_redrives"), "open1");
}

TEST_F(RedriveStoreTest, ARequestWhoseLettersWereTakenAwayIsFinished) {
  store_marked(2);
  execute(
      "UPDATE dead_letters SET redrive_requested_at = NULL, redrive_id = NULL, reprocessed_at = 1,"
      " resolution = 'discarded'");
  static_cast<void>(redrives().changed());
  EXPECT_EQ(tend().ended.size(), 1U);
  EXPECT_EQ(query("SELECT state FROM tidings_redrives"), "finished");
}

TEST_F(RedriveStoreTest, ALetterThatIsDiscardedBeforeItsTurnIsNotBegun) {
  store_marked(1);
  static_cast<void>(claim());
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded'");
  EXPECT_FALSE(redrives().begin("bus", 1, wall_));
  settle(1, End::Returned);
  EXPECT_EQ(row("resolution"), "discarded");
  EXPECT_THAT(claim(), IsEmpty());
}

TEST_F(RedriveStoreTest, ARowThatCannotBeReadIsSetAsideAndHoldsUpNoOther) {
  store_marked(2);
  execute("UPDATE dead_letters SET correlation_id = '' WHERE id = 1");
  EXPECT_THAT(claim(), ElementsAre(2));
  ASSERT_EQ(last_.unreadable.size(), 1U);
  EXPECT_EQ(last_.unreadable[0].id, 1);
  EXPECT_THAT(last_.unreadable[0].problem, HasSubstr("dead letter 1 cannot be read"));
  EXPECT_THAT(row("attempts ->> '$[1].error_message'"), HasSubstr("cannot be read"));
  EXPECT_EQ(row("coalesce(redrive_requested_at, claimed_by, reprocessed_at, reason)"), "undecodable");
  EXPECT_EQ(query("SELECT failed FROM tidings_redrives"), "1");
}

TEST_F(RedriveStoreTest, LooksThroughMarksThatNobodyServesAPartAtATime) {
  execute(
      R"(INSERT INTO dead_letters (event_id, event_type, schema_version, data_encoding, attributes, source,
      handler, service, reason, error_type, error_message, error_fingerprint, correlation_id, causation_depth,
      published_at, failed_at, retry_count, attempts, redrive_requested_at)
      WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 25000)
      SELECT printf('019a0000-0000-7000-8000-%012x', i), 'orders.order_placed', 1, 'none', '{}', 'orders',
      'gone', 'orders', 'exhausted', '', '', '', 'id', 0, 1, 1, 0, '[]', 1 FROM number)");
  DeadLetter last = letter(30'000);
  static_cast<void>(store(*store_, {last}));
  static_cast<void>(redrives().mark("orders", {.handler = "send_receipt"}, {}, wall_));
  EXPECT_THAT(claim(), IsEmpty());
  EXPECT_TRUE(last_.more);
  EXPECT_THAT(claim(), ElementsAre(25'001));
  EXPECT_FALSE(last_.more);
}

TEST_F(RedriveStoreTest, PagesOfMarksBeginWhereTheLastOneEnded) {
  const SQLite::Database opened(database().native());
  const auto plan = [&](const char* sql) {
    SQLite::Statement row(opened, std::string("EXPLAIN QUERY PLAN ") + sql);
    return row.executeStep() ? row.getColumn(3).getString() : std::string();
  };
  EXPECT_THAT(plan(kMarkedThen),
              HasSubstr("dead_letters_marked (service=? AND redrive_requested_at=? AND id>?)"));
  EXPECT_THAT(plan(kMarkedLater), HasSubstr("dead_letters_marked (service=? AND redrive_requested_at>?)"));
}

TEST_F(RedriveStoreTest, ARequestThatMayHaveNoMoreNowHoldsUpNoOtherOfTheSameMoment) {
  static_cast<void>(store(*store_, letters(1, 1'102)));
  for (const std::uint64_t first : {1U, 1'101U}) {
    const auto until = failed_at(first == 1 ? 1'101 : 1'102);
    static_cast<void>(
        redrives().mark("orders", {.since = failed_at(first), .until = until}, {.rate = 1}, wall_));
  }
  static_cast<void>(redrives().mark("orders", {.since = failed_at(1'102)}, {}, wall_ + seconds(1)));
  EXPECT_THAT(claim(), ElementsAre(1, 1'101, 1'102));
  EXPECT_FALSE(last_.more);
}

TEST_F(RedriveStoreTest, ARequestThatMayHaveNoMoreNowHoldsUpNoLaterOne) {
  static_cast<void>(store(*store_, letters(1, 1'101)));
  static_cast<void>(redrives().mark("orders", {.until = failed_at(1'101)}, {.rate = 1}, wall_));
  static_cast<void>(redrives().mark("orders", {.since = failed_at(1'101)}, {}, wall_ + seconds(1)));
  EXPECT_THAT(claim(), ElementsAre(1, 1'101));
  EXPECT_THAT(claim(), IsEmpty());
}

TEST_F(RedriveStoreTest, TakesBackThousandsOfMarksAFewAtATime) {
  static_cast<void>(store(*store_, letters(1, 1200)));
  static_cast<void>(redrives().mark("orders", {}, {.canary = 1}, wall_));
  static_cast<void>(claim());
  settle(1, End::Failed);
  int calls = 1;
  EXPECT_EQ(query("SELECT state FROM tidings_redrives"), "open");
  std::vector<RedriveEnd> ended;
  for (bool more = true; more; ++calls) {
    pass(seconds(10));  // it may take a part of the time only
    const auto upkeep = tend();
    more = upkeep.more;
    ended.insert(ended.end(), upkeep.ended.begin(), upkeep.ended.end());
  }
  EXPECT_EQ(calls, 3);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].stopped);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE redrive_requested_at IS NOT NULL"), "0");
}

TEST_F(RedriveStoreTest, WhileTheDatabaseIsLockedCallsSaySo) {
  StoreOptions impatient;
  impatient.busy_timeout = std::chrono::milliseconds(5);
  reopen(impatient);
  store_marked(1);
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(claim()); }), HasSubstr("orders.db"));
  other.exec("ROLLBACK");
  EXPECT_THAT(claim(), ElementsAre(1));
}

TEST_F(RedriveStoreTest, LeavesADatabaseAloneThatTookTheOldOnesPlace) {
  store_marked(1);
  static_cast<void>(claim());
  std::filesystem::remove(database());
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(claim()); }));
  static_cast<void>(Store::open(database()));
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(claim()); }));
}

TEST_F(RedriveStoreTest, AForkedChildIsRefused) {
  store_marked(1);
  static_cast<void>(claim());
  EXPECT_TRUE(succeeded(run_in_child([&] {
    static_cast<void>(error_of(ErrorCode::ForkedChild, [&] { static_cast<void>(claim()); }));
    store_.reset();
    return true;
  })));
  EXPECT_TRUE(redrives().begin("bus", 1, wall_));
}

// --- retention ---

class RetentionTest : public RedriveStoreTest {
 protected:
  RetentionTest() {
    static_cast<void>(store(*store_, letters(1, 5)));
    execute(
        "UPDATE dead_letters SET reprocessed_at = failed_at, resolution = 'discarded' WHERE id IN (1, 3, 5)");
    wall_ = failed_at(3) + hours(24 * 30);
  }
};

TEST_F(RetentionTest, DeletesWhatWasResolvedLongAgoAndNothingElse) {
  EXPECT_EQ(tend().deleted, 1U);
  EXPECT_THAT(stored_events(), ElementsAre(event_id(2), event_id(3), event_id(4), event_id(5)));
}

TEST_F(RetentionTest, NeverDeletesAnUnresolvedLetterNorTheNewestNumber) {
  wall_ += hours(24 * 365 * 10);
  EXPECT_EQ(tend().deleted, 2U);
  EXPECT_THAT(stored_events(), ElementsAre(event_id(2), event_id(4), event_id(5)));
}

TEST_F(RetentionTest, LooksOnceAMinute) {
  static_cast<void>(tend());
  wall_ += hours(24 * 365 * 10);
  pass(seconds(59));
  EXPECT_EQ(tend().deleted, 0U);
  pass(seconds(1));
  EXPECT_EQ(tend().deleted, 1U);
}

TEST_F(RetentionTest, KeepsEverythingWhenToldTo) {
  StoreOptions keep;
  keep.retention = hours(0);
  reopen(keep);
  wall_ += hours(24 * 365 * 10);
  EXPECT_EQ(tend().deleted, 0U);
  keep.retention = hours(-1);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { reopen(keep); }), HasSubstr("retention"));
}

TEST_F(RetentionTest, TheAuditIsKeptForAYear) {
  const std::string at = std::to_string((wall_ - hours(24 * 365)).time_since_epoch().count());
  execute(
      "INSERT INTO tidings_audit (at, user, host, verb, filter, letters) SELECT column1, 'ann', 'desk', "
      "'undo', '{}', 1 FROM (VALUES (" +
      at + " - 2), (" + at + " - 1), (" + at + "))");
  static_cast<void>(tend());
  EXPECT_EQ(query("SELECT count(*) FROM tidings_audit"), "1");
}

TEST_F(RetentionTest, TheAuditIsKeptForEverWhenToldTo) {
  StoreOptions keep;
  keep.audit_retention = hours(0);
  reopen(keep);
  execute(
      "INSERT INTO tidings_audit (at, user, host, verb, filter, letters) VALUES (1, 'a', 'b', 'undo', '{}', "
      "1)");
  static_cast<void>(tend());
  EXPECT_EQ(query("SELECT count(*) FROM tidings_audit"), "1");
  keep.audit_retention = hours(-1);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { reopen(keep); }), HasSubstr("audit_retention"));
}

TEST_F(RetentionTest, DeletesInSmallBatches) {
  static_cast<void>(store(*store_, letters(6, 1200)));
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded'");
  std::vector<std::size_t> batches;
  for (RedriveUpkeep upkeep = tend();; upkeep = tend()) {
    batches.push_back(upkeep.deleted);
    if (!upkeep.more) break;
  }
  EXPECT_THAT(batches, ElementsAre(500U, 500U, 199U));
}

TEST_F(RetentionTest, ForgetsRequestsThatEndedLongAgo) {
  for (const char* state : {"finished", "stopped", "open", "finished"}) {
    execute(
        std::string("INSERT INTO tidings_redrives (requested_at, requested_by, letters, succeeded, failed,"
                    " state, finished_at) VALUES (1, 'ada', 0, 0, 0, '") +
        state + "', iif('" + state + "' = 'open', NULL, 1))");
  }
  execute("UPDATE dead_letters SET redrive_requested_at = 1, redrive_id = 3 WHERE id = 2");
  static_cast<void>(tend());
  EXPECT_EQ(query("SELECT group_concat(id) FROM tidings_redrives"), "3,4");
}

}  // namespace
}  // namespace tidings::deadletter
