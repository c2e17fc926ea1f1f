#include <tidings/logging/capture.hpp>
#include <tidings/logging/timing_block.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

namespace tidings::logging {
namespace {

using std::chrono::microseconds;

TEST(TimingBlockTest, LogsTheDurationWhenItIsLeft) {
  const Capture capture;
  const auto clock = std::make_shared<ManualClock>();
  {
    TimingBlock timing(capture.logger(), Level::Info, "imported", {{"file", std::string("a.csv")}}, clock);
    clock->advance(microseconds(12'345));
    timing.add("rows", 7);
    EXPECT_TRUE(capture.lines().empty());
  }
  const Json record = capture.only("imported");
  EXPECT_EQ(record.at("duration_ms"), 12.345);
  EXPECT_EQ(record.at("file"), "a.csv");
  EXPECT_EQ(record.at("rows"), 7);
  EXPECT_EQ(record.at("outcome"), "completed");
  EXPECT_EQ(record.at("level"), "info");
}

TEST(TimingBlockTest, LogsWhenAnExceptionLeavesTheBlock) {
  const Capture capture;
  try {
    const TimingBlock timing(capture.logger(), Level::Info, "imported");
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(capture.only("imported").at("outcome"), "exception");
  }
}

TEST(TimingBlockTest, SaysWhatFailedIfItIsTold) {
  const Capture capture;
  const auto work = [&] {
    TimingBlock timing(capture.logger(), Level::Info, "request_finished");
    try {
      throw std::runtime_error("login with password=hunter2");
    } catch (...) {
      timing.fail();
      timing.add("tenant", "acme");
      throw;
    }
  };
  EXPECT_THROW(work(), std::runtime_error);
  const Json record = capture.only("request_finished");
  EXPECT_EQ(record.at("outcome"), "exception");
  EXPECT_EQ(record.at("error_type"), "std::runtime_error");
  EXPECT_EQ(record.at("error"), "login with password=[redacted]");
  EXPECT_EQ(record.at("tenant"), "acme");
}

TEST(TimingBlockTest, AFailureThatWasCaughtIsOneToo) {
  const Capture capture;
  {
    TimingBlock timing(capture.logger(), Level::Info, "request_finished");
    timing.fail(std::make_exception_ptr(std::logic_error("x")));
  }
  EXPECT_EQ(capture.only("request_finished").at("outcome"), "exception");
  EXPECT_EQ(capture.only("request_finished").at("error"), "x");
}

struct TimedCleanUp {
  explicit TimedCleanUp(const Logger& to) : log(to) {}
  TimedCleanUp(const TimedCleanUp&) = delete;
  TimedCleanUp& operator=(const TimedCleanUp&) = delete;
  ~TimedCleanUp() { const TimingBlock timing(log, Level::Info, "cleaned_up"); }
  Logger log;
};

TEST(TimingBlockTest, CompletesInsideADestructorThatAnExceptionRuns) {
  const Capture capture;
  try {
    const TimedCleanUp clean_up(capture.logger());
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(capture.only("cleaned_up").at("outcome"), "completed");
  }
}

TEST(TimingBlockTest, DoesNothingWhenItsLevelIsDisabled) {
  const Capture capture;
  const Logger log = capture.logger({.level = Level::Info});
  {
    TimingBlock timing(log, Level::Debug, "imported", {{"a", 1}});
    timing.add("b", 2);
    log.set_level("", Level::Debug);
  }
  EXPECT_TRUE(capture.lines().empty());
}

TEST(TimingBlockTest, RefusesToMeasureWithoutAClock) {
  const auto without_clock = [] { const TimingBlock timing(Logger(), Level::Info, "e", {}, nullptr); };
  EXPECT_THROW(without_clock(), Error);
}

}  // namespace
}  // namespace tidings::logging
