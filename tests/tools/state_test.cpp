#include "check_dead_letters/state.hpp"

#include <gtest/gtest.h>

namespace tidings::check_dead_letters {
namespace {

TEST(State, ValuesAreTheExitStatusesOfMonitoringPlugins) {
  EXPECT_EQ(static_cast<int>(State::Ok), 0);
  EXPECT_EQ(static_cast<int>(State::Warning), 1);
  EXPECT_EQ(static_cast<int>(State::Critical), 2);
  EXPECT_EQ(static_cast<int>(State::Unknown), 3);
}

TEST(State, NamesAreThoseOfMonitoringPlugins) {
  EXPECT_EQ(to_string(State::Ok), "OK");
  EXPECT_EQ(to_string(State::Warning), "WARNING");
  EXPECT_EQ(to_string(State::Critical), "CRITICAL");
  EXPECT_EQ(to_string(State::Unknown), "UNKNOWN");
}

TEST(State, WorseOrdersOkUnknownWarningCriticalWhicheverComesFirst) {
  const State ordered[] = {State::Ok, State::Unknown, State::Warning, State::Critical};
  for (int left = 0; left < 4; ++left) {
    for (int right = 0; right < 4; ++right) {
      EXPECT_EQ(worse(ordered[left], ordered[right]), ordered[std::max(left, right)])
          << left << " and " << right;
    }
  }
}

}  // namespace
}  // namespace tidings::check_dead_letters
