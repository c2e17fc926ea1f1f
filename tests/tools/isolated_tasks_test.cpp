#include "check_dead_letters/isolated_tasks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <csignal>
#include <stdexcept>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::HasSubstr;
using End = IsolatedTasks::Outcome::End;

std::chrono::steady_clock::time_point within(milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// Hangs until it is killed.
std::string hang() {
  while (true) ::pause();
}

TEST(IsolatedTasks, ReturnWhatTheWorkReturnsInTheOrderOfStart) {
  IsolatedTasks tasks;
  for (const char* text : {"first", "", "third"}) {
    tasks.start([text] { return std::string(text); });
  }
  const auto outcomes = tasks.finish(within(minutes(1)));
  ASSERT_EQ(outcomes.size(), 3U);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.end, End::Finished);
  EXPECT_EQ(outcomes[0].text + "," + outcomes[1].text + "," + outcomes[2].text, "first,,third");
}

TEST(IsolatedTasks, TakeMoreThanAPipeHoldsFromManyAtOnce) {
  IsolatedTasks tasks;
  for (const char c : {'a', 'b', 'c'}) {
    tasks.start([c] { return std::string(3'000'000, c); });
  }
  const auto outcomes = tasks.finish(within(minutes(1)));
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.text.size(), 3'000'000U);
}

TEST(IsolatedTasks, HangingWorkTakesNeitherTheOthersNorTheCallerWithIt) {
  IsolatedTasks tasks;
  tasks.start(hang);
  tasks.start([] { return std::string("done"); });
  const auto outcomes = tasks.finish(within(milliseconds(300)));
  EXPECT_EQ(outcomes[0].end, End::TimedOut);
  EXPECT_EQ(outcomes[1].end, End::Finished);
  EXPECT_EQ(outcomes[1].text, "done");
}

TEST(IsolatedTasks, CrashingWorkIsReportedWithItsSignal) {
  IsolatedTasks tasks;
  tasks.start([]() -> std::string {
    ::signal(SIGBUS, SIG_DFL);
    ::raise(SIGBUS);
    return "not reached";
  });
  const auto outcome = tasks.finish(within(minutes(1))).front();
  EXPECT_EQ(outcome.end, End::Crashed);
  EXPECT_EQ(outcome.text, "killed by signal 7 (Bus error)");
}

TEST(IsolatedTasks, ExceptionIsReportedAsAnEndByStatus) {
  IsolatedTasks tasks;
  tasks.start([]() -> std::string { throw std::runtime_error("no"); });
  const auto outcome = tasks.finish(within(minutes(1))).front();
  EXPECT_EQ(outcome.end, End::Crashed);
  EXPECT_EQ(outcome.text, "ended with status 70");
}

TEST(IsolatedTasks, WorkDoesNotHoldTheCallersOutputOpen) {
  IsolatedTasks tasks;
  tasks.start([] {
    std::string targets;
    for (const char* stream : {"/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"}) {
      char target[64] = {};
      if (::readlink(stream, target, sizeof target - 1) > 0) targets += target;
    }
    return targets;
  });
  EXPECT_EQ(tasks.finish(within(minutes(1))).front().text, "/dev/null/dev/null/dev/null");
}

TEST(IsolatedTasks, UnfinishedWorkIsKilledWithoutBeingWaitedFor) {
  const auto start = std::chrono::steady_clock::now();
  {
    IsolatedTasks tasks;
    tasks.start(hang);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, minutes(1));
}

}  // namespace
}  // namespace tidings::check_dead_letters
