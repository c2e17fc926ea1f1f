#include "variable.hpp"

#include "deadletter/temporary_folder.hpp"
#include "line_sink.hpp"

#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

namespace tidings::logging {
namespace {

class EnvironmentOutputTest : public testing::Test {
 protected:
  [[nodiscard]] std::string written(const char* name) const {
    return deadletter::read_file(folder_.path(name));
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_.path(name).string(); }

  const deadletter::TemporaryFolder folder_;
  const Variable format_{"TIDINGS_LOG_FORMAT", "json"};
  const Variable level_{"TIDINGS_LOG_LEVEL", "info"};
};

TEST_F(EnvironmentOutputTest, StandardOutputCanBeChosen) {
  const Variable output("TIDINGS_LOG_OUTPUT", " stdout ");
  testing::internal::CaptureStdout();
  Logger(LoggerOptions{}).info("e");
  EXPECT_NE(testing::internal::GetCapturedStdout().find("\"event\":\"e\""), std::string::npos);
}

TEST_F(EnvironmentOutputTest, LoggersShareTheFileTheyAreGiven) {
  const Variable output("TIDINGS_LOG_OUTPUT", path("app.log").c_str());
  const Logger one(LoggerOptions{});
  const Logger other(LoggerOptions{});
  one.info("first");
  other.info("second");
  const std::string text = written("app.log");
  EXPECT_LT(text.find("first"), text.find("second"));
  EXPECT_NE(text.find("second"), std::string::npos);
}

TEST_F(EnvironmentOutputTest, OneLoggerCanHaveAFileOfItsOwn) {
  const Variable output("TIDINGS_LOG_OUTPUT",
                        (path("app.log") + ", tidings.audit = " + path("audit.log")).c_str());
  const Logger log(LoggerOptions{});
  log.child("tidings.audit").info("purged");
  log.child("orders").info("placed");
  EXPECT_NE(written("audit.log").find("purged"), std::string::npos);
  EXPECT_EQ(written("app.log").find("purged"), std::string::npos);
  EXPECT_NE(written("app.log").find("placed"), std::string::npos);
}

TEST_F(EnvironmentOutputTest, SinksAndRoutesInCodeWin) {
  const Variable output("TIDINGS_LOG_OUTPUT", (path("app.log") + ",audit=" + path("audit.log")).c_str());
  const auto sink = std::make_shared<LineSink>();
  Logger(LoggerOptions{.sinks = {sink}}).child("audit").info("e");
  EXPECT_EQ(sink->lines().size(), 1U);
  EXPECT_EQ(written("app.log"), "");
  Route route{.logger = "audit"};
  route.sinks = {sink};
  Logger(LoggerOptions{.routes = {route}}).child("audit").info("e");
  EXPECT_EQ(sink->lines().size(), 2U);
  EXPECT_NE(written("app.log").find("\"event\":\"e\""), std::string::npos);
  EXPECT_EQ(written("audit.log"), "");
}

TEST_F(EnvironmentOutputTest, FilesAreRotatedAsItSays) {
  const Variable output("TIDINGS_LOG_OUTPUT", path("app.log").c_str());
  const Variable rotation("TIDINGS_LOG_ROTATION", "size=1K, keep=2, age=1d");
  const Logger log(LoggerOptions{});
  for (int n = 0; n < 60; ++n) log.info("e", {{"n", n}});
  EXPECT_LE(written("app.log").size(), 1024U);
  EXPECT_NE(written("app.log.2"), "");
  EXPECT_EQ(written("app.log.3"), "");
}

TEST_F(EnvironmentOutputTest, LinesCanBeQueued) {
  const Variable output("TIDINGS_LOG_OUTPUT", path("app.log").c_str());
  const Variable queue("TIDINGS_LOG_QUEUE", "64K");
  const Logger log(LoggerOptions{});
  for (int n = 0; n < 100; ++n) log.info("e", {{"n", n}});
  log.flush();
  EXPECT_NE(written("app.log").find("\"n\":99}"), std::string::npos);
}

TEST_F(EnvironmentOutputTest, AFileThatCannotBeOpenedIsToldAndStandardErrorIsUsed) {
  const Variable output("TIDINGS_LOG_OUTPUT", path("no/app.log").c_str());
  testing::internal::CaptureStderr();
  Logger(LoggerOptions{}).info("e");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("log_configuration_ignored"), std::string::npos) << text;
  EXPECT_NE(text.find("No such file or directory"), std::string::npos) << text;
  EXPECT_NE(text.find("\"event\":\"e\""), std::string::npos) << text;
}

TEST_F(EnvironmentOutputTest, OfTwoFilesForOneLoggerTheLastCounts) {
  const Variable output(
      "TIDINGS_LOG_OUTPUT",
      ("audit=" + path("first.log") + ",audit=" + path("last.log") + "," + path("app.log")).c_str());
  Logger(LoggerOptions{}).child("audit").info("e");
  EXPECT_FALSE(std::filesystem::exists(path("first.log")));
  EXPECT_NE(written("last.log").find("\"event\":\"e\""), std::string::npos);
}

TEST_F(EnvironmentOutputTest, WhatIsNoNameOfALoggerIsTold) {
  const Variable output("TIDINGS_LOG_OUTPUT", "=stdout, a b=stdout, a\nb=stdout, \xff=stdout");
  testing::internal::CaptureStderr();
  Logger(LoggerOptions{}).info("e");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5) << text;
  EXPECT_NE(text.find("\"event\":\"e\""), std::string::npos) << text;
  EXPECT_FALSE(has_output_of_its_own("any"));
}

TEST_F(EnvironmentOutputTest, WhatCannotBeUnderstoodIsTold) {
  const Variable output("TIDINGS_LOG_OUTPUT", "app.log,stderr");
  const Variable rotation("TIDINGS_LOG_ROTATION", "size=1X,age=,keep=0,often,size=99999999999G");
  const Variable queue("TIDINGS_LOG_QUEUE", "3K");
  const auto sink = std::make_shared<LineSink>();
  const Logger log(LoggerOptions{.sinks = {sink}});
  std::size_t told = 0;
  for (const std::string& line : sink->lines())
    told += line.find("log_configuration_ignored") != std::string::npos;
  EXPECT_EQ(told, 7U);
}

}  // namespace
}  // namespace tidings::logging
