#include "output/environment.hpp"

#include "line_sink.hpp"
#include "variable.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tidings::logging {
namespace {

std::string first_line(LoggerOptions options) {
  const auto sink = std::make_shared<LineSink>();
  options.sinks = {sink};
  Logger(std::move(options)).critical("e");
  return sink->lines().at(0);
}

TEST(EnvironmentTest, TheLevelIsRead) {
  const Variable level("TIDINGS_LOG_LEVEL", " Warning , orders.import = debug ,, orders=off");
  const Logger log(LoggerOptions{.sinks = {std::make_shared<LineSink>()}});
  EXPECT_EQ(log.level(), Level::Warning);
  EXPECT_EQ(log.child("orders.import").level(), Level::Debug);
  EXPECT_EQ(log.child("orders").level(), Level::Off);
}

TEST(EnvironmentTest, ALevelGivenInCodeWins) {
  const Variable level("TIDINGS_LOG_LEVEL", "trace,orders=trace");
  const Logger log(LoggerOptions{.level = Level::Error, .sinks = {std::make_shared<LineSink>()}});
  EXPECT_EQ(log.child("orders").level(), Level::Error);
}

TEST(EnvironmentTest, WithoutAVariableTheLevelIsInfo) {
  const Variable level("TIDINGS_LOG_LEVEL", "");
  EXPECT_EQ(Logger(LoggerOptions{.sinks = {std::make_shared<LineSink>()}}).level(), Level::Info);
}

TEST(EnvironmentTest, TheFormatIsRead) {
  const Variable json("TIDINGS_LOG_FORMAT", "json");
  EXPECT_EQ(first_line({}).front(), '{');
  const Variable console("TIDINGS_LOG_FORMAT", "console");
  EXPECT_EQ(first_line({}).front(), '2');
  EXPECT_EQ(first_line({.format = Format::Json}).front(), '{') << "what is given in code wins";
}

TEST(EnvironmentTest, WithoutATerminalTheFormatIsJson) {
  const Variable format("TIDINGS_LOG_FORMAT", "auto");
  testing::internal::CaptureStderr();
  Logger(LoggerOptions{.level = Level::Info}).info("to_standard_error");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Json::parse(line).at("event"), "to_standard_error");
}

TEST(EnvironmentTest, ConsoleRenderingWithoutATerminalHasNoColours) {
  const Variable format("TIDINGS_LOG_FORMAT", "console");
  testing::internal::CaptureStderr();
  Logger(LoggerOptions{.level = Level::Info}).error("to_standard_error");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("error    to_standard_error"), std::string::npos) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(EnvironmentTest, WhatIsNotUnderstoodIsReportedWithWhatWouldBe) {
  const Variable level("TIDINGS_LOG_LEVEL", "loud,orders=debug");
  const Variable format("TIDINGS_LOG_FORMAT", "xml");
  const auto sink = std::make_shared<LineSink>();
  const Logger log(LoggerOptions{.sinks = {sink}, .source_from = Level::Trace});
  ASSERT_EQ(sink->lines().size(), 2U);
  const Json first = Json::parse(sink->lines().at(0));
  EXPECT_EQ(first.at("event"), "log_configuration_ignored");
  EXPECT_FALSE(first.contains("source_file")) << "it is not the user who logged it";
  EXPECT_EQ(first.at("variable"), "TIDINGS_LOG_LEVEL");
  EXPECT_EQ(first.at("value"), "loud");
  EXPECT_EQ(Json::parse(sink->lines().at(1)).at("allowed"), "auto, json or console");
  EXPECT_EQ(log.child("orders").level(), Level::Debug) << "the rest is obeyed";
}

TEST(EnvironmentTest, AnUnknownProfileOfRedactionIsReported) {
  const Variable redaction("TIDINGS_REDACTION", "everything");
  const auto sink = std::make_shared<LineSink>();
  const Logger log(LoggerOptions{.sinks = {sink}});
  const Json record = Json::parse(sink->lines().at(0));
  EXPECT_EQ(record.at("event"), "log_configuration_ignored");
  EXPECT_EQ(record.at("variable"), "TIDINGS_REDACTION");
  EXPECT_EQ(record.at("allowed"), "secrets or personal_data; personal data is masked");
}

TEST(EnvironmentTest, FieldsOfTheProcessAreChosen) {
  const Variable fields("TIDINGS_LOG_PROCESS_FIELDS", " host , pid,");
  const Json record = Json::parse(first_line({.format = Format::Json}));
  EXPECT_TRUE(record.contains("host"));
  EXPECT_TRUE(record.contains("pid"));
  EXPECT_FALSE(record.contains("thread"));
  const auto in_code = first_line({.format = Format::Json, .process_fields = ProcessFields::none()});
  EXPECT_FALSE(Json::parse(in_code).contains("pid")) << "what is given in code wins";
}

TEST(EnvironmentTest, AllOrNoneOfTheFieldsOfTheProcessAreChosen) {
  const Variable all("TIDINGS_LOG_PROCESS_FIELDS", "all");
  EXPECT_EQ(Environment::read().process_fields, ProcessFields::all());
  const Variable none("TIDINGS_LOG_PROCESS_FIELDS", "none");
  EXPECT_EQ(Environment::read().process_fields, ProcessFields::none());
  const Variable empty("TIDINGS_LOG_PROCESS_FIELDS", "");
  EXPECT_EQ(Environment::read().process_fields, std::nullopt);
}

TEST(EnvironmentTest, TheLevelThatSaysItsSourceIsRead) {
  const Variable source("TIDINGS_LOG_SOURCE", " Warning ");
  EXPECT_TRUE(Json::parse(first_line({.format = Format::Json})).contains("source_line"));
  const auto in_code = first_line({.format = Format::Json, .source_from = Level::Off});
  EXPECT_FALSE(Json::parse(in_code).contains("source_line")) << "what is given in code wins";
  const Variable wrong("TIDINGS_LOG_SOURCE", "yes");
  const Environment read = Environment::read();
  EXPECT_EQ(read.source_from, std::nullopt);
  EXPECT_EQ(read.problems.at(0).variable, "TIDINGS_LOG_SOURCE");
}

TEST(EnvironmentTest, WhatCannotBeSaidOfTheProcessIsReported) {
  const Variable fields("TIDINGS_LOG_PROCESS_FIELDS", "pid,uptime");
  const Variable environment("TIDINGS_ENVIRONMENT", "two words");
  const Variable release("TIDINGS_RELEASE", "line\nbreak");
  const Environment read = Environment::read();
  ASSERT_EQ(read.problems.size(), 3U);
  EXPECT_EQ(read.problems[0].variable, "TIDINGS_LOG_PROCESS_FIELDS");
  EXPECT_EQ(read.problems[0].value, "uptime");
  EXPECT_EQ(read.problems[1].variable, "TIDINGS_ENVIRONMENT");
  EXPECT_EQ(read.problems[2].variable, "TIDINGS_RELEASE");
  EXPECT_TRUE(read.process_fields.value().pid) << "the rest is obeyed";
}

TEST(EnvironmentTest, ColoursCanBeForbidden) {
  const Variable term("TERM", "xterm");
  const Variable allowed("NO_COLOR", "");
  EXPECT_TRUE(colour_allowed());
  const Variable forbidden("NO_COLOR", "1");
  EXPECT_FALSE(colour_allowed());
}

TEST(EnvironmentTest, ADumbTerminalHasNoColours) {
  const Variable allowed("NO_COLOR", "");
  const Variable term("TERM", "dumb");
  EXPECT_FALSE(colour_allowed());
}

}  // namespace
}  // namespace tidings::logging
