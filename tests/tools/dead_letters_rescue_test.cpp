#include "tools/dead_letters_fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace tidings::dead_letters {
namespace {

using check_dead_letters::read_file;
using check_dead_letters::run_tool;
using check_dead_letters::write_file;
using testing::AllOf;
using testing::HasSubstr;

/// restore and recover, and what messages say of them.
class RescueTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    EXPECT_EQ(call({"backup", path("copy.db")}).status, 0);
  }
  /// The first letters' page is lost; there are 3 on it.
  void damage() const {
    std::string content = read_file(database_);
    const SqliteConnection connection(database_);
    const auto page = page_of("dead_letters");
    content.replace((page - 1) * 4096, 4096, 4096, '\0');
    write_file(database_, content);
  }
  void lose_first_page() const {
    std::string content = read_file(database_);
    content.replace(0, 4096, 4096, '\xa5');
    write_file(database_, content);
  }
  [[nodiscard]] std::size_t page_of(const std::string& table) const {
    return std::stoul(SqliteConnection(database_).text("SELECT pageno FROM dbstat WHERE name = '" + table +
                                                       "' AND pagetype = 'leaf' LIMIT 1"));
  }
  /// Runs a command as a message printed it.
  static Answer type(const std::string& command) {
    const std::string folder = std::filesystem::path(TIDINGS_DEAD_LETTERS).parent_path();
    const auto run = run_tool({"-c", "PATH=" + folder + ":$PATH; " + command}, {.program = "/bin/sh"});
    return {run.exit_status, run.out, run.err};
  }
  /// What a message proposes, from `begin` to the line's end or a semicolon.
  static std::string proposed(const std::string& message, const std::string& begin) {
    const auto at = message.find(begin);
    if (at == std::string::npos) return "false # not proposed in: " + message;
    return message.substr(at, message.find_first_of(";\n", at) - at);
  }
};

TEST_F(RescueTest, RestorePutsABackupInPlaceAndSaysWhereTheOldFileIs) {
  EXPECT_EQ(call({"discard", "--all"}).status, 0);
  const auto answer = call({"restore", path("copy.db")});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("3 letters, 3 unresolved"), HasSubstr("is kept as " + database_)));
  EXPECT_EQ(unresolved(), 3);
}

/// docs/on-call.md, "journal_lost".
TEST_F(RescueTest, AReplacedDatabaseIsPutRightAsTheGuideSays) {
  auto service = deadletter::Store::open(database_);
  const auto lost = letter_that_failed(std::chrono::minutes(1));
  std::filesystem::rename(database_, path("moved.db"));
  static_cast<void>(deadletter::Store::open(database_));
  const auto outcomes = service->store({&lost, 1}, WhenBusy::Throw);
  EXPECT_EQ(outcomes.at(0).place, LetterOutcome::Place::Spilled);
  service.reset();
  const auto restored = type("dead-letters --db '" + database_ + "' restore '" + path("copy.db") + "'");
  EXPECT_EQ(restored.status, 0) << restored.err;
  const auto doctor = type("dead-letters --db '" + database_ + "' doctor");
  EXPECT_EQ(doctor.status, 0) << doctor.out;
  EXPECT_THAT(doctor.out, AllOf(HasSubstr("3 letters"), HasSubstr("orders.db.spill.jsonl")));
  static_cast<void>(deadletter::Store::open(database_));
  EXPECT_EQ(unresolved(), 4);
}

TEST_F(RescueTest, RestoreIsRefusedWhileTheDatabaseIsInUse) {
  const auto opened = deadletter::Store::open(database_, {.spill_reserve = 0});
  store_letters(*opened, {letter_that_failed(std::chrono::minutes(1))});
  const auto answer = call({"restore", path("copy.db")});
  EXPECT_EQ(answer.status, 75);
  EXPECT_THAT(answer.err, HasSubstr("stop the services that use it"));
  EXPECT_EQ(unresolved(), 4);
  EXPECT_EQ(call({"recover", "-o", path("new.db")}).status, 75);
}

