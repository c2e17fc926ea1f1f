#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/prometheus_collectable.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tidings::telemetry::test {
namespace {

using ::testing::Contains;
using ::testing::Key;
using ::testing::SizeIs;

/// What a text in Prometheus' format says, however it writes numbers.
struct Scraped {
  /// `name{label="value"}`: its number. Of `le`, which is the last label of both texts, the number stands
  /// there.
  std::map<std::string, double> series;
  /// The HELP and TYPE lines of names that have series.
  std::set<std::string> comments;
};

std::string with_plain_bound(const std::string& series) {
  const std::size_t le = series.rfind("le=\"");
  if (le == std::string::npos) return series;
  const std::string bound = series.substr(le + 4, series.size() - le - 6);
  return series.substr(0, le) + "le=" + std::to_string(std::stod(bound)) + "}";
}

Scraped scraped(const std::string& text) {
  Scraped all;
  std::vector<std::string> comments;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) {
      comments.push_back(line);
      continue;
    }
    const std::size_t space = line.rfind(' ');
    const bool added =
        all.series.emplace(with_plain_bound(line.substr(0, space)), std::stod(line.substr(space))).second;
    EXPECT_TRUE(added) << line;
    all.comments.insert(comments.begin(), comments.end());
    comments.clear();
  }
  return all;
}

/// Help without series is of no use to anybody: only write_metrics writes it.
void forget_help_without_series(Scraped& all, const std::set<std::string>& other) {
  std::erase_if(all.comments, [&](const std::string& line) { return !other.contains(line); });
}

std::string serialised(const std::vector<prometheus::MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

void expect_same(const std::string& prometheus_cpp, const std::string& own) {
  const Scraped theirs = scraped(prometheus_cpp);
  Scraped ours = scraped(own);
  forget_help_without_series(ours, theirs.comments);
  EXPECT_EQ(theirs.comments, ours.comments);
  EXPECT_EQ(theirs.series.size(), ours.series.size());
  for (const auto& [name, number] : theirs.series) {
    ASSERT_THAT(ours.series, Contains(Key(name)));
    EXPECT_NEAR(number, ours.series.at(name), 1e-6) << name;
  }
}

TEST(PrometheusCollectable, SaysTheSameAsTheTextOfTidings) {
  CounterRegistry own;
  own.counter("shop_refused", "Orders refused: \"no\"", {{"reason", "no \"stock\"\n\\"}}).add(3);
  const MoreMetrics more{.own = &own};
  std::ostringstream text;
  write_metrics(text, sample_metrics(), MetricsFormat::PrometheusText, more);
  const std::string theirs = serialised(prometheus_families(sample_metrics(), more));
  expect_same(theirs, text.str());
  EXPECT_THAT(scraped(theirs).comments, SizeIs(testing::Ge(50U)));
  EXPECT_THAT(scraped(theirs).series,
              Contains(Key("tidings_events_published_total{event_type=\"orders.order_placed\"}")));
}

TEST(PrometheusCollectable, CollectsFromItsBus) {
  const logging::Capture capture;
  Bus bus({.service = "shop", .logger = capture.logger(), .telemetry = {.metrics = true}});
  auto note = bus.subscribe("shop.order_paid", "note", [](const Json&) {});
  const PrometheusCollectable collectable(bus);
  bus.publish("shop.order_paid", Json{{"order", 7}});
  const auto all = scraped(serialised(collectable.Collect())).series;
  EXPECT_EQ(all.at("tidings_events_published_total{event_type=\"shop.order_paid\"}"), 1);
  EXPECT_EQ(all.at("tidings_handler_attempts_total{event_type=\"shop.order_paid\",handler=\"note\","
                   "outcome=\"handled\"}"),
            1);
}

}  // namespace
}  // namespace tidings::telemetry::test
