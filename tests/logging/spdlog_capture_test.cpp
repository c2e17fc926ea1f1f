#include "line_sink.hpp"
#include "logging/corpus.hpp"

#include <tidings/context.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/spdlog_capture.hpp>

#include <gtest/gtest.h>
#include <spdlog/async.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidings::logging {
namespace {

/// spdlog's registry with a default logger of the test's own.
class SpdlogCaptureTest : public testing::Test {
 protected:
  SpdlogCaptureTest() {
    default_sink_->set_pattern("%l %v");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", default_sink_));
  }
  ~SpdlogCaptureTest() override {
    spdlog::drop_all();
    spdlog::set_default_logger(original_);
  }

  /// What spdlog's factory makes, with a sink that can be looked into.
  static std::shared_ptr<spdlog::logger> make_logger(const std::string& name) {
    return spdlog::create<LineSink>(name);
  }
  static std::vector<std::string> lines_of(const spdlog::logger& logger) {
    return dynamic_cast<LineSink&>(*logger.sinks().front()).lines();
  }

  const std::shared_ptr<spdlog::logger> original_ = spdlog::default_logger();
  const std::shared_ptr<LineSink> default_sink_ = std::make_shared<LineSink>();
  const Capture capture_;
};

TEST_F(SpdlogCaptureTest, NoSecretOfTheCorpusComesThroughInALineOfSpdlog) {
  Capture capture;
  const SpdlogCapture others = capture_spdlog(capture.logger());
  for (const auto& [secret, line] : secret_lines()) {
    capture.clear();
    spdlog::warn("{}", line);
    const auto message = capture.only("log_message").at("message").get<std::string>();
    EXPECT_EQ(message.find(secret), std::string::npos) << message;
  }
}

TEST_F(SpdlogCaptureTest, ALineOfTheDefaultLoggerIsARecord) {
  const SpdlogCapture others = capture_spdlog(capture_.logger({.service = "orders", .name = "app"}));
  const ContextScope scope(Context::from_id("request-7").with({{"tenant", "acme"}}));
  spdlog::warn("login failed: password={} for {}", "hunter2", "bob");
  Json record = capture_.only("log_message");
  record.erase("timestamp");
  EXPECT_EQ(record, (Json{{"level", "warning"},
                          {"event", "log_message"},
                          {"logger", "app"},
                          {"service", "orders"},
                          {"correlation_id", "request-7"},
                          {"tenant", "acme"},
                          {"message", "login failed: password=[redacted] for bob"}}));
  EXPECT_TRUE(default_sink_->lines().empty()) << "nothing gets out raw beside it";
}

TEST_F(SpdlogCaptureTest, ALineHasTheNameAndTheLevelOfItsLogger) {
  const auto library = make_logger("http.client");
  library->set_level(spdlog::level::trace);
  const SpdlogCapture others = capture_spdlog(capture_.logger({.name = "app"}));
  for (const auto level : {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                           spdlog::level::warn, spdlog::level::err, spdlog::level::critical})
    library->log(level, "x");
  std::string levels;
  for (const Json& record : capture_.records()) {
    EXPECT_EQ(record.at("logger"), "http.client");
    levels += record.at("level").get<std::string>() + " ";
  }
  EXPECT_EQ(levels, "trace debug info warning error critical ");
}

TEST_F(SpdlogCaptureTest, LevelsAreSetByTheNamesOfSpdlogsLoggers) {
  const auto library = make_logger("http.client");
  const Logger log = capture_.logger();
  log.set_level("http", Level::Error);
  const SpdlogCapture others = capture_spdlog(log);
  library->warn("quiet");
  library->error("loud");
  EXPECT_EQ(capture_.only("log_message").at("message"), "loud");
}

TEST_F(SpdlogCaptureTest, TheMacrosSayWhereALineWasLogged) {
  const SpdlogCapture others = capture_spdlog(capture_.logger({.source_from = Level::Info}));
  const int line = __LINE__ + 1;
  SPDLOG_LOGGER_WARN(spdlog::default_logger(), "with a place");
  spdlog::warn("without");
  EXPECT_EQ(capture_.records().at(0).at("source_file"), "logging/spdlog_capture_test.cpp");
  EXPECT_EQ(capture_.records().at(0).at("source_line"), line);
  EXPECT_EQ(capture_.records().at(0).at("source_function"), "TestBody");
  EXPECT_FALSE(capture_.records().at(1).contains("source_file"));
}

TEST_F(SpdlogCaptureTest, HostileTextStaysOneLine) {
  const SpdlogCapture others = capture_spdlog(capture_.logger());
  const std::string text = "a\r\n{\"event\":\"forged\"}\x1b[31m \xff";
  spdlog::info(text);
  ASSERT_EQ(capture_.lines().size(), 1U);
  EXPECT_EQ(capture_.lines().at(0).find_first_of("\r\n\x1b"), std::string::npos);
  EXPECT_EQ(capture_.only("log_message").at("message"), "a\r\n{\"event\":\"forged\"}\x1b[31m \ufffd");
}

TEST_F(SpdlogCaptureTest, AtItsEndTheLoggersHaveTheirSinksAndPatternsBack) {
  const auto library = make_logger("http.client");
  library->set_pattern("<%v>");
  {
    const SpdlogCapture others = capture_spdlog(capture_.logger());
    library->warn("captured");
  }
  library->warn("raw");
  spdlog::error("raw");
  EXPECT_EQ(lines_of(*library), (std::vector<std::string>{"<raw>\n"}));
  EXPECT_EQ(default_sink_->lines(), (std::vector<std::string>{"error raw\n"}));
  EXPECT_EQ(capture_.lines().size(), 1U);
}

TEST_F(SpdlogCaptureTest, ALoggerThatIsMadeLaterWritesRecordsToItsOwnSinks) {
  std::shared_ptr<spdlog::logger> later;
  {
    const SpdlogCapture others = capture_spdlog(capture_.logger({.service = "orders"}));
    later = make_logger("later");
    later->info("token=abc123");
    later->debug("below the level of the logger");
  }
  later->info("after the end");
  ASSERT_EQ(lines_of(*later).size(), 2U);
  const Json record = Json::parse(lines_of(*later).at(0));
  EXPECT_EQ(record.at("message"), "token=[redacted]");
  EXPECT_EQ(record.at("logger"), "later");
  EXPECT_EQ(record.at("service"), "orders");
  EXPECT_NE(lines_of(*later).at(1).find("[later] [info] after the end\n"), std::string::npos);
}

TEST_F(SpdlogCaptureTest, LoggersThatAreMadeLaterCanBeAdopted) {
  const auto sink = std::make_shared<LineSink>();
  sink->set_pattern("<%v>");
  {
    SpdlogCapture others = capture_spdlog(capture_.logger());
    const auto made = make_logger("made");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("replaced", sink));
    others.adopt();
    others.adopt();
    made->info("1");
    spdlog::info("2");
  }
  spdlog::info("raw");
  ASSERT_EQ(capture_.lines().size(), 2U);
  EXPECT_EQ(capture_.records().at(0).at("logger"), "made");
  EXPECT_EQ(capture_.records().at(1).at("logger"), "replaced");
  EXPECT_EQ(sink->lines(), (std::vector<std::string>{"<raw>\n"}));
}

