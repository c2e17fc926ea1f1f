#include "check_dead_letters/render_text.hpp"

#include "tools/report_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;

TEST(RenderText, WarningIsOneLineWithPerformanceData) {
  EXPECT_EQ(render_text(report_of({answer_of("orders.db", 7)}, {.critical = Range(10)})),
            "DEADLETTERS WARNING: 7 unresolved in the last 1h (oldest 42m); next: dead-letters --db "
            "orders.db groups"
            " | unresolved=7;0;10;0 oldest=2520s;;\n");
}

TEST(RenderText, OkWithoutLettersSaysSo) {
  EXPECT_EQ(render_text(report_of({answer_of("orders.db", 0)})),
            "DEADLETTERS OK: 0 unresolved in the last 1h | unresolved=0;0;;0 oldest=0s;;\n");
}

TEST(RenderText, OldestLetterIsNamedAlsoOutsideTheWindow) {
  Answer answer = answer_of("orders.db", 0);
  answer.facts.unresolved = 12;
  answer.facts.oldest = letter_of(3, hours(76));
  const Thresholds thresholds{.oldest_warning = Range::parse_age("1d"),
                              .oldest_critical = Range::parse_age("@3d:4d")};
  EXPECT_EQ(
      render_text(report_of({answer}, thresholds)),
      "DEADLETTERS CRITICAL: 0 unresolved in the last 1h (oldest 3d4h), 12 in all"
      "; next: dead-letters --db orders.db groups | unresolved=0;0;;0 oldest=273600s;86400;@259200:345600\n");
}

TEST(RenderText, WaitingSpillFileIsNamedWithItsSize) {
  Answer answer = answer_of("orders.db", 0);
  answer.facts.spill_bytes = 512;
  EXPECT_EQ(render_text(report_of({answer})),
            "DEADLETTERS WARNING: 0 unresolved in the last 1h; 512 bytes of letters wait in "
            "orders.db.spill.jsonl for a"
            " database that works; next: dead-letters --db orders.db doctor | unresolved=0;0;;0 oldest=0s;; "
            "spill=512B;0;;0\n");
}

