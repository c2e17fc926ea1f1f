#include "check_dead_letters/options.hpp"

#include "tools/report_fixture.hpp"

#include <tidings/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

using Arguments = std::vector<std::string>;

Options parse(const Arguments& arguments, const char* environment = nullptr) {
  return std::get<Options>(parse_options(arguments, environment, kNow));
}

/// The message with which a command line is refused; a test fails when it is not.
std::string refusal(const Arguments& arguments, const char* environment = nullptr) {
  try {
    static_cast<void>(parse_options(arguments, environment, kNow));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return {};
}

TEST(Options, DefaultIsAnyUnresolvedLetterOfTheLastHour) {
  const Options options = parse({"--db", "a.db"});
  EXPECT_THAT(options.databases, ElementsAre("a.db"));
  EXPECT_EQ(options.selection.window, seconds(3'600));
  EXPECT_EQ(options.thresholds.warning.value().to_string(), "0");
  EXPECT_FALSE(options.thresholds.critical || options.thresholds.oldest_warning ||
               options.thresholds.oldest_critical);
  EXPECT_FALSE(options.selection.event_type || options.selection.handler || options.selection.service);
  EXPECT_EQ(options.timeout, seconds(10));
  EXPECT_EQ(options.verbosity, 0);
  EXPECT_FALSE(options.json || options.cron || options.prometheus_file);
}

TEST(Options, ReadsEveryOption) {
  const Options options = parse({"--db",
                                 "a.db",
                                 "--since",
                                 "1h30m",
                                 "-w",
                                 "5",
                                 "-c",
                                 "@10:20",
                                 "--oldest-warning",
                                 "1d",
                                 "--oldest-critical=~:2d",
                                 "--type",
                                 "orders.placed",
                                 "--handler",
                                 "send",
                                 "--service",
                                 "orders",
                                 "-vv",
                                 "--json",
                                 "--cron",
                                 "--prometheus",
                                 "m.prom",
                                 "-t",
                                 "7"});
  EXPECT_EQ(options.selection.window, seconds(5'400));
  EXPECT_EQ(options.thresholds.warning.value().to_string(), "5");
  EXPECT_EQ(options.thresholds.critical.value().to_string(), "@10:20");
  EXPECT_EQ(options.thresholds.oldest_warning.value().to_string(), "86400");
  EXPECT_EQ(options.thresholds.oldest_critical.value().to_string(), "~:172800");
  EXPECT_EQ(options.selection.event_type, "orders.placed");
  EXPECT_EQ(options.selection.handler, "send");
  EXPECT_EQ(options.selection.service, "orders");
  EXPECT_EQ(options.verbosity, 2);
  EXPECT_TRUE(options.json && options.cron);
  EXPECT_EQ(options.prometheus_file, "m.prom");
  EXPECT_EQ(options.timeout, seconds(7));
}

TEST(Options, VerbosityStopsAtThree) { EXPECT_EQ(parse({"--db", "a", "-vvvvv"}).verbosity, 3); }

TEST(Options, TimeoutTakesSecondsOrADuration) {
  EXPECT_EQ(parse({"--db", "a", "--timeout", "1m"}).timeout, seconds(60));
  EXPECT_EQ(parse({"--db", "a", "-t", "3600"}).timeout, seconds(3'600));
}

TEST(Options, RangeMayBeginWithAMinusSign) {
  for (const Arguments& range :
       std::vector<Arguments>{{"-w", "-5:5"}, {"--warning", "-5:5"}, {"--warning=-5:5"}}) {
    Arguments arguments{"--db", "a"};
    arguments.insert(arguments.end(), range.begin(), range.end());
    EXPECT_EQ(parse(arguments).thresholds.warning.value().to_string(), "-5:5");
  }
}

TEST(Options, DatabasesComeFromRepeatedOptions) {
  EXPECT_THAT(parse({"--db", "a.db", "--db=b c.db"}, "ignored.db").databases, ElementsAre("a.db", "b c.db"));
  EXPECT_THAT(parse({"--db", "[a,b]"}).databases, ElementsAre("[a,b]"));
}

TEST(Options, DatabasesComeFromTheEnvironmentSeparatedByColons) {
  EXPECT_THAT(parse({}, "/a/x.db:/b/y.db").databases, ElementsAre("/a/x.db", "/b/y.db"));
}

TEST(Options, TheWindowMayBeGivenByItsBeginning) {
  const auto window = [](const std::string& since) {
    return parse({"--db", "a.db", "--since", since}).selection.window;
  };
  EXPECT_EQ(window("1h12m ago"), std::chrono::minutes(74));
  EXPECT_EQ(window(to_rfc3339(kNow - seconds(90))), seconds(90));
  EXPECT_EQ(window(to_rfc3339(kNow - std::chrono::milliseconds(1'500))), seconds(2));
  EXPECT_EQ(window(to_rfc3339(kNow - std::chrono::hours(48)).substr(0, 10)),
            kNow - std::chrono::floor<std::chrono::days>(kNow - std::chrono::hours(48)));
  EXPECT_THAT(refusal({"--db", "a.db", "--since", to_rfc3339(kNow + seconds(9))}),
              HasSubstr("or a past day or time"));
}

TEST(Options, RefusesToCheckNothing) {
  EXPECT_THAT(refusal({}), HasSubstr("give --db FILE, or set TIDINGS_DB"));
  EXPECT_THAT(refusal({}, ""), HasSubstr("give --db FILE, or set TIDINGS_DB"));
  EXPECT_THAT(refusal({"--db", ""}), HasSubstr("--db: the file name is empty"));
  EXPECT_THAT(refusal({}, "a.db::b.db"), HasSubstr("TIDINGS_DB has an empty entry"));
  EXPECT_THAT(refusal({}, "a.db:"), HasSubstr("TIDINGS_DB has an empty entry"));
}

TEST(Options, RefusesADatabaseThatIsGivenTwice) {
  EXPECT_THAT(refusal({"--db", "a.db", "--db", "./a.db"}), HasSubstr("./a.db is given twice"));
}

TEST(Options, EveryMistakeSaysWhichOptionIsWrongAndWhatToWrite) {
  const std::vector<std::pair<Arguments, const char*>> mistakes = {
      {{"--since", "yesterday"},
       "--since: \"yesterday\" is not a time from 1s to 36500d; write for example 1h"},
      {{"--since", "0s"}, "--since: \"0s\" is not a time"},
      {{"--since", "60"}, "--since: \"60\" is not a time"},
      {{"-w", "abc"}, "--warning: \"abc\" is not a range; write 10"},
      {{"-c", "20:10"}, "--critical: \"20:10\" is not a range; write 10"},
      {{"--oldest-warning", "old"}, "--oldest-warning: \"old\" is not a range of ages; write 30m"},
      {{"--oldest-critical", ""}, "--oldest-critical: \"\" is not a range of ages; write 30m"},
      {{"-t", "0"}, "--timeout: \"0\" is not a time from 1s to 1h; write for example 10"},
      {{"-t", "2h"}, "--timeout: \"2h\" is not a time from 1s to 1h"},
      {{"-t", "-5"}, "--timeout"},
      {{"-t", "99999999999999999999"}, "--timeout"},
      {{"--prometheus", ""}, "--prometheus: the file name is empty"},
      {{"--handler", ""}, "--handler: \"\" cannot be a name; names are 1 to 200"},
      {{"--type", "a b"}, "--type: \"a b\" cannot be a name"},
      {{"--service", "x\ny"}, "--service: \"x\\ny\" cannot be a name"}};
  for (const auto& [extra, expected] : mistakes) {
    Arguments arguments{"--db", "a.db"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    EXPECT_THAT(refusal(arguments), HasSubstr(expected));
  }
}

TEST(Options, WhatTheCommandLineLibraryRefusesPointsAtTheHelp) {
  const std::vector<Arguments> mistakes = {{"--db", "a.db", "--bogus"},
                                           {"--db", "a.db", "stray"},
                                           {"--db"},
                                           {"--db", "a.db", "-w"},
                                           {"--db", "a.db", "-w", "1", "-w", "2"},
                                           {"--db", "a.db", "-x"},
                                           {"--db", "a.db", "b.db"},
                                           {"--db", "a.db", "--json=maybe"},
                                           {"--db", "a.db", "-t", "1", "--timeout", "2"}};
  for (const Arguments& arguments : mistakes) {
    EXPECT_THAT(refusal(arguments), HasSubstr("see check-dead-letters --help"));
  }
}

TEST(Options, MistakesAreQuotedSafelyAndShort) {
  EXPECT_THAT(refusal({"--db", "a", "--since", "a|\x1b[31m"}), HasSubstr("\"a\\x7c\\x1b[31m\""));
  EXPECT_LT(refusal({"--db", "a", "--since", std::string(100'000, 'x')}).size(), 300U);
  EXPECT_LT(refusal({"--" + std::string(100'000, 'x')}).size(), 500U);
}

TEST(Options, HelpAndVersionExitWithZeroAndInPluginModeWithThree) {
  for (const char* option : {"-h", "--help", "-V", "--version"}) {
    EXPECT_EQ(std::get<Information>(parse_options({option}, nullptr, kNow)).exit_status, 0) << option;
    EXPECT_EQ(std::get<Information>(parse_options({option, "--plugin-mode"}, nullptr, kNow)).exit_status, 3)
        << option;
  }
}

TEST(Options, HelpOverridesMistakes) {
  EXPECT_THAT(std::get<Information>(parse_options({"--help", "--bogus"}, nullptr, kNow)).text,
              HasSubstr("--since WINDOW"));
}

TEST(Options, VersionIsOneLineWithTheProgramsName) {
  EXPECT_THAT(std::get<Information>(parse_options({"-V"}, nullptr, kNow)).text,
              testing::MatchesRegex("check-dead-letters \\(tidings\\) [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

}  // namespace
}  // namespace tidings::check_dead_letters