TEST_F(SpdlogCaptureTest, OnlyOneCaptureAtATime) {
  std::optional<SpdlogCapture> first(std::in_place, capture_.logger());
  EXPECT_THROW(static_cast<void>(SpdlogCapture(capture_.logger())), Error);
  first.reset();
  const SpdlogCapture second(capture_.logger());
  spdlog::info("x");
  EXPECT_EQ(capture_.lines().size(), 1U);
}

TEST_F(SpdlogCaptureTest, WhatTidingsWritesThroughACapturedLoggerIsWrittenOnce) {
  const Logger log({.format = Format::Json, .spdlog_logger = spdlog::default_logger()});
  const SpdlogCapture others = capture_spdlog(log);
  log.info("own");
  spdlog::info("of others: password=hunter2");
  const std::vector<std::string> lines = default_sink_->lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines.at(0).find("info {\"timestamp\""), 0U) << "its pattern stays: " << lines.at(0);
  EXPECT_EQ(Json::parse(lines.at(0).substr(5)).at("event"), "own");
  EXPECT_EQ(Json::parse(lines.at(1).substr(5)).at("message"), "of others: password=[redacted]");
  EXPECT_EQ(log.dropped(), 0U);
}

TEST_F(SpdlogCaptureTest, AFlushThroughACapturedLoggerOfTidingsOwnEnds) {
  const Logger log({.format = Format::Json, .spdlog_logger = spdlog::default_logger()});
  const SpdlogCapture others = capture_spdlog(log);
  log.error("flushes");
  spdlog::default_logger()->flush();
  EXPECT_EQ(default_sink_->lines().size(), 1U);
  EXPECT_EQ(default_sink_->flushes(), 2);
}