TEST(RenderText, TellsOfTheJournalWhenSomethingIsOwed) {
  Answer answer = answer_of("orders.db", 0);
  answer.facts.journal = {1, true, kNow - minutes(2)};
  EXPECT_EQ(render_text(report_of({answer})),
            "DEADLETTERS OK: 0 unresolved in the last 1h; 1 event owed to handlers (oldest 2m)"
            " | unresolved=0;0;;0 oldest=0s;; owed=1;;;0\n");
  answer.facts.journal = {12'345, false, kNow - minutes(2)};
  EXPECT_THAT(render_text(report_of({answer})), HasSubstr("; at most 12345 events owed to handlers"));
}

TEST(RenderText, NamesAHandlerThatNobodyServesAndCountsTheOthers) {
  Answer answer = answer_of("orders.db", 0);
  answer.facts.unserved = {unserved_of("ship")};
  EXPECT_EQ(render_text(report_of({answer})),
            "DEADLETTERS WARNING: 0 unresolved in the last 1h; nobody serves orders.order_placed/ship of"
            " service orders (5 owed); next: dead-letters --db orders.db doctor | unresolved=0;0;;0 "
            "oldest=0s;; unserved=1;0;;0\n");
  answer.facts.unserved.push_back(unserved_of("bi|ll"));
  const std::string verbose = render_text(report_of({answer}, {}, 1));
  EXPECT_THAT(verbose, HasSubstr("(5 owed) and 1 more"));
  EXPECT_THAT(verbose, HasSubstr("\n  nobody serves orders.order_placed/bi\\x7cll of service orders: 5 owed, "
                                 "since 2025-12-31T23:00:00.000000Z (1h ago)\n"));
}

TEST(RenderText, FailingDatabaseHasNoPerformanceData) {
  EXPECT_EQ(render_text(report_of({failed_answer_of("orders.db")})),
            "DEADLETTERS UNKNOWN: orders.db does not exist; check the path\n");
}

TEST(RenderText, FailureIsEscaped) {
  Answer answer = failed_answer_of("orders.db");
  answer.failure->message = "orders.db: busy | try\nagain";
  EXPECT_EQ(render_text(report_of({answer})), "DEADLETTERS UNKNOWN: orders.db: busy \\x7c try\\nagain\n");
}

TEST(RenderText, SeveralDatabasesAreEachNamedWithTheirState) {
  EXPECT_EQ(render_text(report_of({answer_of("a.db", 7), answer_of("b.db", 0), failed_answer_of("c.db")})),
            "DEADLETTERS WARNING: [WARNING] a.db: 7 unresolved in the last 1h (oldest 42m); [OK] b.db: 0 "
            "unresolved in the"
            " last 1h; [UNKNOWN] c.db does not exist; check the path"
            "; next: dead-letters --db a.db groups | 'a.db unresolved'=7;0;;0 'a.db oldest'=2520s;; 'b.db "
            "unresolved'=0;0;;0 'b.db oldest'=0s;;\n");
}

TEST(RenderText, HostilePathsBreakNeitherLineNorPerformanceData) {
  const std::string path = "a'=|\n\xff.db";
  EXPECT_EQ(render_text(report_of({answer_of(path, 0), answer_of("b.db", 0)})),
            "DEADLETTERS OK: [OK] a'=\\x7c\\n\\xff.db: 0 unresolved in the last 1h; [OK] b.db: 0 unresolved "
            "in the last 1h"
            " | 'a%27%3D%7C%0A%FF.db unresolved'=0;0;;0 'a%27%3D%7C%0A%FF.db oldest'=0s;; 'b.db "
            "unresolved'=0;0;;0 'b.db "
            "oldest'=0s;;\n");
}

TEST(RenderText, NextCommandIsAboutTheWorstDatabaseAndTheLettersThatCount) {
  Report report = report_of({answer_of("a.db", 7), answer_of("it's here.db", 20)}, {.critical = Range(10)});
  report.selection.handler = "send$receipt";
  EXPECT_THAT(render_text(report),
              HasSubstr("; next: dead-letters --db 'it'\\''s here.db' groups --handler 'send$receipt' |"));
}

TEST(RenderText, ProblemsOutsideOfTheDatabasesEndTheLine) {
  Report report = report_of({answer_of("orders.db", 0)});
  report.problems.push_back(
      "could not write the metrics to m.prom: No space left on device; free some space");
  EXPECT_EQ(render_text(report),
            "DEADLETTERS UNKNOWN: 0 unresolved in the last 1h; could not write the metrics to m.prom: No "
            "space left on"
            " device; free some space | unresolved=0;0;;0 oldest=0s;;\n");
}

/// A database with two causes and one letter to show.
Report detailed_report(int verbosity) {
  Answer answer = answer_of("orders.db", 7);
  answer.facts.groups = {group_of(4, "timeout\nafter 30 s | retry"), group_of(3, std::string(400, 'x'))};
  answer.facts.groups[1].handler.clear();
  answer.facts.more_groups = true;
  answer.facts.newest = {letter_of(23, minutes(3))};
  return report_of({answer}, {}, verbosity);
}

constexpr const char* kFirstLines =
    "DEADLETTERS WARNING: 7 unresolved in the last 1h (oldest 42m); next: dead-letters --db orders.db groups"
    " | unresolved=7;0;;0 oldest=2520s;;\n"
    "[WARNING] orders.db: 7 unresolved in the last 1h (oldest 42m)\n"
    "  oldest: letter 17, orders.order_placed/send_receipt of service orders, SmtpTimeout, failed"
    " 2025-12-31T23:18:00.000000Z (42m ago), event 017f22e2-79b0-7cc3-98c4-dc0c0c07398f, correlation id "
    "request-7\n";
constexpr const char* kCause = "SmtpTimeout, newest 3m ago, cause 00c0ffee00c0ffee\n";

TEST(RenderText, VerboseAddsTheOldestLetterAndTheCauses) {
  Report report = detailed_report(1);
  report.databases[0].answer.facts.newest.clear();
  EXPECT_EQ(render_text(report),
            std::string(kFirstLines) + "  4 x orders.order_placed/send_receipt of service orders: " + kCause +
                "  3 x orders.order_placed/(none) of service orders: " + kCause + "  and more causes\n");
}

TEST(RenderText, CauseOfSeveralTypesIsOneLine) {
  Report report = detailed_report(1);
  report.databases[0].answer.facts.groups[0].event_types = 3;
  EXPECT_THAT(render_text(report), HasSubstr("\n  4 x 3 event types/send_receipt of service orders: "));
}

TEST(RenderText, VeryVerboseAddsSampleErrorsEscapedAndCut) {
  Report report = detailed_report(2);
  report.databases[0].answer.facts.newest.clear();
  EXPECT_EQ(render_text(report), std::string(kFirstLines) +
                                     "  4 x orders.order_placed/send_receipt of service orders: " + kCause +
                                     "      timeout\\nafter 30 s \\x7c retry\n"
                                     "  3 x orders.order_placed/(none) of service orders: " +
                                     kCause + "      " + std::string(300, 'x') + "...\n  and more causes\n");
}

TEST(RenderText, MostVerboseEndsWithTheNewestLetters) {
  const std::string text = render_text(detailed_report(3));
  EXPECT_TRUE(
      text.ends_with("  and more causes\n  newest: letter 23, orders.order_placed/send_receipt of service "
                     "orders, SmtpTimeout, failed"
                     " 2025-12-31T23:57:00.000000Z (3m ago), event 017f22e2-79b0-7cc3-98c4-dc0c0c07398f, "
                     "correlation id request-7\n"))
      << text;
}

TEST(RenderText, HostileNamesFromTheDatabaseAreEscaped) {
  Report report = detailed_report(3);
  DatabaseFacts& facts = report.databases[0].answer.facts;
  for (std::string* name :
       {&facts.oldest->event_type, &facts.oldest->handler, &facts.oldest->service, &facts.oldest->error_type,
        &facts.oldest->correlation_id, &facts.oldest->event_id, &facts.groups[0].event_type,
        &facts.groups[0].handler, &facts.groups[0].service, &facts.groups[0].error_type,
        &facts.groups[0].fingerprint, &facts.groups[0].sample_error}) {
    *name = "evil|\n\x1b";
  }
  const std::string text = render_text(report);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("evil|"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '|'), 1);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
}

TEST(RenderText, UsageErrorIsOneUnknownLine) {
  EXPECT_EQ(render_usage_error_text("--since: bad\nvalue | x"),
            "DEADLETTERS UNKNOWN: --since: bad\\nvalue \\x7c x\n");
}

}  // namespace
}  // namespace tidings::check_dead_letters
