#include "check_dead_letters/range.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::check_dead_letters {
namespace {

/// One row of the table in the Monitoring Plugins guidelines, with values on both sides of each bound.
struct Row {
  const char* range;
  std::vector<double> alerting;
  std::vector<double> quiet;
};

TEST(Range, AlertsAsTheTableOfTheMonitoringPluginsGuidelinesSays) {
  const std::vector<Row> table = {
      {"10", {-1, -0.001, 10.001, 11}, {0, 5, 10}},
      {"10:", {-1, 0, 9.999}, {10, 11, 1e15}},
      {"~:10", {10.001, 11}, {-1e15, -1, 0, 10}},
      {"10:20", {0, 9, 21}, {10, 15, 20}},
      {"@10:20", {10, 15, 20}, {0, 9, 21}},
      {"0", {-1, 1}, {0}},
      {"@0", {0}, {-1, 1}},
      {"@~:5", {-7, 5}, {6}},
      {"-5:-1", {-6, 0}, {-5, -1}},
      {"~:", {}, {-1e15, 0, 1e15}},
      {"0.5:1.5", {0.4, 1.6}, {0.5, 1, 1.5}},
  };
  for (const Row& row : table) {
    const auto range = Range::parse(row.range);
    ASSERT_TRUE(range) << row.range;
    for (const double value : row.alerting) EXPECT_TRUE(range->alerts(value)) << row.range << " at " << value;
    for (const double value : row.quiet) EXPECT_FALSE(range->alerts(value)) << row.range << " at " << value;
  }
}

TEST(Range, RefusesWhatIsNotARange) {
  for (const char* text :
       {"",    "@",   "~",   "10:~", "20:10", "@20:10", "abc", "10:abc", "10:20:30", "1 0", " 10", "10 ",
        "+10", "1e3", "inf", "nan",  "-inf:", "0x10",   "10%", "10,5",   "@@10",     "--1", "1h"}) {
    EXPECT_FALSE(Range::parse(text)) << '"' << text << '"';
  }
}

TEST(Range, BeginsAtZeroWhereNoStartIsGivenAndTakesNumbersOfAnySize) {
  ASSERT_TRUE(Range::parse(":5.75"));
  EXPECT_EQ(Range::parse(":5.75")->to_string(), "5.75");
  EXPECT_TRUE(Range::parse(":5.75")->alerts(6));
  ASSERT_TRUE(Range::parse("99999999999999999999"));
  EXPECT_FALSE(Range::parse("99999999999999999999")->alerts(1e15));
}

TEST(Range, TextIsTheShortestInTheGuidelinesNotation) {
  const std::vector<std::pair<const char*, const char*>> table = {{"10", "10"},
                                                                  {"0:10", "10"},
                                                                  {"10:", "10:"},
                                                                  {"0:", "0:"},
                                                                  {"~:10", "~:10"},
                                                                  {"~:", "~:"},
                                                                  {"10:20", "10:20"},
                                                                  {"@0:10", "@10"},
                                                                  {"10.0", "10"},
                                                                  {"0.25:1.5", "0.25:1.5"},
                                                                  {"-0", "0"},
                                                                  {"@-5:5", "@-5:5"},
                                                                  {"1000000000000000", "1000000000000000"}};
  for (const auto& [text, expected] : table) {
    const auto range = Range::parse(text);
    ASSERT_TRUE(range) << text;
    EXPECT_EQ(range->to_string(), expected);
  }
}

TEST(Range, OfAgesTakesDurationsAndSecondsAndShowsSeconds) {
  const std::vector<std::pair<const char*, const char*>> table = {
      {"30m", "1800"},     {"3600", "3600"},    {"@10m:2h", "@600:7200"},
      {"~:1d", "~:86400"}, {"1h30m:", "5400:"}, {"90:1h", "90:3600"}};
  for (const auto& [text, expected] : table) {
    const auto range = Range::parse_age(text);
    ASSERT_TRUE(range) << text;
    EXPECT_EQ(range->to_string(), expected);
  }
}

TEST(Range, OfAgesRefusesWhatIsNeither) {
  for (const char* text : {"", "2h:1h", "1 h", "1x", "@", "h", "36501d"}) {
    EXPECT_FALSE(Range::parse_age(text)) << '"' << text << '"';
  }
}

TEST(Range, MadeFromANumberIsZeroToThatNumber) {
  EXPECT_EQ(Range(7).to_string(), "7");
  EXPECT_FALSE(Range(7).alerts(7));
  EXPECT_TRUE(Range(7).alerts(8));
}

}  // namespace
}  // namespace tidings::check_dead_letters
