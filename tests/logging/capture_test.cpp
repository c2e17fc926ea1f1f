#include <tidings/logging/capture.hpp>

#include <gtest/gtest.h>

#include <string>

namespace tidings::logging {
namespace {

TEST(CaptureTest, GivesRecordsInTheOrderTheyWereLogged) {
  const Capture capture;
  const Logger log = capture.logger();
  log.info("a", {{"n", 1}});
  log.info("b");
  log.info("a", {{"n", 2}});
  ASSERT_EQ(capture.records("a").size(), 2U);
  EXPECT_EQ(capture.records("a")[1].at("n"), 2);
  EXPECT_EQ(capture.records().at(1).at("event"), "b");
  EXPECT_EQ(capture.count("a"), 2U);
  EXPECT_EQ(capture.count("c"), 0U);
}

TEST(CaptureTest, OnlySaysWhatThereIsInstead) {
  const Capture capture;
  capture.logger().info("present");
  try {
    static_cast<void>(capture.only("absent"));
    FAIL() << "there is no such record";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "expected one record `absent`, there are 0 among: present");
  }
}

TEST(CaptureTest, ClearForgetsAll) {
  Capture capture;
  capture.logger().info("e");
  capture.clear();
  EXPECT_TRUE(capture.records().empty());
}

TEST(CaptureTest, LoggersOutliveIt) {
  Logger log;
  {
    const Capture capture;
    log = capture.logger();
  }
  log.info("into_nothing");
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(CaptureTest, SeesAllLevelsUnlessToldOtherwise) {
  const Capture capture;
  capture.logger().trace("traced");
  capture.logger({.level = Level::Error}).info("not_logged");
  EXPECT_EQ(capture.records().size(), 1U);
}

TEST(CaptureTest, CanStandBesideOtherSinks) {
  const Capture one;
  const Capture other;
  const Logger log(LoggerOptions{.level = Level::Info, .sinks = {one.sink(), other.sink()}});
  log.info("e");
  EXPECT_EQ(one.lines(), other.lines());
  EXPECT_EQ(one.count("e"), 1U);
}

}  // namespace
}  // namespace tidings::logging
