#include "check_dead_letters/prometheus_text.hpp"

#include "tools/report_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidings::check_dead_letters {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PrometheusText, HasHelpTypeAndOneSeriesADatabase) {
  EXPECT_EQ(prometheus_text(report_of({answer_of("a.db", 7), answer_of("b.db", 0)})),
            R"(# HELP tidings_dead_letters_unresolved Dead letters that wait to be resolved, of any age.
# TYPE tidings_dead_letters_unresolved gauge
tidings_dead_letters_unresolved{database="a.db"} 7
tidings_dead_letters_unresolved{database="b.db"} 0
# HELP tidings_dead_letters_unresolved_in_window Those of them that failed within the window.
# TYPE tidings_dead_letters_unresolved_in_window gauge
tidings_dead_letters_unresolved_in_window{database="a.db",window="1h"} 7
tidings_dead_letters_unresolved_in_window{database="b.db",window="1h"} 0
# HELP tidings_dead_letters_oldest_timestamp_seconds Unix time at which the oldest unresolved dead letter failed; 0 if there is none.
# TYPE tidings_dead_letters_oldest_timestamp_seconds gauge
tidings_dead_letters_oldest_timestamp_seconds{database="a.db"} 1767223080.000000
tidings_dead_letters_oldest_timestamp_seconds{database="b.db"} 0
# HELP tidings_dead_letters_spill_bytes Bytes of dead letters in the spill file that wait for import.
# TYPE tidings_dead_letters_spill_bytes gauge
tidings_dead_letters_spill_bytes{database="a.db"} 0
tidings_dead_letters_spill_bytes{database="b.db"} 0
# HELP tidings_journal_events Durable events that are owed to handlers; above 10000 at most that many.
# TYPE tidings_journal_events gauge
tidings_journal_events{database="a.db"} 0
tidings_journal_events{database="b.db"} 0
# HELP tidings_journal_oldest_timestamp_seconds Unix time at which the oldest of them was published; 0 if there is none.
# TYPE tidings_journal_oldest_timestamp_seconds gauge
tidings_journal_oldest_timestamp_seconds{database="a.db"} 0
tidings_journal_oldest_timestamp_seconds{database="b.db"} 0
# HELP tidings_unserved_handlers Handlers that events are owed to and that nobody serves; at most 20 are counted.
# TYPE tidings_unserved_handlers gauge
tidings_unserved_handlers{database="a.db"} 0
tidings_unserved_handlers{database="b.db"} 0
# HELP tidings_dead_letters_check_state Result of check-dead-letters: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
# TYPE tidings_dead_letters_check_state gauge
tidings_dead_letters_check_state{database="a.db"} 1
tidings_dead_letters_check_state{database="b.db"} 0
)");
}

TEST(PrometheusText, DatabaseThatCouldNotBeReadIsNotZero) {
  const std::string text = prometheus_text(report_of({failed_answer_of("a.db")}));
  EXPECT_THAT(text, HasSubstr("\ntidings_dead_letters_unresolved{database=\"a.db\"} NaN\n"));
  EXPECT_THAT(
      text, HasSubstr("\ntidings_dead_letters_unresolved_in_window{database=\"a.db\",window=\"1h\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("\ntidings_dead_letters_oldest_timestamp_seconds{database=\"a.db\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("\ntidings_dead_letters_spill_bytes{database=\"a.db\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("\ntidings_dead_letters_check_state{database=\"a.db\"} 3\n"));
}

TEST(PrometheusText, TellsOfTheJournal) {
  Answer answer = answer_of("a.db", 0);
  answer.facts.journal = {12, true, kNow - std::chrono::minutes(2)};
  answer.facts.unserved = {unserved_of("ship"), unserved_of("bill")};
  const std::string text = prometheus_text(report_of({answer}));
  EXPECT_THAT(text, HasSubstr("\ntidings_journal_events{database=\"a.db\"} 12\n"));
  EXPECT_THAT(text, HasSubstr("timestamp_seconds{database=\"a.db\"} 1767225480.000000\n"));
  EXPECT_THAT(text, HasSubstr("\ntidings_unserved_handlers{database=\"a.db\"} 2\n"));
}

TEST(PrometheusText, FiltersBecomeLabelsSoThatSeveralFilesCanStandSideBySide) {
  Report report = report_of({answer_of("a.db", 7)});
  report.selection.event_type = "orders.order_placed";
  report.selection.handler = "send_receipt";
  report.selection.service = "orders";
  EXPECT_THAT(
      prometheus_text(report),
      HasSubstr(
          "{database=\"a.db\",event_type=\"orders.order_placed\",handler=\"send_receipt\",service=\"orders\","
          "window=\"1h\"} 7\n"));
}

TEST(PrometheusText, LabelsEscapeWhatTheFormatNeeds) {
  const std::string text = prometheus_text(report_of({answer_of("a\"b\\c\nd\xff.db", 0)}));
  EXPECT_THAT(text, HasSubstr("{database=\"a\\\"b\\\\c%0Ad%FF.db\"} 0\n"));
}

TEST(PrometheusText, OldestTimestampKeepsMicrosecondsAndTimesBeforeTheEpoch) {
  Answer answer = answer_of("a.db", 1);
  answer.facts.oldest->failed_at = Timestamp(std::chrono::microseconds(1'500'001));
  EXPECT_THAT(prometheus_text(report_of({answer})), HasSubstr("seconds{database=\"a.db\"} 1.500001\n"));
  answer.facts.oldest->failed_at = Timestamp(std::chrono::microseconds(-1'500'001));
  EXPECT_THAT(prometheus_text(report_of({answer})), HasSubstr("seconds{database=\"a.db\"} -1.500001\n"));
}

TEST(PrometheusText, ProblemWithTheCheckItselfLeavesNoTrace) {
  Report report = report_of({answer_of("a.db", 0)});
  report.problems.push_back("stdout");
  EXPECT_THAT(prometheus_text(report), Not(HasSubstr("stdout")));
}

}  // namespace
}  // namespace tidings::check_dead_letters