TEST_F(SpdlogCaptureTest, AnAsynchronousLoggerOfTidingsOwnDoesNotWaitForItself) {
  constexpr int kLines = 50;
  auto pool = std::make_shared<spdlog::details::thread_pool>(1, 1);  // a queue of one line
  const auto async = std::make_shared<spdlog::async_logger>("async", default_sink_, pool,
                                                            spdlog::async_overflow_policy::block);
  spdlog::register_logger(async);
  const Logger log({.format = Format::Json, .spdlog_logger = async});
  const SpdlogCapture others = capture_spdlog(log);
  for (int n = 0; n < kLines; ++n) async->info("of others");
  for (int n = 0; n < kLines; ++n) log.info("own");
  pool.reset();  // joins its thread, the queue drained
  EXPECT_EQ(default_sink_->lines().size(), 2U * kLines);
}

TEST_F(SpdlogCaptureTest, AProcessorThatLogsToSpdlogEnds) {
  const Logger log = capture_.logger({.processors = {[](Record&) {
                                        spdlog::info("from the processor");
                                        return true;
                                      }}});
  const SpdlogCapture others = capture_spdlog(log);
  testing::internal::CaptureStderr();
  spdlog::info("first");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("while a line of spdlog was made a record"),
            std::string::npos);
  EXPECT_EQ(capture_.only("log_message").at("message"), "first");
  EXPECT_EQ(log.dropped(), 1U);
}

TEST_F(SpdlogCaptureTest, ASinkThatFailsIsNoMatterOfTheOthers) {
  int errors = 0;
  spdlog::default_logger()->set_error_handler([&](const std::string&) { ++errors; });
  const auto broken = std::make_shared<LineSink>();
  broken->break_down();
  const Logger log({.sinks = {broken}});
  const SpdlogCapture others = capture_spdlog(log);
  testing::internal::CaptureStderr();
  spdlog::info("x");
  spdlog::default_logger()->flush();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(log.dropped(), 2U);
}

TEST_F(SpdlogCaptureTest, ASinkMakesRecordsForLoggersOfOnesOwn) {
  spdlog::logger own("mine", make_spdlog_sink(capture_.logger({.name = "app"})));
  own.error("token=abc123");
  own.debug("below the level of the logger");
  EXPECT_EQ(capture_.only("log_message").at("logger"), "mine");
  EXPECT_EQ(capture_.only("log_message").at("message"), "token=[redacted]");
}

TEST_F(SpdlogCaptureTest, ThreadsLogAtTheSameTimeEachWithItsContext) {
  constexpr int kLines = 200;
  const auto library = make_logger("http.client");
  const SpdlogCapture others = capture_spdlog(capture_.logger());
  std::vector<std::thread> threads;
  for (const char* tenant : {"acme", "zeta"}) {
    threads.emplace_back([&library, tenant] {
      const ContextScope scope({{"tenant", tenant}});
      for (int n = 0; n < kLines; ++n)
        (n % 2 == 0 ? library : spdlog::default_logger())->info("of {}", tenant);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(capture_.lines().size(), 2U * kLines);
  for (const Json& record : capture_.records())
    EXPECT_EQ(record.at("message"), "of " + record.at("tenant").get<std::string>());
}

}  // namespace
}  // namespace tidings::logging
