#include "check_dead_letters/check.hpp"

#include "tools/report_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Check, NoLettersAreOk) {
  const Verdict verdict = judge(answer_of("a.db", 0), {}, kNow);
  EXPECT_EQ(verdict.state, State::Ok);
  EXPECT_THAT(verdict.reasons, IsEmpty());
}

TEST(Check, AnyLetterIsAWarningByDefault) {
  const Verdict verdict = judge(answer_of("a.db", 1), {}, kNow);
  EXPECT_EQ(verdict.state, State::Warning);
  EXPECT_THAT(verdict.reasons, ElementsAre("unresolved_warning"));
}

TEST(Check, CriticalRangeWinsOverWarning) {
  const Thresholds thresholds{.critical = Range(10)};
  EXPECT_EQ(judge(answer_of("a.db", 10), thresholds, kNow).state, State::Warning);
  const Verdict verdict = judge(answer_of("a.db", 11), thresholds, kNow);
  EXPECT_EQ(verdict.state, State::Critical);
  EXPECT_THAT(verdict.reasons, ElementsAre("unresolved_critical"));
}

TEST(Check, OldestLetterIsJudgedAlsoOutsideTheWindow) {
  Answer answer = answer_of("a.db", 0);
  answer.facts.oldest = letter_of(1, hours(49));
  const Thresholds thresholds{.oldest_warning = Range::parse_age("1d"),
                              .oldest_critical = Range::parse_age("2d")};
  EXPECT_THAT(judge(answer, thresholds, kNow).reasons, ElementsAre("oldest_critical"));
  answer.facts.oldest = letter_of(1, hours(48));
  EXPECT_THAT(judge(answer, thresholds, kNow).reasons, ElementsAre("oldest_warning"));
  answer.facts.oldest = letter_of(1, hours(24));
  EXPECT_EQ(judge(answer, thresholds, kNow).state, State::Ok);
}

TEST(Check, HandlersThatNobodyServesAreAWarningAndABacklogIsNot) {
  Answer answer = answer_of("a.db", 0);
  answer.facts.journal = {100, true, kNow - hours(1)};
  EXPECT_EQ(judge(answer, {}, kNow).state, State::Ok);
  answer.facts.unserved = {unserved_of("ship")};
  const Verdict verdict = judge(answer, {}, kNow);
  EXPECT_EQ(verdict.state, State::Warning);
  EXPECT_THAT(verdict.reasons, ElementsAre("handlers_unserved"));
}

TEST(Check, AgeRangesSayNothingWithoutALetter) {
  const Thresholds thresholds{.oldest_critical = Range::parse_age("1h:")};
  EXPECT_EQ(judge(answer_of("a.db", 0), thresholds, kNow).state, State::Ok);
}

TEST(Check, WaitingSpillFileIsAWarningAlthoughNoLetterIs) {
  Answer answer = answer_of("a.db", 0);
  answer.facts.spill_bytes = 1;
  const Verdict verdict = judge(answer, {.warning = Range::parse("~:")}, kNow);
  EXPECT_EQ(verdict.state, State::Warning);
  EXPECT_THAT(verdict.reasons, ElementsAre("spill_waiting"));
}

TEST(Check, AllReasonsAreNamedAndTheWorstDecides) {
  Answer answer = answer_of("a.db", 3);
  answer.facts.spill_bytes = 1;
  const Verdict verdict = judge(answer, {.oldest_critical = Range(60)}, kNow);
  EXPECT_EQ(verdict.state, State::Critical);
  EXPECT_THAT(verdict.reasons, ElementsAre("unresolved_warning", "oldest_critical", "spill_waiting"));
}

TEST(Check, DatabaseThatCannotBeCheckedIsUnknown) {
  const Verdict verdict = judge(failed_answer_of("a.db"), {.warning = Range::parse("~:")}, kNow);
  EXPECT_EQ(verdict.state, State::Unknown);
  EXPECT_THAT(verdict.reasons, ElementsAre("check_failed"));
}

TEST(Check, FailingDatabaseNeverHidesAnothersAlertAndNeverPassesAsGood) {
  const Answer good = answer_of("good.db", 0);
  const Answer alerting = answer_of("alerting.db", 5);
  const Answer failing = failed_answer_of("failing.db");
  EXPECT_EQ(overall_state(report_of({good, failing})), State::Unknown);
  EXPECT_EQ(overall_state(report_of({failing, alerting})), State::Warning);
  EXPECT_EQ(overall_state(report_of({alerting, failing, good}, {.critical = Range(4)})), State::Critical);
}

TEST(Check, ProblemsOutsideOfTheDatabasesAreAtLeastUnknown) {
  Report report = report_of({answer_of("a.db", 0)});
  report.problems.push_back("could not write the metrics");
  EXPECT_EQ(overall_state(report), State::Unknown);
  report = report_of({answer_of("a.db", 1)});
  report.problems.push_back("could not write the metrics");
  EXPECT_EQ(overall_state(report), State::Warning);
}

TEST(Check, AgeRoundsDownAndIsNeverNegative) {
  EXPECT_EQ(age(kNow - microseconds(1'999'999), kNow), seconds(1));
  EXPECT_EQ(age(kNow, kNow), seconds(0));
  EXPECT_EQ(age(kNow + minutes(5), kNow), seconds(0));
  EXPECT_GT(age(Timestamp::min(), kNow), std::chrono::hours(24 * 365 * 200'000L));
  EXPECT_EQ(age(Timestamp::max(), kNow), seconds(0));
}

}  // namespace
}  // namespace tidings::check_dead_letters
