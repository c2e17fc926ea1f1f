#include "text/duration.hpp"

#include <gtest/gtest.h>

namespace tidings::tools {
namespace {

using std::chrono::seconds;

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("30m"), seconds(1'800));
  EXPECT_EQ(parse_duration("1h"), seconds(3'600));
  EXPECT_EQ(parse_duration("2d"), seconds(172'800));
  EXPECT_EQ(parse_duration("1w"), seconds(604'800));
}

TEST(Duration, AddsUnitsUpFromLargeToSmall) {
  EXPECT_EQ(parse_duration("1h30m"), seconds(5'400));
  EXPECT_EQ(parse_duration("1w2d3h4m5s"), seconds(604'800 + 172'800 + 10'800 + 240 + 5));
  EXPECT_EQ(parse_duration("0s"), seconds(0));
}

TEST(Duration, RefusesWhatIsNotADuration) {
  for (const char* text :
       {"",    "h",    "1",   "3600", "1x",    "1H",   "-1h",    "+1h", "1.5h", " 1h", "1h ",
        "1 h", "1h30", "1hm", "h1",   "30m1h", "1h1h", "1h 30m", "1\n", "١h",   "0x1h"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(Duration, RefusesMoreThanAHundredYearsWithoutOverflowing) {
  EXPECT_EQ(parse_duration("36500d"), kLongestDuration);
  for (const char* text : {"36501d", "36500d1s", "9223372036854775807s", "9223372036854775808s",
                           "9999999999999999999999w", "3153600000w"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Duration, ExactTextSaysEverythingAndCanBeReadBack) {
  EXPECT_EQ(exact_duration(seconds(0)), "0s");
  EXPECT_EQ(exact_duration(seconds(3'600)), "1h");
  EXPECT_EQ(exact_duration(seconds(5'400)), "1h30m");
  EXPECT_EQ(exact_duration(seconds(604'800)), "7d");
  for (const int count : {1, 59, 61, 3'601, 86'399, 90'061, 1'000'000}) {
    EXPECT_EQ(parse_duration(exact_duration(seconds(count))), seconds(count));
  }
}

TEST(Duration, ReadableTextRoundsDownToOneUnitBelowAnHourAndTwoAbove) {
  EXPECT_EQ(readable_duration(seconds(0)), "0s");
  EXPECT_EQ(readable_duration(seconds(59)), "59s");
  EXPECT_EQ(readable_duration(seconds(2'520)), "42m");
  EXPECT_EQ(readable_duration(seconds(2'579)), "42m");
  EXPECT_EQ(readable_duration(seconds(3'659)), "1h");
  EXPECT_EQ(readable_duration(seconds(4'379)), "1h12m");
  EXPECT_EQ(readable_duration(seconds(3 * 86'400 + 4 * 3'600 + 3'599)), "3d4h");
}

}  // namespace
}  // namespace tidings::tools
