#include "tools/dead_letters_fixture.hpp"
#include "tools/tool_process.hpp"

#include <sys/stat.h>

#include <istream>
#include <limits>
#include <new>
#include <sstream>
#include <streambuf>

// What is typed, or comes from files, and is refused with a word on what to do.

namespace tidings::dead_letters {
namespace {

using check_dead_letters::Circumstances;
using check_dead_letters::run_tool;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RefusedInputTest : public DeadLettersTest {
 protected:
  /// The line of letter 1, with another time of its failure.
  [[nodiscard]] std::string line_that_failed_at(std::int64_t time) {
    auto line = Json::parse(call({"export", "--handler", "charge_card"}).out);
    auto facts = Json::parse(line.at("deadletter").get<std::string>());
    facts["failed_at"] = time;
    line["deadletter"] = facts.dump();
    return line.dump() + "\n";
  }
};

TEST_F(RefusedInputTest, WhatIsKeptIsUtf8SoThatItCanBeExported) {
  const auto answer = call({"discard", "1", "--reason", "caf\xe9"});
  EXPECT_EQ(answer.status, 64);
  EXPECT_THAT(answer.err, HasSubstr("--reason: \"caf\\xe9\" is not UTF-8"));
  EXPECT_EQ(call({"edit", "1", "--set", "/name=caf\xe9"}).status, 64);
  EXPECT_EQ(unresolved(), 3);
  EXPECT_EQ(call({"discard", "1", "--reason", "caf\xc3\xa9"}).status, 0);
  EXPECT_EQ(call({"export"}).status, 0);
}

TEST_F(RefusedInputTest, ImportRefusesTimesThatNoDateShows) {
  for (const auto time :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    const auto dated = line_that_failed_at(0);
    input_ = line_that_failed_at(time);
    execute("DELETE FROM dead_letters WHERE id = 3");
    const auto rehearsal = call({"import", "-", "--dry-run"});
    EXPECT_EQ(rehearsal.status, 65);
    EXPECT_THAT(rehearsal.err, HasSubstr("one of its times is not in the years 0 to 9999"));
    EXPECT_EQ(call({"import", "-"}).status, 65);
    EXPECT_EQ(reader().count({}), 2);
    input_ = dated;
    EXPECT_EQ(call({"import", "-"}).status, 0);
  }
}

TEST_F(RefusedInputTest, RowsWithExtremeTimesAreOldRatherThanNew) {
  execute(
      "UPDATE dead_letters SET failed_at = -9223372036854775807 - 1, redrive_requested_at = failed_at WHERE "
      "id = 1");
  const auto doctor = call({"doctor"});
  EXPECT_EQ(doctor.status, 0);
  EXPECT_THAT(doctor.out, AllOf(HasSubstr("the oldest for 106"), Not(HasSubstr("the oldest for 0s"))));
  EXPECT_THAT(call({"list"}).out, HasSubstr("h ago  waiting"));
}

TEST_F(RefusedInputTest, AFolderOrAPipeIsNoFile) {
  const std::string fifo = path("pipe");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"restore", fifo}, {"recover", fifo}}) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 66);
    EXPECT_THAT(answer.err, HasSubstr("it is not a regular file"));
  }
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"edit", "1", "--file", path("")}, {"import", path("")}, {"restore", path("")}}) {
    const auto answer = call(arguments);
    EXPECT_EQ(answer.status, 66);
    EXPECT_THAT(answer.err, HasSubstr("it is a folder"));
  }
}

TEST_F(RefusedInputTest, ANumberThatJsonCannotSayIsNoText) {
  const auto answer = call({"edit", "1", "--set", "/n=1e999"});
  EXPECT_EQ(answer.status, 64);
  EXPECT_THAT(answer.err, HasSubstr("is too large"));
  EXPECT_EQ(call({"edit", "1", "--set", "/n=\"1e999\"", "--dry-run"}).status, 0);
}

TEST_F(RefusedInputTest, WhatWasNotExpectedIsNamedAsItWasTyped) {
  EXPECT_THAT(call({"list", "--handlr", "x"}).err, HasSubstr("not expected: --handlr x"));
}

TEST_F(RefusedInputTest, ReplacingTheWholePayloadIsSaid) {
  input_ = "[1]";
  EXPECT_THAT(call({"edit", "1", "--file", "-", "--dry-run"}).out,
              HasSubstr("  replace the whole payload, an object by an array\n"));
}

TEST_F(RefusedInputTest, NamesThatNoLetterHasAreTold) {
  EXPECT_THAT(call({"list", "--handler", "charge_crad"}).err,
              HasSubstr("No unresolved letter has the handler charge_crad; near it: charge_card"));
  const auto retry = call({"retry", "--type", "orders.order_place"});
  EXPECT_EQ(retry.status, 0);
  EXPECT_THAT(retry.err, HasSubstr("near it: orders.order_placed"));
  EXPECT_THAT(call({"groups", "--service", "unheard_of"}).err, HasSubstr("has the service unheard_of."));
  EXPECT_THAT(call({"list", "--handler", "charge_card", "--since", "1s"}).err,
              Not(HasSubstr("No unresolved letter has")));
}

TEST_F(RefusedInputTest, AnAgeThatWasPrintedFindsItsLetter) {
  execute("UPDATE dead_letters SET failed_at = " +
          std::to_string((wall_now() - std::chrono::seconds(20 * 60 - 1)).time_since_epoch().count()) +
          " WHERE id = 1");
  EXPECT_THAT(call({"list"}).out, HasSubstr("19m ago"));
  EXPECT_THAT(call({"list", "--since", "19m ago"}).out, HasSubstr("19m ago"));
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TIDINGS_RUNTIME_WRITES_FILES  // ThreadSanitizer's own, before main
#endif
#endif
#ifndef TIDINGS_RUNTIME_WRITES_FILES
TEST_F(RefusedInputTest, AFileThatMayNotGrowIsAnErrorOfTheProgram) {
  const std::string command = "(ulimit -f 0; " + std::string(TIDINGS_DEAD_LETTERS) + " --db " + database_ +
                              " export -o " + path("out.ndjson") + ") 2> " + path("said");
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_THAT(WEXITSTATUS(status), testing::AnyOf(73, 74));
}
#endif

/// Memory ends while it is read.
class ShortMemory : public std::streambuf {
  int_type underflow() override { throw std::bad_alloc(); }
};

TEST_F(RefusedInputTest, ShortMemoryIsSaidAndNoAbort) {
  ShortMemory short_memory;
  std::istream in(&short_memory);
  std::ostringstream out;
  std::ostringstream err;
  const Streams streams{in, out, err};
  const auto status = run({"edit", "1", "--file", "-"}, database_.c_str(), streams, wall_now());
  EXPECT_EQ(status, ExitStatus::TryAgain);
  EXPECT_THAT(err.str(), HasSubstr("there is not enough memory"));
  EXPECT_EQ(unresolved(), 3);
}

}  // namespace
}  // namespace tidings::dead_letters
