#include "tools/dead_letters_fixture.hpp"
#include "tools/tool_process.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <future>

namespace tidings::dead_letters {
namespace {

using check_dead_letters::Circumstances;
using check_dead_letters::Output;
using check_dead_letters::run_tool;
using check_dead_letters::ToolRun;
using testing::HasSubstr;

class DeadLettersProcessTest : public DeadLettersTest {
 protected:
  void add_letters(int count) const {
    std::vector<DeadLetter> letters;
    for (int i = 0; i < count; ++i) {
      letters.push_back(letter_that_failed(std::chrono::seconds(i), i % 2 == 0 ? "even" : "odd"));
    }
    store_letters(*deadletter::Store::open(database_), letters);
  }
  [[nodiscard]] ToolRun run_program(const std::vector<std::string>& arguments,
                                    Output output = Output::Captured) const {
    Circumstances circumstances;
    circumstances.tidings_db = database_;
    circumstances.output = output;
    circumstances.program = TIDINGS_DEAD_LETTERS;
    return run_tool(arguments, circumstances);
  }
};

TEST_F(DeadLettersProcessTest, TwoOperatorsAndAServiceLoseNoUpdate) {
  add_letters(3'000);
  const auto run_beside = [&](std::vector<std::string> arguments) {
    return std::async(std::launch::async, [this, arguments] { return run_program(arguments); });
  };
  auto first = run_beside({"retry", "--all"});
  auto second = run_beside({"retry", "--all"});
  auto third = run_beside({"discard", "--handler", "odd"});
  add_letters(500);  // the service, which goes on failing
  for (auto* each : {&first, &second, &third}) EXPECT_EQ(each->get().exit_status, 0);
  auto now = reader();
  const auto discarded = now.count({.resolution = deadletter::Resolution::Discarded});
  EXPECT_EQ(now.count({.resolved = true, .marked = true}), 0);
  EXPECT_GE(discarded, 1'500);
  std::int64_t marked = 0;
  std::int64_t audited = 0;
  for (const auto& redrive : now.examine(false).open_redrives) marked += redrive.letters;
  for (const auto& change : now.examine(false).recent_changes) audited += change.letters;
  // Whoever came first has a letter: it is marked once, and discarded at most once, before or after.
  EXPECT_LE(marked, 3'503);
  EXPECT_GE(marked, now.count({.marked = true}));
  EXPECT_EQ(audited, marked + discarded);
}

/// Presses Ctrl-C every millisecond while it lives. The kernel does it: a thread of this process might not
/// get to run before the tool is through. Without pause, a pause of the tool between two batches might never
/// end: after each signal the system restarts what is left of it, and rounds up.
class Impatience {
 public:
  Impatience() : previous_(std::signal(SIGINT, SIG_IGN)) {
    struct sigevent press {};
    press.sigev_notify = SIGEV_SIGNAL;
    press.sigev_signo = SIGINT;
    EXPECT_EQ(::timer_create(CLOCK_MONOTONIC, &press, &timer_), 0);
    const struct itimerspec every_millisecond {
      {0, 1'000'000}, { 0, 1'000'000 }
    };
    EXPECT_EQ(::timer_settime(timer_, 0, &every_millisecond, nullptr), 0);
  }
  ~Impatience() {
    ::timer_delete(timer_);
    std::signal(SIGINT, previous_);
  }
  Impatience(const Impatience&) = delete;
  Impatience& operator=(const Impatience&) = delete;

 private:
  void (*previous_)(int);
  timer_t timer_{};
};

TEST_F(DeadLettersProcessTest, CtrlCEndsAfterAWholeBatchAndSaysHowFarItGot) {
  add_letters(12'000);
  Answer answer;
  {
    const Impatience impatience;
    answer = call({"discard", "--all", "--json"});
  }
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.err, HasSubstr("the rest is as it was; the same command goes on"));
  const auto json = answer.json();
  EXPECT_EQ(json.at("complete"), false);
  EXPECT_EQ(json.at("letters"), reader().count({.resolution = deadletter::Resolution::Discarded}));
  EXPECT_EQ(call({"discard", "--all"}).status, 0);
  EXPECT_EQ(unresolved(), 0);
}

TEST_F(DeadLettersProcessTest, CtrlCEndsEveryLongVerb) {
  add_letters(6'000);
  EXPECT_EQ(call({"discard", "--handler", "odd"}).status, 0);
  EXPECT_EQ(call({"export", "-o", path("all.ndjson")}).status, 0);
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"retry", "--all"},
           {"undo", "--all"},
           {"purge", "--older-than", "0s"},
           {"erase", "--handler", "even", "--yes"},
           {"export", "-o", path("part.ndjson")},
           {"import", path("all.ndjson"), "--db", make_database("other.db")}}) {
    const Impatience impatience;
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 75) << arguments[0] << answer.out;
    EXPECT_THAT(answer.err, HasSubstr("stopped")) << arguments[0];
  }
  EXPECT_EQ(reader().examine(false).damage, std::vector<std::string>{});
  EXPECT_TRUE(reader().examine(false).counts_agree);
}

TEST_F(DeadLettersProcessTest, SaysWhenItsOutputCannotBeWritten) {
  for (const char* verb : {"list", "export"}) {
    const auto full = run_program({verb, "--quiet"}, Output::FullDevice);
    EXPECT_EQ(full.exit_status, 74);
    EXPECT_EQ(full.err, "dead-letters: could not write to standard output: No space left on device\n");
    const auto unread = run_program({verb, "--quiet"}, Output::PipeNobodyReads);
    EXPECT_EQ(unread.exit_status, 74);
    EXPECT_EQ(unread.err, "");
  }
  EXPECT_EQ(run_program({"list"}, Output::Closed).exit_status, 74);
}

TEST_F(DeadLettersProcessTest, TakesTheDatabaseFromTheEnvironmentOrTheOption) {
  EXPECT_THAT(run_program({"groups"}).out, HasSubstr("charge_card"));
  Circumstances bare;
  bare.program = TIDINGS_DEAD_LETTERS;
  const auto without = run_tool({"groups"}, bare);
  EXPECT_EQ(without.exit_status, 64);
  EXPECT_THAT(without.err, HasSubstr("give --db FILE, or set TIDINGS_DB"));
  EXPECT_EQ(run_tool({"groups", "--db", database_}, bare).exit_status, 0);
  EXPECT_THAT(run_tool({"--db", database_, "groups"}, bare).err,
              HasSubstr("dead-letters --db " + database_ + " list"));
  EXPECT_EQ(run_tool({"--version"}, bare).exit_status, 0);
}

TEST_F(DeadLettersProcessTest, AUserWithoutRightsIsToldSo) {
  if (::geteuid() != 0) return;
  Circumstances stranger;
  stranger.program = TIDINGS_DEAD_LETTERS;
  stranger.unprivileged = true;
  const auto run = run_tool({"list", "--db", database_}, stranger);
  EXPECT_EQ(run.exit_status, 77);
  EXPECT_THAT(run.err, HasSubstr("run as the service's user"));
}

}  // namespace
}  // namespace tidings::dead_letters
