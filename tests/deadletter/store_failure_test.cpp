#include "deadletter/store_fixture.hpp"

#include <sys/resource.h>

#include <csignal>

// One test a row of "when storing fails", as far as the store is concerned: what the bus does with a busy
// database and with letters that nothing could take is tested with the bus.
namespace tidings::deadletter {
namespace {

using faults::Fault;
using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StoreFailureTest : public StoreTest {
 protected:
  [[nodiscard]] static StoreOptions impatient() { return {.busy_timeout = std::chrono::milliseconds(5)}; }

  /// What becomes of one letter when the disk answers every write with this code, and of the next when it has
  /// recovered.
  void expect_spilled_then_stored(int sqlite_code, const std::string& explanation) {
    const auto opened = open_faulty();
    {
      const ScopedFault fault(
          {.operations = {Operation::Write, Operation::Sync}, .sqlite_code = sqlite_code, .lasting = true});
      const auto outcomes = store(*opened, letters(1, 3));
      EXPECT_THAT(places(outcomes), Each(Place::Spilled));
      EXPECT_THAT(outcomes.at(0).problem,
                  AllOf(HasSubstr(explanation), HasSubstr(spill()), HasSubstr(database())));
      EXPECT_THAT(spilled_events(), ElementsAre(event_id(1), event_id(2), event_id(3)));
    }
    EXPECT_THAT(places(store(*opened, {letter(4)})), ElementsAre(Place::Stored));
    EXPECT_THAT(stored_events(), ElementsAre(event_id(4)));
  }
};

TEST_F(StoreFailureTest, ABusyDatabaseIsReportedAndNothingTaken) {
  const auto opened = open(impatient());
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(store(*opened, letters(1, 2))); }),
              HasSubstr("another process holds the database"));
  EXPECT_EQ(read_file(spill()), "");
  other.exec("ROLLBACK");
  EXPECT_THAT(places(store(*opened, letters(1, 2))), Each(Place::Stored));
}

TEST_F(StoreFailureTest, ABusyDatabaseSpillsWhenThereIsNoOtherTry) {
  const auto opened = open(impatient());
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  const auto outcomes = store(*opened, {letter(1)}, WhenBusy::Spill);
  EXPECT_THAT(places(outcomes), ElementsAre(Place::Spilled));
  EXPECT_THAT(outcomes.at(0).problem, HasSubstr("another process holds the database"));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(1)));
}

TEST_F(StoreFailureTest, AWriterThatFinishesInTimeIsWaitedFor) {
  const auto opened = open();
  const ScopedFault unused({.operations = {}});
  const pid_t writer = start_child([&] {
    const auto own = open();
    return places(store(*own, letters(1, 200))) == std::vector(200, Place::Stored);
  });
  for (std::uint64_t i = 201; i <= 220; ++i) {
    EXPECT_THAT(places(store(*opened, {letter(i)})), ElementsAre(Place::Stored));
  }
  EXPECT_TRUE(succeeded(status_of(writer)));
  EXPECT_EQ(stored_events().size(), 220U);
}

TEST_F(StoreFailureTest, AFullDiskSpills) { expect_spilled_then_stored(SQLITE_FULL, "the disk is full"); }
TEST_F(StoreFailureTest, AnIoErrorSpills) {
  expect_spilled_then_stored(SQLITE_IOERR_WRITE, "the disk reports an error");
}
TEST_F(StoreFailureTest, AReadOnlyDatabaseSpills) {
  expect_spilled_then_stored(SQLITE_READONLY, "cannot be written");
}
TEST_F(StoreFailureTest, ADatabaseThatSaysItIsCorruptSpills) {
  expect_spilled_then_stored(SQLITE_CORRUPT, "the database is damaged");
}
TEST_F(StoreFailureTest, AnUnopenableDatabaseSpills) {
  expect_spilled_then_stored(SQLITE_CANTOPEN, "cannot be opened");
}

TEST_F(StoreFailureTest, AnIoErrorOfReadingSpills) {
  static_cast<void>(store(*open(), letters(1, 300)));
  const auto opened = open_faulty();
  {
    const ScopedFault fault(
        {.operations = {Operation::Read}, .sqlite_code = SQLITE_IOERR_READ, .lasting = true});
    EXPECT_THAT(places(store(*opened, {letter(301)})), ElementsAre(Place::Spilled));
  }
  EXPECT_THAT(places(store(*opened, {letter(302)})), ElementsAre(Place::Stored));
}

