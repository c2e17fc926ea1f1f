#include "tools/dead_letters_fixture.hpp"

// Letters that no bus delivers, or not now: retry leaves them out, and nothing proposes to retry them.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class UnhandledLettersTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    execute(
        "UPDATE dead_letters SET handler = '', reason = 'unhandled', event_type = 't.nobody' WHERE id = 3");
  }
};

TEST_F(UnhandledLettersTest, RetryLeavesThemOutAndSaysWhy) {
  const auto plan = call({"retry", "--all", "--dry-run", "--json"});
  EXPECT_EQ(plan.json().at("letters"), 2);
  EXPECT_EQ(plan.json().at("without_handler"), 1);
  const auto answer = call({"retry", "--all"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("1 letter cannot be delivered again, as no handler was subscribed"),
                                HasSubstr("Letter 3: t.nobody"), HasSubstr("discard 3 --reason")));
  EXPECT_EQ(reader().count({.marked = true}), 2);
  EXPECT_EQ(call({"retry", "3"}).status, 65);
  EXPECT_EQ(reader().count({.ids = {{3}}, .marked = true}), 0);
}

TEST_F(UnhandledLettersTest, NothingProposesToDeliverThem) {
  EXPECT_THAT(call({"show", "3"}).err, AllOf(HasSubstr("ublish the event again"),
                                             HasSubstr("Then give it up:"), Not(HasSubstr("retry"))));
  const auto groups = call({"groups", "--type", "t.nobody"});
  EXPECT_THAT(groups.err, AllOf(HasSubstr("discard --fingerprint"), Not(HasSubstr("retry"))));
  EXPECT_THAT(call({"trace", "request-8"}).err, Not(HasSubstr("retry")));
  EXPECT_EQ(call({"discard", "3"}).status, 0);
  EXPECT_THAT(call({"undo", "3"}).err, Not(HasSubstr("retry")));
  EXPECT_THAT(call({"edit", "3", "--set", "/order_id=9"}).err, Not(HasSubstr("retry")));
}

TEST_F(UnhandledLettersTest, TheHandlerIsWrittenAsNone) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"list"}, {"groups"}, {"show", "3"}, {"stats"}, {"trace", "request-8"}, {"discard", "3", "-n"}}) {
    EXPECT_THAT(call(arguments).out, HasSubstr("(none)")) << arguments[0];
  }
}

TEST_F(UnhandledLettersTest, DoctorKnowsAWayOutForThoseThatAreMarked) {
  execute("UPDATE dead_letters SET redrive_requested_at = 1 WHERE id = 3");
  const auto doctor = call({"doctor"});
  EXPECT_THAT(doctor.out, AllOf(HasSubstr("1 letter for (none) (t.nobody)"), HasSubstr("nothing delivers"),
                                Not(HasSubstr("start that service"))));
  EXPECT_THAT(call({"show", "3"}).err, HasSubstr("has no handler"));
  EXPECT_THAT(doctor.out,
              HasSubstr("discard --letter-reason unhandled --type t.nobody --service orders --reason '...'"));
  EXPECT_EQ(call({"discard", "--letter-reason", "unhandled", "--type", "t.nobody"}).status, 0);
  EXPECT_EQ(reader().count({.marked = true}), 0);
}

/// Letter 1 has died, and 2 and 3 are parked behind it.
class ParkedLettersTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    execute("UPDATE dead_letters SET handler = 'book', ordering_key = 'account'");
    execute("UPDATE dead_letters SET reason = 'parked', error_fingerprint = '00000000000000bb' WHERE id > 1");
  }
};

TEST_F(ParkedLettersTest, RetryNamesTheLetterThatGoesFirst) {
  const auto answer = call({"retry", "--fingerprint", "00000000000000bb"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("2 letters are parked behind an earlier letter"),
                                HasSubstr("waits for letter 1"), HasSubstr("retry 1 --wait")));
  EXPECT_EQ(reader().count({.marked = true}), 0);
  EXPECT_EQ(call({"retry", "2", "--json"}).json().at("held_back"), 1);
  EXPECT_EQ(call({"retry", "2"}).status, 65);
}

TEST_F(ParkedLettersTest, RetryTakesThemTogetherWithTheOneThatGoesFirst) {
  EXPECT_THAT(call({"retry", "1", "2", "-n"}).out, HasSubstr("2 letters would be delivered again"));
  EXPECT_THAT(call({"retry", "--handler", "book"}).out, HasSubstr("3 letters marked"));
}

TEST_F(ParkedLettersTest, AndOnceTheFirstIsResolved) {
  EXPECT_EQ(call({"discard", "1"}).status, 0);
  EXPECT_THAT(call({"retry", "--fingerprint", "00000000000000bb"}).out, HasSubstr("2 letters marked"));
}

TEST_F(ParkedLettersTest, WhatIsProposedIsWhatGoesFirst) {
  EXPECT_THAT(call({"show", "3"}).err, AllOf(HasSubstr("letter 1 of its ordering key goes first"),
                                             HasSubstr("retry 1 --wait"), Not(HasSubstr("retry 3"))));
  EXPECT_THAT(call({"groups"}).err,
              AllOf(HasSubstr("Of cause"), Not(HasSubstr("retry --fingerprint 00000000000000bb"))));
  EXPECT_THAT(call({"groups", "--fingerprint", "00000000000000bb"}).err,
              AllOf(HasSubstr("They are parked"), HasSubstr("retry 1 --wait")));
}

TEST_F(ParkedLettersTest, ThoseThatAreMarkedAreToldOf) {
  execute("UPDATE dead_letters SET redrive_requested_at = 1, redrive_id = 1 WHERE id = 2");
  execute("INSERT INTO tidings_redrives VALUES (1, 1, 'ann', NULL, NULL, NULL, 1, 0, 0, 'open', NULL)");
  EXPECT_THAT(call({"doctor"}).out,
              AllOf(HasSubstr("letter 2 waits for letter 1"), HasSubstr("retry 1 --wait")));
  const auto answer = call({"retry", "2", "--timeout", "0s"});
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.err, HasSubstr("letter 2 waits for letter 1"));
  EXPECT_THAT(call({"show", "2"}).err, HasSubstr("letter 2 waits for letter 1"));
}

}  // namespace
}  // namespace tidings::dead_letters
