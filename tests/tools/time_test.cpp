#include "text/time.hpp"
#include "dead_letters/raw_command_line.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <gtest/gtest.h>

#include <regex>

namespace tidings::dead_letters {
namespace {

using tools::parse_time;
using tools::readable_time;
using tools::readable_time_exactly;

const Timestamp kMorning = parse_rfc3339("2026-11-21T09:30:00Z").value();
const Timestamp kLater = kMorning + std::chrono::hours(5);

TEST(TimeText, SaysADayAndATimeInUtc) {
  EXPECT_EQ(readable_time(kMorning), "2026-11-21 09:30:00 UTC");
  EXPECT_EQ(readable_time_exactly(kMorning + std::chrono::microseconds(123'456)),
            "2026-11-21 09:30:00.123 UTC");
}

TEST(TimeText, ReadsWhatItSays) {
  EXPECT_EQ(parse_time(readable_time(kMorning), kLater), kMorning);
  EXPECT_EQ(parse_time(readable_time_exactly(kMorning), kLater), kMorning);
  EXPECT_EQ(parse_time(to_rfc3339(kMorning), kLater), kMorning);
}

TEST(TimeText, ReadsTimesWithAndWithoutSecondsAndZone) {
  for (const char* text : {"2026-11-21T09:30:00Z", "2026-11-21T09:30:00", "2026-11-21 09:30",
                           "2026-11-21T09:30Z", "20261121T093000Z", "2026-11-21 10:30:00+01:00",
                           "2026-11-21T04:30-05:00", "2026-11-21t09:30:00z", "2026-11-21 09:30 UTC"})
    EXPECT_EQ(parse_time(text, kLater), kMorning) << text;
  EXPECT_EQ(parse_time("2026-11-21", kLater), kMorning - std::chrono::minutes(570));
}

TEST(TimeText, BeginsWherePrintedAgesMayBegin) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  EXPECT_EQ(tools::parse_begin("19m ago", kLater), kLater - minutes(21));
  EXPECT_EQ(tools::parse_begin("2h5m ago", kLater), kLater - hours(2) - minutes(7));
  EXPECT_EQ(tools::parse_begin("3d4h ago", kLater), kLater - hours(77) - minutes(1));
  EXPECT_EQ(tools::parse_begin("just now", kLater), kLater - seconds(61));
  EXPECT_EQ(tools::parse_begin("19m", kLater), kLater - minutes(19));
  EXPECT_FALSE(tools::parse_begin(" ago", kLater));
}

TEST(TimeText, TimesBetweenDoNotOverflow) {
  constexpr auto kEarliest = Timestamp::min();
  EXPECT_EQ(tools::time_between(kEarliest, kLater), std::chrono::microseconds::max());
  EXPECT_EQ(tools::time_between(Timestamp::max(), kEarliest), std::chrono::microseconds::min());
  EXPECT_EQ(tools::time_between(kMorning, kLater), std::chrono::hours(5));
}

TEST(TimeText, ReadsHowLongAgo) {
  EXPECT_EQ(parse_time("5h", kLater), kMorning);
  EXPECT_EQ(parse_time("5h ago", kLater), kMorning);
  EXPECT_EQ(parse_time("1h12m ago", kLater), kLater - std::chrono::minutes(72));
  EXPECT_EQ(parse_time("just now", kLater), kLater);
}

TEST(TimeText, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "ago",
                           " ago",
                           "UTC",
                           " UTC",
                           "yesterday",
                           "2026",
                           "2026-11",
                           "2026-13-01",
                           "2026-11-21 ago",
                           "2026-11-21 9:30",
                           "2026-11-21 09",
                           "2026-11-21T24:00",
                           "2026-11-21 09:30:00 CET",
                           "09:30:00.123",
                           "2026-11-21T09:30:00+01:00 UTC",
                           "2026-11-21  09:30",
                           "20261121093000Z",
                           "1234567890123456",
                           "2026-11-21x09:30:00Z",
                           "5h  ago",
                           "2026-11-21 09:30:00 UTC UTC",
                           "2026-11-21 09:30:00."})
    EXPECT_EQ(parse_time(text, kLater), std::nullopt) << '"' << text << '"';
}

/// Everything in `text` that is a time.
std::vector<std::string> times_in(const std::string& text) {
  static const std::regex kTime(
      R"(\d{4}-\d\d-\d\d[T ][0-9:.]+( UTC|Z)|\d{4}-\d\d-\d\d\b|(\d+[dhms])+ ago|just now)");
  std::vector<std::string> times;
  for (auto each = std::sregex_iterator(text.begin(), text.end(), kTime); each != std::sregex_iterator();
       ++each)
    times.push_back(each->str());
  return times;
}

class PrintedTimesTest : public DeadLettersTest {};

TEST_F(PrintedTimesTest, AreTakenByEveryOptionThatTakesATime) {
  ASSERT_EQ(call({"discard", "1"}).status, 0);
  ASSERT_EQ(call({"retry", "2"}).status, 0);
  execute("UPDATE dead_letters SET redrive_requested_at = redrive_requested_at - 60000000 WHERE id = 2");
  std::string printed;
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"show", "1"},
                                             {"show", "2"},
                                             {"list", "--all"},
                                             {"groups"},
                                             {"trace", "request-7"},
                                             {"stats"},
                                             {"doctor"},
                                             {"show", "1", "--json"},
                                             {"list", "--json"},
                                             {"doctor", "--json"}})
    printed += call(arguments).out + call(arguments).err;
  const auto times = times_in(printed);
  EXPECT_GE(times.size(), 30U);
  for (const std::string& time : times) {
    EXPECT_EQ(call({"list", "--since", time}).status, 0) << time;
    EXPECT_EQ(call({"stats", "--until", time}).status, 0) << time;
    EXPECT_EQ(call({"purge", "--older-than", time, "--dry-run"}).status, 0) << time;
  }
}

TEST_F(PrintedTimesTest, OfALetterChooseIt) {
  const auto gave_up = times_in(call({"show", "3"}).out).front();
  EXPECT_EQ(call({"list", "--since", gave_up, "--json"}).json().at("letters").size(), 1U);
  EXPECT_EQ(call({"list", "--until", gave_up, "--json"}).json().at("letters").size(), 2U);
}

}  // namespace
}  // namespace tidings::dead_letters
