#include "line_sink.hpp"

#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>
#include <spdlog/async.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

Logger logger_to(std::shared_ptr<LineSink> sink, Format format = Format::Json) {
  return Logger(LoggerOptions{.level = Level::Info, .format = format, .sinks = {std::move(sink)}});
}

TEST(SinksTest, ASinkGetsTheRecordAndALineEndAndNothingElse) {
  const auto sink = std::make_shared<LineSink>();
  logger_to(sink).info("e", {{"a", 1}});
  const std::string line = sink->lines().at(0);
  EXPECT_EQ(line.front(), '{');
  EXPECT_EQ(line.substr(line.size() - 2), "}\n");
  EXPECT_EQ(Json::parse(line).at("a"), 1);
}

TEST(SinksTest, ASinksOwnLevelIsObeyed) {
  const auto sink = std::make_shared<LineSink>();
  sink->set_level(spdlog::level::err);
  const Logger log = logger_to(sink);
  log.warning("quiet");
  log.error("loud");
  EXPECT_EQ(sink->lines().size(), 1U);
}

TEST(SinksTest, EachSinkHasItsFormatAndLazyFieldsRunOnce) {
  const auto json = std::make_shared<LineSink>();
  const auto console = std::make_shared<LineSink>();
  const Logger log(
      LoggerOptions{.level = Level::Info, .sinks = {{json, Format::Json}, {console, Format::Console}}});
  int calls = 0;
  log.info("e", {{"n", [&] { return ++calls; }}});
  EXPECT_EQ(Json::parse(json->lines().at(0)).at("n"), 1);
  EXPECT_NE(console->lines().at(0).find(" n=1"), std::string::npos);
}

TEST(SinksTest, ErrorsAreFlushedAndLesserRecordsAreNot) {
  const auto sink = std::make_shared<LineSink>();
  const Logger log = logger_to(sink);
  log.warning("e");
  EXPECT_EQ(sink->flushes(), 0);
  log.error("e");
  EXPECT_EQ(sink->flushes(), 1);
  log.flush();
  EXPECT_EQ(sink->flushes(), 2);
}

TEST(SinksTest, AFailingSinkIsCountedAndDisturbsNobody) {
  const auto broken = std::make_shared<LineSink>();
  const auto good = std::make_shared<LineSink>();
  broken->break_down();
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Json, .sinks = {broken, good}});
  testing::internal::CaptureStderr();
  for (int n = 0; n < 5; ++n) log.error("e");
  log.flush();
  const std::string notices = testing::internal::GetCapturedStderr();
  EXPECT_EQ(good->lines().size(), 5U);
  EXPECT_EQ(log.dropped(), 6U);
  EXPECT_EQ(notices.find("tidings: 1 log record(s) lost so far; the last because: disk full?\n"), 0U)
      << notices;
  EXPECT_EQ(std::count(notices.begin(), notices.end(), '\n'), 3) << "the first, second and fourth are told";
}

TEST(SinksTest, AllSinksAreFlushedEvenIfOneFails) {
  const auto broken = std::make_shared<LineSink>();
  const auto good = std::make_shared<LineSink>();
  broken->break_down();
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Json, .sinks = {broken, good}});
  testing::internal::CaptureStderr();
  log.flush();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(good->flushes(), 1);
}

TEST(SinksTest, ASpdlogLoggerOfOnesOwnKeepsItsPatternAndLevel) {
  const auto sink = std::make_shared<LineSink>();
  sink->set_pattern("%l %v");
  const auto own = std::make_shared<spdlog::logger>("own", sink);
  own->set_level(spdlog::level::warn);
  const Logger log(LoggerOptions{.level = Level::Trace, .format = Format::Json, .spdlog_logger = own});
  log.info("quiet");
  log.error("loud");
  ASSERT_EQ(sink->lines().size(), 1U);
  EXPECT_EQ(sink->lines().at(0).substr(0, 7), "error {");
  EXPECT_EQ(sink->flushes(), 1);
}

TEST(SinksTest, AnAsynchronousSpdlogLoggerGetsFinishedLines) {
  const auto sink = std::make_shared<LineSink>();
  sink->set_pattern("%v");
  auto pool = std::make_shared<spdlog::details::thread_pool>(64, 1);
  const auto own =
      std::make_shared<spdlog::async_logger>("own", sink, pool, spdlog::async_overflow_policy::block);
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Json, .spdlog_logger = own});
  for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}});
  pool.reset();  // joins its thread, the queue drained
  ASSERT_EQ(sink->lines().size(), 3U);
  EXPECT_EQ(Json::parse(sink->lines().at(2)).at("n"), 2);
}

TEST(SinksTest, ASpdlogLoggerThatFailsReportsToItsOwnErrorHandler) {
  const auto sink = std::make_shared<LineSink>();
  sink->break_down();
  const auto own = std::make_shared<spdlog::logger>("own", sink);
  int errors = 0;
  own->set_error_handler([&](const std::string&) { ++errors; });
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Json, .spdlog_logger = own});
  log.info("e");
  EXPECT_EQ(errors, 1);
}

TEST(SinksTest, SinksAndALoggerTogetherAreRefused) {
  const auto sink = std::make_shared<LineSink>();
  EXPECT_THROW(
      Logger(LoggerOptions{.sinks = {sink}, .spdlog_logger = std::make_shared<spdlog::logger>("x", sink)}),
      Error);
}

TEST(SinksTest, AFileHoldsOneObjectALine) {
  const std::string path = testing::TempDir() + "tidings_sinks_test.jsonl";
  {
    const Logger log(LoggerOptions{
        .level = Level::Info, .sinks = {std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true)}});
    log.info("first", {{"text", "two\nlines"}});
    log.info("second");
  }
  std::ifstream file(path);
  std::vector<Json> records;
  for (std::string line; std::getline(file, line);) records.push_back(Json::parse(line));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].at("text"), "two\nlines");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace tidings::logging
