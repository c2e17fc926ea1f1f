#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>

namespace tidings::logging {
namespace {

TEST(LoggerLevelTest, RecordsBelowTheLevelAreNotMade) {
  const Capture capture;
  const Logger log = capture.logger({.level = Level::Warning});
  log.info("quiet");
  log.warning("loud");
  EXPECT_FALSE(log.enabled(Level::Info));
  EXPECT_TRUE(log.enabled(Level::Warning));
  EXPECT_EQ(capture.records().size(), 1U);
  EXPECT_EQ(log.level(), Level::Warning);
}

TEST(LoggerLevelTest, OffSilencesEverything) {
  const Capture capture;
  const Logger log = capture.logger({.level = Level::Off});
  log.critical("quiet");
  EXPECT_TRUE(capture.lines().empty());
}

TEST(LoggerLevelTest, LevelsAreSetPerPrefixAndTheLongestWins) {
  const Capture capture;
  const Logger root = capture.logger({.level = Level::Info});
  root.set_level("orders", Level::Error);
  root.set_level("orders.import", Level::Debug);
  EXPECT_EQ(root.level(), Level::Info);
  EXPECT_EQ(root.child("orders").level(), Level::Error);
  EXPECT_EQ(root.child("orders").child("export").level(), Level::Error);
  EXPECT_EQ(root.child("orders.import.csv").level(), Level::Debug);
  EXPECT_EQ(root.child("ordersystem").level(), Level::Info) << "a prefix ends at a dot";
}

TEST(LoggerLevelTest, LoggersThatExistFollowAtOnce) {
  const Capture capture;
  const Logger root = capture.logger({.level = Level::Info});
  const Logger child = root.child("orders").bind({{"a", 1}});
  child.set_level("orders", Level::Trace);
  EXPECT_TRUE(child.enabled(Level::Trace));
  EXPECT_FALSE(root.enabled(Level::Trace));
  root.set_level("", Level::Error);
  EXPECT_EQ(root.level(), Level::Error);
  EXPECT_TRUE(child.enabled(Level::Trace)) << "its own prefix is longer";
}

TEST(LoggerLevelTest, FamiliesAreIndependent) {
  const Capture capture;
  const Logger one = capture.logger({.level = Level::Info});
  const Logger other = capture.logger({.level = Level::Info});
  one.set_level("", Level::Off);
  EXPECT_TRUE(other.enabled(Level::Info));
}

}  // namespace
}  // namespace tidings::logging
