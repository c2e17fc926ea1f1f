#include <tidings/logging/level.hpp>

#include <gtest/gtest.h>

namespace tidings::logging {
namespace {

TEST(LevelTest, NamesAreReadBackInAnyCase) {
  for (const Level level :
       {Level::Trace, Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical, Level::Off}) {
    EXPECT_EQ(parse_level(to_string(level)), level);
  }
  EXPECT_EQ(parse_level("WARN"), Level::Warning);
  EXPECT_EQ(parse_level("Error"), Level::Error);
}

TEST(LevelTest, AnythingElseIsNoLevel) {
  for (const char* text : {"", " ", "verbose", "info ", "inf", "infos", "2"}) {
    EXPECT_EQ(parse_level(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tidings::logging
