#include "simulation/model.hpp"
#include "simulation/agreement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

// The model notices each kind of breach, and nothing where there is none.

namespace tidings::simulation {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Numbers whose deliveries to `mail` and `load` are Fine: see fate_of.
class SimulationModel : public ::testing::Test {
 protected:
  SimulationModel() : history_(parse_plan("seed 1\nburst first=1 events=9 what=stray\n")) {
    history_.begin_life();
  }

  void written(std::initializer_list<const char*> lines) {
    for (const char* line : lines) history_.add(line);
  }
  std::vector<std::string> broken(bool at_the_end = true) {
    return broken_promises(history_, facts_, at_the_end);
  }

  History history_;
  Facts facts_;
};

const LetterFact kUnhandled{.id = 1, .reason = "unhandled"};

TEST_F(SimulationModel, AcceptsWhatIsPromised) {
  written({"try 1 durable", "accepted 1 id-1"});
  facts_.letters[{"", 1}] = {kUnhandled};
  EXPECT_THAT(broken(), IsEmpty());
}

TEST_F(SimulationModel, NoticesWhatIsLost) {
  written({"try 1 durable", "accepted 1 id-1"});
  EXPECT_THAT(broken(), Contains(HasSubstr("lost")));
}

TEST_F(SimulationModel, ForgivesWhatTheProcessHadOnlyInMemory) {
  written({"try 1 none", "accepted 1 id-1"});
  history_.end_life(true);
  EXPECT_THAT(broken(), IsEmpty());
}

TEST_F(SimulationModel, NoticesWhatNobodyIsAt) {
  written({"try 1 durable", "accepted 1 id-1"});
  facts_.owed.insert({"", 1});
  EXPECT_THAT(broken(), Contains(HasSubstr("nobody is at it")));
}

TEST_F(SimulationModel, NoticesWhatWasRefusedAndIsThere) {
  written({"try 1 durable", "refused 1 database_busy"});
  facts_.letters[{"", 1}] = {kUnhandled};
  EXPECT_THAT(broken(), Contains(HasSubstr("not accepted")));
}

TEST_F(SimulationModel, NoticesALetterForNoReason) {
  written({"try 1 durable", "accepted 1 id-1"});
  facts_.letters[{"", 1}] = {{.id = 1, .reason = "permanent"}};
  EXPECT_THAT(broken(), Contains(HasSubstr("for no reason")));
}

TEST_F(SimulationModel, NoticesADuplicateOfNothing) {
  written({"try 1 durable", "refused 1 database_busy", "try 1 durable", "duplicate 1 id-1"});
  facts_.letters[{"", 1}] = {kUnhandled};
  EXPECT_THAT(broken(), Contains(HasSubstr("duplicate")));
}

class SimulationModelOfOrders : public SimulationModel {
 protected:
  SimulationModelOfOrders() {
    history_ = History(parse_plan("seed 1\nburst first=1 events=9 what=order\n"));
    history_.begin_life();
  }
};

TEST_F(SimulationModelOfOrders, NoticesWhatIsRunAgainAfterTheBusWasIdle) {
  written({"on mail", "try 1 durable", "accepted 1 a", "run mail 1 a 1", "end mail 1 a 1 done",
           "reply quiet idle=1 busy=0"});
  history_.end_life(true);
  history_.begin_life();
  written({"run mail 1 a 1", "end mail 1 a 1 done"});
  EXPECT_THAT(broken(false), Contains("mail 1: run again after its completion had been committed"));
}

TEST_F(SimulationModelOfOrders, ForgivesARepeatAfterAKill) {
  written({"on mail", "try 1 durable", "accepted 1 a", "run mail 1 a 1", "end mail 1 a 1 done"});
  history_.end_life(true);
  history_.begin_life();
  written({"run mail 1 a 1", "end mail 1 a 1 done"});
  EXPECT_THAT(broken(false), IsEmpty());
}

TEST_F(SimulationModelOfOrders, ForgivesACrashOnlyOfALifeThatDidNotWriteAllDown) {
  written({"on mail", "try 1 durable", "accepted 1 a", "run mail 1 a 4", "end mail 1 a 4 done"});
  facts_.letters[{"mail", 1}] = {{.id = 1, .reason = "crashed"}};
  EXPECT_THAT(broken(false), Contains(HasSubstr("for no reason: crashed")));
  history_.end_life(false, true);
  history_.begin_life();
  EXPECT_THAT(broken(false), IsEmpty());
}

TEST_F(SimulationModelOfOrders, NoticesWhatIsOvertakenInAKey) {
  written({"on ship", "try 1 durable", "accepted 1 a", "try 4 durable", "accepted 4 b", "run ship 4 b 1",
           "end ship 4 b 1 done", "run ship 1 a 1", "end ship 1 a 1 done"});
  EXPECT_THAT(broken(false), Contains("ship 1: overtaken by 4"));
}

TEST_F(SimulationModelOfOrders, NoticesALetterWithoutItsOrderingKey) {
  written({"on ship", "try 1 durable", "accepted 1 a"});
  facts_.letters[{"ship", 1}] = {{.id = 1, .reason = "crashed"}};
  EXPECT_THAT(broken(false), Contains("ship 1: a letter without its ordering key: crashed"));
}

TEST_F(SimulationModelOfOrders, NoticesWhatIsNotParkedBehindADeadOneOfItsKey) {
  written({"on pack", "try 1 durable", "accepted 1 a", "run pack 1 a 3", "end pack 1 a 3 gave_up",
           "try 4 durable", "accepted 4 b", "run pack 4 b 1", "end pack 4 b 1 done"});
  EXPECT_THAT(broken(false), Contains("pack 1: dead, and not waited for by 4"));
}

TEST_F(SimulationModelOfOrders, ForgivesARetryThatComesLate) {
  written({"on mail", "try 1 durable", "accepted 1 a", "try 4 durable", "accepted 4 b", "run mail 4 b 1",
           "end mail 4 b 1 done", "run mail 1 a 2", "end mail 1 a 2 done"});
  EXPECT_THAT(broken(false), IsEmpty());
}

TEST_F(SimulationModel, NoticesARequestThatGoesOnThoughItsCanaryHasFailed) {
  facts_.requests.push_back({.id = 7, .canary = 2, .succeeded = 1, .failed = 2});
  EXPECT_THAT(broken(), Contains("redrive 7: went on though its canary had failed"));
}

TEST_F(SimulationModel, NoticesWhereTheBusDoesNotAgreeWithTheJournal) {
  written({"on mail", "reply quiet idle=1 busy=0 unknown=0 nobody=0"});
  facts_.owed.insert({"mail", 1});
  facts_.owed.insert({"ship", 1});
  EXPECT_THAT(disagreements("quiet idle=1 busy=2 unknown=0 nobody=0", history_, facts_),
              ElementsAre(HasSubstr("busy"), "mail 1: idle, but owed", HasSubstr("owed to nobody: 1")));
}

TEST_F(SimulationModelOfOrders, NoticesWhatTakesEffectTwice) {
  written({"try 1 durable", "accepted 1 a"});
  facts_.effects[{"bank", 1}] = 2;
  history_ = History(parse_plan("seed 1\nburst first=1 what=payment\n"));
  history_.begin_life();
  written({"try 1 durable", "accepted 1 a"});
  EXPECT_THAT(broken(false), Contains("bank 1: took effect more than once"));
}

}  // namespace
}  // namespace tidings::simulation
