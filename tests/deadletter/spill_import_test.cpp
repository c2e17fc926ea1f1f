#include "contracts/sample_letter.hpp"
#include "deadletter/spill_import_fixture.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

namespace tidings::deadletter {
namespace {

using faults::Operation;
using faults::ScopedFault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SpillImportTest, SpilledLettersComeHomeWhenTheDatabaseWorksAgain) {
  const auto opened = open_faulty();
  spill_letters(*opened, 1, 3);
  EXPECT_GT(waiting(), 0U);
  const auto report = opened->import_spilled();
  EXPECT_EQ(report.imported, 3U);
  EXPECT_EQ(report.set_aside, 0U);
  EXPECT_EQ(report.problem, "");
  EXPECT_FALSE(report.more);
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1), event_id(2), event_id(3)));
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(read_file(spill()), "");
  EXPECT_EQ(opened->import_spilled().imported, 0U);
}

TEST_F(SpillImportTest, AnImportedLetterIsTheLetterThatWasSpilled) {
  const DeadLetter full = contract::full_letter(7);
  {
    const auto opened = open_faulty();
    const ScopedFault disk({.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    static_cast<void>(store(*opened, {full}));
  }
  static_cast<void>(open());
  contract::expect_equal_letter(Reader::open(database()).list({}, 1).letters.at(0).letter, full);
}

TEST_F(SpillImportTest, AnOrderingKeyOfAnyBytesHoldsBackWhatItHeldBack) {
  const auto opened = open_faulty();
  DeadLetter parked = letter(1);
  parked.ordering_key = std::string("k\xff\x00\xfe", 4);
  {
    const ScopedFault full({.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    EXPECT_THAT(places(store(*opened, {parked})), ElementsAre(Place::Spilled));
  }
  EXPECT_EQ(opened->import_spilled().imported, 1U);
  EXPECT_THAT(opened->dead_keys(parked.service, parked.event_type, parked.handler),
              ElementsAre(*parked.ordering_key));
}

TEST_F(SpillImportTest, LettersWaitWhileTheDatabaseFailsAndTheReportSaysWhy) {
  const auto opened = open_faulty();
  spill_letters(*opened, 1, 3);
  {
    const ScopedFault full({.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    const auto report = opened->import_spilled();
    EXPECT_EQ(report.imported, 0U);
    EXPECT_THAT(report.problem, HasSubstr("the disk is full"));
  }
  EXPECT_THAT(spilled_events(), SizeIs(3));
  EXPECT_EQ(opened->import_spilled().imported, 3U);
  EXPECT_EQ(opened->import_spilled().problem, "");
}

TEST_F(SpillImportTest, ABusyDatabaseIsNoProblemButAnotherTime) {
  const auto opened = open_faulty({.busy_timeout = std::chrono::milliseconds(5)});
  spill_letters(*opened, 1, 1);
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_EQ(opened->import_spilled().imported, 0U);
  EXPECT_EQ(opened->import_spilled().problem, "");
  other.exec("ROLLBACK");
  EXPECT_EQ(opened->import_spilled().imported, 1U);
}

TEST_F(SpillImportTest, TheNextProcessImportsWhatADeadOneLeftAndReportsIt) {
  static_cast<void>(open());
  leave_spill(1, 3);
  const auto opened = open();
  EXPECT_THAT(stored_events(), SizeIs(3));
  EXPECT_EQ(opened->import_spilled().imported, 3U);
  EXPECT_EQ(opened->import_spilled().imported, 0U);
}

TEST_F(SpillImportTest, LettersOfAnEarlierSpillPathAreImportedToo) {
  const auto old = folder_.path("old.jsonl");
  {
    const auto opened = open_faulty({.spill_path = old});
    spill_letters(*opened, 1, 2);
  }
  const auto opened = open();
  EXPECT_EQ(opened->import_spilled().imported, 2U);
  EXPECT_EQ(read_file(old), "");
}

TEST_F(SpillImportTest, AFileFromBeforeThereWereHeadersIsImported) {
  static_cast<void>(open());
  write_file(spill(), to_json_line(letter(1)) + "\n" + to_json_line(letter(2)) + "\n");
  ASSERT_EQ(::chmod(spill().c_str(), 0640), 0);
  const auto opened = open();
  EXPECT_EQ(opened->import_spilled().imported, 2U);
  EXPECT_THAT(distinct_events(), SizeIs(2));
  EXPECT_EQ(mode_of(spill()), 0640U);
  EXPECT_EQ(read_file(spill()), "");
}

// --- what is no letter ---

TEST_F(SpillImportTest, AHalfWrittenLineIsSetAsideAndReported) {
  static_cast<void>(open());
  const std::string half = to_json_line(letter(3)).substr(0, 100);
  leave_spill(1, 2, half);
  const auto opened = open();
  const auto report = opened->import_spilled();
  EXPECT_EQ(report.imported, 2U);
  EXPECT_EQ(report.set_aside, 1U);
  EXPECT_EQ(report.set_aside_in, rejects());
  EXPECT_EQ(read_file(rejects()), half + "\n");
  EXPECT_EQ(mode_of(rejects()), mode_of(spill()));
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(SpillImportTest, AWholeLastLineWithoutItsEndIsImported) {
  static_cast<void>(open());
  leave_spill(1, 1, to_json_line(letter(2)));
  EXPECT_EQ(open()->import_spilled().imported, 2U);
}

TEST_F(SpillImportTest, LinesThatAreNoLettersHoldUpNoOther) {
  static_cast<void>(open());
  leave_spill(1, 1, "\nnonsense\n{}\n" + to_json_line(letter(2)) + "\n\xff\xfe\n");
  write_file(rejects(), "from before");
  const auto report = open()->import_spilled();
  EXPECT_EQ(report.imported, 2U);
  EXPECT_EQ(report.set_aside, 3U);
  EXPECT_EQ(read_file(rejects()), "from before\nnonsense\n{}\n\xff\xfe\n");
}

TEST_F(SpillImportTest, ALetterThatTheDatabaseCannotTakeIsSetAside) {
  static_cast<void>(open());
  DeadLetter large = letter(2);
  large.data = encode_data(std::string(60'000, 'x'));
  leave_spill(1, 1, to_json_line(large) + "\n");
  StoreInternals internals;
  internals.row_limit = 50'000;
  const auto report = open_faulty({}, internals)->import_spilled();
  EXPECT_EQ(report.imported, 1U);
  EXPECT_EQ(report.set_aside, 1U);
  EXPECT_EQ(read_file(rejects()), to_json_line(large) + "\n");
}

TEST_F(SpillImportTest, ALetterThatNestsTooDeeplyIsSetAside) {
  static_cast<void>(open());
  DeadLetter deep = letter(2);
  deep.data.bytes = std::string(1'001, '[') + std::string(1'001, ']');
  DeadLetter deep_cbor = letter(3);
  deep_cbor.data = {std::string(1'001, '\x81') + "\x01", DataEncoding::Cbor, {}};
  leave_spill(1, 1, to_json_line(deep) + "\n" + to_json_line(deep_cbor) + "\n");
  const auto report = open()->import_spilled();
  EXPECT_EQ(report.imported, 1U);
  EXPECT_EQ(report.set_aside, 2U);
  EXPECT_EQ(read_file(rejects()), to_json_line(deep) + "\n" + to_json_line(deep_cbor) + "\n");
}

TEST_F(SpillImportTest, NothingIsTakenOffWhileWhatIsNoLetterCannotBeSetAside) {
  static_cast<void>(open());
  leave_spill(1, 1, "nonsense\n");
  std::filesystem::create_directory(rejects());
  const auto opened = open();
  EXPECT_THAT(opened->import_spilled().problem, HasSubstr(rejects()));
  EXPECT_THAT(stored_events(), IsEmpty());
  std::filesystem::remove(rejects());
  EXPECT_EQ(opened->import_spilled().imported, 1U);
}

TEST_F(SpillImportTest, AHeaderThatWasWrittenInPartDoesNotConfuseTheNextImport) {
  static_cast<void>(open());
  for (std::uint64_t round = 0; round < 3; ++round) {
    write_file(spill(), R"({"tidi)" + std::string("\n") + to_json_line(letter(round)) + "\n");
    EXPECT_EQ(open()->import_spilled().imported, 1U);
  }
  EXPECT_THAT(distinct_events(), SizeIs(3));
}

TEST_F(SpillImportTest, AFileOfANewerTidingsIsLeftAlone) {
  static_cast<void>(open());
  const std::string newer = R"({"tidings_spill":2,"x":1})"
                            "\n";
  write_file(spill(), newer);
  EXPECT_THAT(open()->import_spilled().problem, HasSubstr("newer tidings"));
  EXPECT_EQ(read_file(spill()), newer);
}

// --- once and only once ---

TEST_F(SpillImportTest, ALetterThatWasResolvedAndDeletedMeanwhileDoesNotComeBack) {
  static_cast<void>(open());
  leave_spill(1, 3);
  const std::string content = read_file(spill());
  static_cast<void>(open());
  execute("DELETE FROM dead_letters");
  // As a process leaves it that dies between the commit and emptying the file.
  write_file(spill(), content);
  EXPECT_EQ(waiting(), 0U);
  const auto opened = open();
  EXPECT_EQ(opened->import_spilled().imported, 0U);
  EXPECT_THAT(stored_events(), IsEmpty());
  EXPECT_EQ(read_file(spill()), "");
}

TEST_F(SpillImportTest, WhatIsAppendedAfterAnImportThatDiedIsImported) {
  static_cast<void>(open());
  leave_spill(1, 2);
  const std::string content = read_file(spill());
  static_cast<void>(open());
  write_file(spill(), content + to_json_line(letter(3)) + "\n");
  EXPECT_GT(waiting(), 0U);
  EXPECT_EQ(open()->import_spilled().imported, 1U);
  EXPECT_EQ(distinct_events(), events(1, 3));
}

TEST_F(SpillImportTest, ANewContentOfTheFileHasANewToken) {
  const auto opened = open_faulty();
  spill_letters(*opened, 1, 1);
  const auto first = SpillHeader::peek(spill());
  static_cast<void>(opened->import_spilled());
  spill_letters(*opened, 2, 2);
  const auto second = SpillHeader::peek(spill());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->token, second->token);
}

TEST_F(SpillImportTest, AFileThatWasShortenedByHandLosesNothing) {
  static_cast<void>(open());
  leave_spill(1, 9);
  const std::string header = SpillHeader::peek(spill()).value().line();
  static_cast<void>(open());
  write_file(spill(), header + to_json_line(letter(10)) + "\n");
  EXPECT_EQ(open()->import_spilled().imported, 1U);
  EXPECT_EQ(distinct_events(), events(1, 10));
}

TEST_F(SpillImportTest, ManyLettersAreImportedInStepsAndInOrder) {
  static_cast<void>(open());
  leave_spill(1, 3000);
  const auto opened = open();
  std::size_t imported = 0;
  for (bool more = true; more;) {
    const auto report = opened->import_spilled();
    imported += report.imported;
    more = report.more;
  }
  EXPECT_EQ(imported, 3000U);
  EXPECT_EQ(stored_events().size(), 3000U);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_spill_imports"), "1");
  EXPECT_EQ(query("SELECT letters FROM tidings_spill_imports"), "3000");
}

TEST_F(SpillImportTest, ALetterLongerThanAPieceIsImported) {
  static_cast<void>(open());
  DeadLetter large = letter(2);
  large.data = encode_data(std::string(700'000, 'x'));
  leave_spill(1, 1, to_json_line(large) + "\n" + to_json_line(letter(3)) + "\n");
  const auto opened = open();
  std::size_t imported = 0;
  for (bool more = true; more;) {
    const auto report = opened->import_spilled();
    imported += report.imported;
    more = report.more;
  }
  EXPECT_EQ(imported, 3U);
}

TEST_F(SpillImportTest, SpaceIsSetAsideAgainAfterAnImport) {
  const auto opened = open_faulty({.spill_reserve = 1024 * 1024});
  spill_letters(*opened, 1, 3);
  static_cast<void>(opened->import_spilled());
  struct stat facts {};
  ASSERT_EQ(::stat(spill().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_size, 0);
  EXPECT_GE(facts.st_blocks * 512, 1024 * 1024);
}

TEST_F(SpillImportTest, AFileWhoseLockAnotherProcessHasIsLeftForAnotherTime) {
  const auto opened = open_faulty();
  spill_letters(*opened, 1, 1);
  const int other = ::open(spill().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_EQ(opened->import_spilled().imported, 0U);
  ::close(other);
  EXPECT_EQ(opened->import_spilled().imported, 1U);
}

TEST_F(SpillImportTest, ProcessesThatSpillAndImportAtOnceLoseAndDoubleNothing) {
  static_cast<void>(open());
  std::vector<pid_t> children;
  for (std::uint64_t process = 0; process < 3; ++process) {
    children.push_back(start_child([&] {
      // On a busy disk a sync takes seconds, and the others wait for it.
      const auto opened = open_faulty({.busy_timeout = std::chrono::minutes(2)});
      for (std::uint64_t i = 0; i < 10; ++i) {
        spill_letters(*opened, process * 100 + i * 2, process * 100 + i * 2 + 1);
        static_cast<void>(opened->import_spilled());
      }
      return true;
    }));
  }
  for (const pid_t child : children) EXPECT_TRUE(succeeded(status_of(child)));
  static_cast<void>(open());
  EXPECT_THAT(distinct_events(), SizeIs(60));
  EXPECT_EQ(read_file(spill()), "");
}

}  // namespace
}  // namespace tidings::deadletter
