#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

// The board and the rules ask for nothing that there is not, and the manual names all that there is.

namespace tidings::telemetry::test {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

std::string text_of(const std::string& path) {
  std::ifstream stream(TIDINGS_SOURCE_FOLDER "/" + path);
  EXPECT_TRUE(stream.good()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), expression);
       match != std::sregex_iterator(); ++match)
    found.insert((*match)[1].str());
  return found;
}

/// `tidings_...` as it is written in a query, and not `tidings:...`, which is recorded.
std::set<std::string> metrics_in(const std::string& text) { return matches(text, R"(\b(tidings_\w+))"); }

std::set<std::string> written_metrics() {
  std::ostringstream stream;
  const Exporter exporter{ExporterOptions{}};
  write_metrics(stream, sample_metrics(), MetricsFormat::PrometheusText, {.exporter = &exporter});
  const std::string text = stream.str();
  return matches(text, R"((?:^|\n)(tidings_\w+)[ {])");
}

TEST(Monitoring, WritesMetricsToBeAskedFor) {
  EXPECT_THAT(written_metrics(), Contains("tidings_handler_duration_seconds_bucket"));
  EXPECT_GT(written_metrics().size(), 30U);
}

TEST(Monitoring, RulesAskOnlyForMetricsThatAreWrittenAndWhatTheyRecord) {
  const std::string rules = text_of("monitoring/rules.yml");
  EXPECT_GT(metrics_in(rules).size(), 10U);
  EXPECT_THAT(written_metrics(), IsSupersetOf(metrics_in(rules)));
  const auto recorded = matches(rules, R"(record: (tidings:[\w:]+))");
  EXPECT_THAT(recorded, SizeIs(4));
  EXPECT_EQ(matches(rules, R"((tidings:[\w:]+))"), recorded);
}

TEST(Monitoring, TheTestsOfRulesFeedOnlyMetricsThatAreWrittenAndTestEveryAlert) {
  const std::string tests = text_of("monitoring/rules_test.yml");
  EXPECT_THAT(written_metrics(), IsSupersetOf(metrics_in(tests)));
  EXPECT_EQ(matches(tests, R"(alertname: (\w+)\n +exp_alerts)"),
            matches(text_of("monitoring/rules.yml"), R"(alert: (\w+))"));
}

TEST(Monitoring, TheBoardAsksOnlyForMetricsThatAreWritten) {
  const auto asked = metrics_in(text_of("monitoring/dashboard.json"));
  EXPECT_GT(asked.size(), 20U);
  EXPECT_THAT(written_metrics(), IsSupersetOf(asked));
}

TEST(Monitoring, TheManualNamesEveryMetricAndNoOther) {
  std::set<std::string> written;
  for (const std::string& each : written_metrics())
    written.insert(std::regex_replace(each, std::regex("(_seconds)_(bucket|count|sum)$"), "$1"));
  EXPECT_EQ(matches(text_of("docs/metrics.md"), R"(`(tidings_\w+)`(?=[^\n]*\|))"), written);
}

}  // namespace
}  // namespace tidings::telemetry::test