TEST_F(RescueTest, RestoreHasTheExitStatusesOfOtherVerbs) {
  EXPECT_EQ(call({"restore"}).status, 64);
  EXPECT_EQ(call({"restore", path("gone.db")}).status, 66);
  write_file(path("notes.txt"), std::string(5'000, 'x'));
  EXPECT_EQ(call({"restore", path("notes.txt")}).status, 65);
  EXPECT_EQ(call({"restore", database_}).status, 65);
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(RescueTest, WhatBackupProposesBringsItBack) {
  const auto answer = call({"backup", path("second.db"), "--db", database_});
  EXPECT_EQ(call({"discard", "--all"}).status, 0);
  const auto run = type(proposed(answer.err, "dead-letters --db " + database_ + " restore"));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(RescueTest, RecoverSavesLettersAndWhatItProposesPutsThemInPlace) {
  lose_first_page();
  const auto answer = call({"recover", database_});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("Saved 3 letters and 0 owed events"), HasSubstr("FROM PAGES")));
  EXPECT_THAT(answer.err, HasSubstr("damage: the file's header is not one"));
  const auto look = type(proposed(answer.err, "dead-letters --db " + database_ + ".recovered groups"));
  EXPECT_THAT(look.out, HasSubstr("charge_card"));
  const auto run = type(proposed(answer.err, "dead-letters --db " + database_ + " restore"));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(unresolved(), 3);
}

/// An application has made a table in the file, and an index of tidings is damaged.
TEST_F(RescueTest, RecoverNamesTablesOfOthersAndProposesHowLettersAreTakenOver) {
  SqliteConnection(database_).execute("CREATE TABLE balances (account INTEGER PRIMARY KEY)");
  const auto page = page_of("dead_letters_unresolved_by_time");
  const std::string sound = read_file(database_);
  std::string content = sound;
  content.replace((page - 1) * 4096, 4096, 4096, '\xa5');
  write_file(database_, content);
  const auto answer = call({"recover", database_});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err, HasSubstr("not saved: balances"));
  EXPECT_EQ(call({"restore", database_ + ".recovered", "--db", database_}).status, 65);
  write_file(database_, sound);
  execute("DELETE FROM dead_letters");
  const auto run = type("cd " + path("") + " && " +
                        proposed(answer.err, "dead-letters --db " + database_ + ".recovered export") +
                        " && " + proposed(answer.err, "dead-letters --db " + database_ + " import"));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(RescueTest, RecoverNamesWhatIsLost) {
  damage();
  const auto answer = call({"recover", "--db", database_});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("3 letters could not be saved"), HasSubstr("letter 3: event 0"),
                                HasSubstr("handler charge_card of service orders")));
}

TEST_F(RescueTest, RecoverHasTheExitStatusesOfOtherVerbs) {
  EXPECT_EQ(call({"recover", path("gone.db")}).status, 66);
  EXPECT_EQ(call({"recover", database_, "--db", database_}).status, 64);
  EXPECT_EQ(call({"recover", database_, "-o", path("copy.db")}).status, 73);
  EXPECT_EQ(call({"recover", database_, "-o", path("no/folder.db")}).status, 74);
  write_file(path("notes.txt"), std::string(5'000, 'x'));
  EXPECT_EQ(call({"recover", path("notes.txt")}).status, 65);
  EXPECT_FALSE(std::filesystem::exists(path("notes.txt.recovered")));
}

TEST_F(RescueTest, EveryMessageAboutDamageProposesWhatSavesTheLetters) {
  lose_first_page();
  const std::string message = call({"list"}).err;
  auto restored = proposed(message, "dead-letters --db '" + database_ + "' restore");
  const auto recovered = type(proposed(message, "dead-letters recover '" + database_ + "'"));
  EXPECT_EQ(recovered.status, 0) << recovered.err;
  ASSERT_THAT(restored, testing::EndsWith("BACKUP"));
  const auto run = type(restored.replace(restored.size() - 6, 6, path("copy.db")));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(RescueTest, TheCheckIsUnknownOnDamageAndProposesWhatSavesTheLetters) {
  const auto page = page_of("dead_letters_unresolved_by_time");
  std::string content = read_file(database_);
  content.replace((page - 1) * 4096, 4096, 4096, '\xa5');
  write_file(database_, content);
  const auto check = run_tool({"--db", database_});
  EXPECT_EQ(check.exit_status, 3);
  EXPECT_THAT(check.out, AllOf(testing::StartsWith("DEADLETTERS UNKNOWN: "), HasSubstr("malformed")));
  const auto run = type(proposed(check.out, "dead-letters recover '" + database_ + "'"));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Saved 3 letters"));
}

TEST_F(RescueTest, TheDoctorProposesWhatSavesTheLetters) {
  damage();
  const auto answer = call({"doctor"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.out + answer.err, HasSubstr("dead-letters recover"));
}

}  // namespace
}  // namespace tidings::dead_letters
