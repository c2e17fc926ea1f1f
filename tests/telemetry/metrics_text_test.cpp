#include <tidings/error.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace tidings::telemetry::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string text_of(const Metrics& metrics, MetricsFormat format, const CounterRegistry* own = nullptr) {
  std::ostringstream stream;
  write_metrics(stream, metrics, format, {.own = own});
  return stream.str();
}

TEST(MetricsText, HasHelpTypeAndSeriesOfACounter) {
  EXPECT_THAT(text_of(sample_metrics(), MetricsFormat::PrometheusText),
              HasSubstr("# HELP tidings_events_published_total Events that were accepted, by their type.\n"
                        "# TYPE tidings_events_published_total counter\n"
                        "tidings_events_published_total{event_type=\"orders.order_placed\"} 12\n"
                        "tidings_events_published_total{event_type=\"other\"} 3\n"));
}

TEST(MetricsText, OfOpenMetricsNamesCountersWithoutTotalHasUnitsAndAnEnd) {
  const std::string text = text_of(sample_metrics(), MetricsFormat::OpenMetrics);
  EXPECT_THAT(text, HasSubstr("# TYPE tidings_events_published counter\n"
                              "tidings_events_published_total{event_type=\"orders.order_placed\"} 12\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE tidings_commit_duration_seconds histogram\n"
                              "# UNIT tidings_commit_duration_seconds seconds\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE tidings_build info\ntidings_build_info{service=\"shop\",version="));
  EXPECT_THAT(text, EndsWith("\n# EOF\n"));
}

TEST(MetricsText, HasCumulativeBucketsTheirCountAndTheirSum) {
  const std::string labels = "event_type=\"orders.order_placed\",handler=\"send_receipt\"";
  const std::string text = text_of(sample_metrics(), MetricsFormat::PrometheusText);
  const auto has = [&](const std::string& suffix, const std::string& rest) {
    EXPECT_THAT(text, HasSubstr("\ntidings_handler_duration_seconds" + suffix + "{" + labels + rest + "\n"));
  };
  has("_bucket", ",le=\"1e-05\"} 1");
  has("_bucket", ",le=\"0.01\"} 1");
  has("_bucket", ",le=\"0.02\"} 9");
  has("_bucket", ",le=\"10.0\"} 9");
  has("_bucket", ",le=\"+Inf\"} 10");
  has("_count", "} 10");
  has("_sum", "} 60.120010");
}

TEST(MetricsText, EscapesLabelValues) {
  EXPECT_THAT(text_of(sample_metrics(), MetricsFormat::PrometheusText),
              HasSubstr(R"(tidings_queue_depth{event_type="*",handler="a\"b\\c"} 0)"));
}

TEST(MetricsText, HasWhatTheJournalOwesAndTheTimeOfTheOldest) {
  Metrics metrics = sample_metrics();
  const std::string labels = "{event_type=\"orders.order_placed\",handler=\"send_receipt\"} ";
  const std::string text = text_of(metrics, MetricsFormat::PrometheusText);
  EXPECT_THAT(text, HasSubstr("tidings_journal_owed" + labels + "5\n"));
  EXPECT_THAT(text, HasSubstr("tidings_journal_oldest_timestamp_seconds" + labels + "1767225600.123456\n"));
  EXPECT_THAT(text, HasSubstr("tidings_journal_readable 1\n"));
  metrics.journal->problem = "the disk is gone";
  const std::string unreadable = text_of(metrics, MetricsFormat::PrometheusText);
  EXPECT_THAT(unreadable, HasSubstr("tidings_journal_readable 0\n"));
  EXPECT_THAT(unreadable, Not(HasSubstr("tidings_journal_owed")));
  metrics.journal.reset();
  EXPECT_THAT(text_of(metrics, MetricsFormat::PrometheusText), Not(HasSubstr("tidings_journal")));
}

TEST(MetricsText, HasWhatIsUnresolvedIfTheStoreKnows) {
  Metrics metrics = sample_metrics();
  const std::string text = text_of(metrics, MetricsFormat::PrometheusText);
  EXPECT_THAT(text, HasSubstr("tidings_dead_letters_unresolved 3\n"));
  EXPECT_THAT(text, HasSubstr("tidings_dead_letters_oldest_timestamp_seconds 1767225600.000000\n"));
  metrics.letters.unresolved = UnresolvedLetters{};
  EXPECT_THAT(text_of(metrics, MetricsFormat::PrometheusText),
              Not(HasSubstr("\ntidings_dead_letters_oldest_timestamp_seconds")));
  metrics.letters.unresolved.reset();
  EXPECT_THAT(text_of(metrics, MetricsFormat::PrometheusText),
              Not(HasSubstr("tidings_dead_letters_unresolved")));
}

TEST(MetricsText, LeavesOutWhatIsNotCounted) {
  Metrics metrics = sample_metrics();
  metrics.counted = false;
  const std::string text = text_of(metrics, MetricsFormat::PrometheusText);
  EXPECT_THAT(text, Not(HasSubstr("tidings_handler_attempts")));
  EXPECT_THAT(text, Not(HasSubstr("tidings_events_published")));
  EXPECT_THAT(text, HasSubstr("tidings_letters_total{reason=\"exhausted\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tidings_queue_depth{"));
}

TEST(MetricsText, HasTheApplicationsOwnCounters) {
  CounterRegistry own;
  own.counter("shop_refused", "Orders refused: \"no\"\nor \\never", {{"reason", "no \"stock\"\n"}}).add(3);
  EXPECT_THAT(text_of(sample_metrics(), MetricsFormat::PrometheusText, &own),
              HasSubstr("# HELP shop_refused_total Orders refused: \"no\"\\nor \\\\never\n"
                        "# TYPE shop_refused_total counter\n"
                        "shop_refused_total{reason=\"no \\\"stock\\\"\\n\"} 3\n"));
  EXPECT_THAT(text_of(sample_metrics(), MetricsFormat::OpenMetrics, &own),
              HasSubstr("# HELP shop_refused Orders refused: \\\"no\\\"\\nor \\\\never\n"));
}

// --- negotiation ---

TEST(MetricsFormatFor, IsWhatPrometheusPrefers) {
  EXPECT_EQ(metrics_format_for("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                               "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            MetricsFormat::OpenMetrics);
  EXPECT_EQ(metrics_format_for("application/openmetrics-text; version=1.0.0; charset=utf-8"),
            MetricsFormat::OpenMetrics);
  EXPECT_EQ(metrics_format_for("APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.5, text/plain;q=0.4"),
            MetricsFormat::OpenMetrics);
  EXPECT_EQ(metrics_format_for("application/openmetrics-text;q=0.4, text/plain;q=0.5"),
            MetricsFormat::PrometheusText);
}

TEST(MetricsFormatFor, IsTextForAllElse) {
  for (const char* accept :
       {"", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=0", "application/openmetrics-text;q=nonsense", ",;,=;;q=,",
        "application/openmetrics-text2"})
    EXPECT_EQ(metrics_format_for(accept), MetricsFormat::PrometheusText) << accept;
}

TEST(ContentType, SaysFormatAndVersion) {
  EXPECT_EQ(content_type(MetricsFormat::PrometheusText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(std::string(content_type(MetricsFormat::OpenMetrics)),
              StartsWith("application/openmetrics-text; version=1.0.0"));
}

}  // namespace
}  // namespace tidings::telemetry::test