TEST_F(StoreFailureTest, ADatabaseOverwrittenWithGarbageSpillsUntilItIsRestored) {
  const auto opened = open();
  static_cast<void>(store(*opened, letters(1, 50)));
  {
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const auto good = read_file(database());
  write_file(database(), std::string(good.size(), 'x'));
  EXPECT_THAT(places(store(*opened, {letter(51)})), ElementsAre(Place::Spilled));
  EXPECT_THAT(places(store(*opened, {letter(52)})), ElementsAre(Place::Spilled));
  write_file(database(), good);
  EXPECT_THAT(places(store(*opened, {letter(53)})), ElementsAre(Place::Stored));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(51), event_id(52)));
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreFailureTest, ADeletedDatabaseSpillsAndIsNotMadeAnew) {
  const auto opened = open();
  static_cast<void>(store(*opened, {letter(1)}));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
  const auto outcomes = store(*opened, {letter(2)});
  EXPECT_THAT(places(outcomes), ElementsAre(Place::Spilled));
  EXPECT_THAT(outcomes.at(0).problem, HasSubstr("deleted or replaced"));
  EXPECT_THAT(store(*opened, {letter(3)}).at(0).problem, HasSubstr("deleted or replaced"));
  EXPECT_FALSE(std::filesystem::exists(database()));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(2), event_id(3)));
}

TEST_F(StoreFailureTest, AReplacedDatabaseIsNoticedAndNotUsedBeforeTheStoreIsOpenedAnew) {
  static_cast<void>(Store::open(folder_.path("other.db")));
  const auto opened = open();
  static_cast<void>(store(*opened, {letter(1)}));
  std::filesystem::rename(database(), folder_.path("moved.db"));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
  std::filesystem::rename(folder_.path("other.db"), database());
  EXPECT_THAT(store(*opened, {letter(2)}).at(0).problem, HasSubstr("deleted or replaced"));
  EXPECT_THAT(places(store(*opened, {letter(3)})), ElementsAre(Place::Spilled));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(2), event_id(3)));
  EXPECT_THAT(stored_events(), ElementsAre());
  static_cast<void>(open());
  EXPECT_THAT(stored_events(), ElementsAre(event_id(2), event_id(3)));
}

TEST_F(StoreFailureTest, ADatabaseReplacedByAnotherApplicationsIsLeftAlone) {
  const auto opened = open();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
  execute("CREATE TABLE users (name TEXT)");
  const auto foreign = read_file(database());
  static_cast<void>(store(*opened, {letter(1)}));
  const auto outcomes = store(*opened, {letter(2)});
  EXPECT_THAT(outcomes.at(0).problem, HasSubstr("deleted or replaced"));
  EXPECT_EQ(read_file(database()), foreign);
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(1), event_id(2)));
}

TEST_F(StoreFailureTest, ALetterThatIsTooLargeHoldsUpNoOther) {
  StoreInternals internals;
  internals.row_limit = 50'000;
  const auto opened = open_faulty({}, internals);
  DeadLetter large = letter(2);
  large.data = encode_data(std::string(60'000, 'x'));
  DeadLetter large_in_sum = letter(4);
  large_in_sum.data = encode_data(std::string(30'000, 'x'));
  large_in_sum.error_message = std::string(30'000, 'y');
  const auto outcomes = store(*opened, {letter(1), large, letter(3), large_in_sum, letter(5)});
  EXPECT_THAT(places(outcomes),
              ElementsAre(Place::Stored, Place::Spilled, Place::Stored, Place::Spilled, Place::Stored));
  EXPECT_THAT(outcomes.at(1).problem, HasSubstr("larger than the database takes"));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(2), event_id(4)));
}

TEST_F(StoreFailureTest, DeadKeysOfADatabaseThatFailsAreAnError) {
  const auto opened = open_faulty();
  const ScopedFault fault(
      {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_IOERR_SHMLOCK, .lasting = true});
  static_cast<void>(
      error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(opened->dead_keys("a", "b", "c")); }));
}

/// No file may grow beyond this; SQLite and the spill file meet the kernel's own refusal.
void limit_file_size(rlim_t bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST_F(StoreFailureTest, ADiskThatReallyRefusesMoreSpills) {
  static_cast<void>(open());
  EXPECT_TRUE(succeeded(run_in_child([&] {
    const auto opened = open();
    limit_file_size(std::filesystem::file_size(database()));
    std::uint64_t stored = 0;
    while (stored < 1000 && places(store(*opened, {letter(stored)})) == std::vector{Place::Stored}) ++stored;
    EXPECT_THAT(spilled_events(), ElementsAre(event_id(stored)));
    return true;
  })));
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreFailureTest, WhatNothingCanTakeIsUnsavedAndTheSpillFileEndsWithAWholeLine) {
  EXPECT_TRUE(succeeded(run_in_child([&] {
    const auto opened = open_faulty();
    const ScopedFault fault({.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    EXPECT_THAT(places(store(*opened, {letter(1)})), ElementsAre(Place::Spilled));
    const auto one_line = read_file(spill());
    limit_file_size(one_line.size() + one_line.size() / 2);
    const auto outcomes = store(*opened, {letter(2)});
    EXPECT_THAT(places(outcomes), ElementsAre(Place::Unsaved));
    EXPECT_THAT(outcomes.at(0).problem,
                AllOf(HasSubstr("the disk is full"), HasSubstr("File too large"), HasSubstr(spill())));
    EXPECT_EQ(read_file(spill()), one_line);
    return true;
  })));
}

}  // namespace
}  // namespace tidings::deadletter
