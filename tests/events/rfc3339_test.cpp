#include <tidings/clock.hpp>

#include <gtest/gtest.h>

namespace tidings {
namespace {

using namespace std::chrono;

constexpr Timestamp kExample = sys_days(November / 21 / 2026) + hours(9) + minutes(30) + microseconds(123456);

TEST(Rfc3339, WritesUtcWithSixDigits) {
  EXPECT_EQ(to_rfc3339(kExample), "2026-11-21T09:30:00.123456Z");
  EXPECT_EQ(to_rfc3339(Timestamp{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(Timestamp(microseconds(-1))), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, WritesTheNearestEndOfItsRange) {
  EXPECT_EQ(to_rfc3339(Timestamp::min()), "0000-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(Timestamp::max()), "9999-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsWhatItWrites) {
  for (const Timestamp time :
       {kExample, Timestamp{}, Timestamp(microseconds(-1)), Timestamp(sys_days(February / 29 / 2024)),
        Timestamp(sys_days(year(0) / January / 1))}) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time) << to_rfc3339(time);
  }
}

TEST(Rfc3339, ReadsTheExamplesOfTheSpecification) {
  EXPECT_EQ(to_rfc3339(parse_rfc3339("1985-04-12T23:20:50.52Z").value()), "1985-04-12T23:20:50.520000Z");
  EXPECT_EQ(to_rfc3339(parse_rfc3339("1996-12-19T16:39:57-08:00").value()), "1996-12-20T00:39:57.000000Z");
  EXPECT_EQ(to_rfc3339(parse_rfc3339("1990-12-31T23:59:60Z").value()), "1991-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(parse_rfc3339("1990-12-31T15:59:60-08:00").value()), "1991-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(parse_rfc3339("1937-01-01T12:00:27.87+00:20").value()), "1937-01-01T11:40:27.870000Z");
}

TEST(Rfc3339, ReadsLowercaseLettersAndAnUnknownOffset) {
  EXPECT_EQ(parse_rfc3339("2026-11-21t09:30:00.123456z"), kExample);
  EXPECT_EQ(parse_rfc3339("2026-11-21T09:30:00.123456-00:00"), kExample);
}

TEST(Rfc3339, CutsFractionsBeyondMicroseconds) {
  EXPECT_EQ(parse_rfc3339("2026-11-21T09:30:00.123456999Z"), kExample);
  EXPECT_FALSE(parse_rfc3339("2026-11-21T09:30:00.1234567890Z"));
}

class Malformed : public testing::TestWithParam<const char*> {};

TEST_P(Malformed, IsNothing) { EXPECT_FALSE(parse_rfc3339(GetParam())); }

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, Malformed,
    testing::Values("", "2026", "2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z",
                    "2026-11-21T09:30Z", "2026-11-21T09:30:00.Z", "2026-11-21T09:30:00,5Z",
                    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
                    "2026-04-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-21T24:00:00Z",
                    "2026-11-21T09:60:00Z", "2026-11-21T09:30:61Z", "2026-11-21T09:30:60Z",
                    "2026-11-21T09:30:00+24:00", "2026-11-21T09:30:00+01:60", "2026-11-21T09:30:00+0100",
                    "2026-11-21T09:30:00+1:00", "2026-11-21T09:30:00Zx", " 2026-11-21T09:30:00Z",
                    "2026-11-21T09:30:00Z ", "-026-11-21T09:30:00Z", "+2026-11-21T09:30:00Z",
                    "2026-1-21T09:30:00Z", "2026-11-21T9:30:00Z", "20261121T093000Z",
                    "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01"));

TEST(Rfc3339, ATextWithANulByteIsNothing) {
  EXPECT_FALSE(parse_rfc3339(std::string_view("2026-11-21T09:30:00Z\0", 21)));
}

}  // namespace
}  // namespace tidings
