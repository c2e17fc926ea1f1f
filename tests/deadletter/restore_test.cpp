#include "deadletter/journal_fixture.hpp"

#include <tidings/deadletter/recovery.hpp>

#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

namespace tidings::deadletter {
namespace {

using testing::HasSubstr;

/// A backup of 20 letters and 10 owed events, and a database that went on and died.
class RestoreTest : public JournalTest {
 protected:
  void SetUp() override {
    {
      const auto opened = open({.spill_reserve = 0});
      static_cast<void>(store(*opened, letters(1, 20)));
      static_cast<void>(acquire(*opened));
      append(*opened, 1, 10);
      opened->backup(backup());
    }
    die_with_letters(21, 70);
  }
  /// What comes last stands in the -wal file alone.
  void die_with_letters(std::uint64_t first, std::uint64_t last) const {
    ASSERT_TRUE(WIFSIGNALED(run_in_child([&] {
      const auto opened = open({.spill_reserve = 0});
      static_cast<void>(acquire(*opened));
      static_cast<void>(store(*opened, letters(first, last)));
      opened->journal()->crash_slots()[3].handler = crash_slot_hash("ship");
      opened->journal()->crash_slots()[3].journal_id = 7;
      ::raise(SIGKILL);
      return false;
    })));
    ASSERT_GT(std::filesystem::file_size(database().native() + "-wal"), 0U);
  }

  [[nodiscard]] std::filesystem::path backup() const { return folder_.path("backup.db"); }
  [[nodiscard]] RestoreReport restore_here(bool dry_run = false) const {
    return restore(backup(), database(), {.dry_run = dry_run, .now = failed_at(0)});
  }
  static std::int64_t letters_in(const std::filesystem::path& path) {
    SQLite::Database connection(path.native(), SQLite::OPEN_READWRITE);
    EXPECT_EQ(connection.execAndGet("PRAGMA integrity_check").getString(), "ok");
    return connection.execAndGet("SELECT count(*) FROM dead_letters").getInt64();
  }
  std::string refusal(ErrorCode code) const {
    const auto before = contents_of(folder_.path());
    const std::string message = error_of(code, [&] { static_cast<void>(restore_here()); });
    EXPECT_EQ(contents_of(folder_.path()), before);
    return message;
  }
};

TEST_F(RestoreTest, PutsTheBackupInPlaceAndKeepsTheOldDatabaseWhole) {
  const auto report = restore_here();
  EXPECT_EQ(report.letters, 20);
  EXPECT_EQ(report.unresolved, 20);
  EXPECT_EQ(report.journal_events, 10);
  ASSERT_FALSE(report.kept.empty());
  EXPECT_EQ(letters_in(report.kept.front()), 70);
  EXPECT_FALSE(std::filesystem::exists(database().native() + "-wal"));
  EXPECT_EQ(letters_in(database()), 20);
}

TEST_F(RestoreTest, WhatIsPutInPlaceIsAnotherDatabaseThanTheOld) {
  const std::string id = "SELECT value FROM tidings_meta WHERE key = 'database_id'";
  const auto old = query(id);
  static_cast<void>(restore_here(true));
  EXPECT_EQ(query(id), old);
  static_cast<void>(restore_here());
  EXPECT_NE(query(id), old);
  EXPECT_EQ(query(id).size(), old.size());
  EXPECT_EQ(SQLite::Database(backup().native()).execAndGet(id).getString(), old);
}

TEST_F(RestoreTest, TheOldWalDoesNotUndoIt) {
  static_cast<void>(restore_here());
  const auto opened = open({.spill_reserve = 0});
  static_cast<void>(store(*opened, letters(100, 149)));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "70");
  const std::string of_the_old = "id > 20 AND event_id < '" + event_id(100).to_string() + "'";
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE " + of_the_old), "0");
}

TEST_F(RestoreTest, AServiceDeliversWhatTheBackupOwesAndSuspectsNothingOfTheOldJournal) {
  static_cast<void>(restore_here());
  const auto opened = open({.spill_reserve = 0});
  const auto start = acquire(*opened);
  EXPECT_FALSE(start.crashed);
  EXPECT_THAT(start.suspects, testing::IsEmpty());
  EXPECT_EQ(owed_ids(*opened, "ship").size(), 10U);
}

TEST_F(RestoreTest, IsRefusedWhileAServiceHasTheDatabaseOpenWhichGoesOn) {
  const auto opened = open({.spill_reserve = 0});
  static_cast<void>(store(*opened, letters(80, 81)));
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(restore_here()); }),
              HasSubstr("stop the services that use it"));
  EXPECT_EQ(store(*opened, letters(82, 83)).front().place, Place::Stored);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "74");
}

TEST_F(RestoreTest, IsRefusedWhileABusOwnsTheJournalInAnotherProcess) {
  int ready[2];
  int end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = start_child([&] {
    const auto opened = open({.spill_reserve = 0});
    static_cast<void>(acquire(*opened));
    char byte = 0;
    return ::write(ready[1], "r", 1) == 1 && ::close(end[1]) == 0 && ::read(end[0], &byte, 1) == 0;
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const std::string message = error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(restore_here()); });
  EXPECT_THAT(message, testing::AllOf(
                           HasSubstr("is owned by process " + std::to_string(child) + "; stop the services"),
                           testing::Not(HasSubstr("owner_wait"))));
  ::close(end[1]);
  EXPECT_TRUE(succeeded(status_of(child)));
  EXPECT_EQ(letters_in(database()), 70);
}

TEST_F(RestoreTest, ADamagedBackupIsRefusedAndNothingIsChanged) {
  std::string content = read_file(backup());
  for (const std::size_t page : {1U, 2U}) content.replace(content.size() - page * 4096, 4000, 4000, '\xa5');
  write_file(backup(), content);
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("the backup is damaged"));
}

TEST_F(RestoreTest, WhatIsNoBackupIsRefusedAndNothingIsChanged) {
  write_file(backup(), std::string(5'000, 'x'));
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("backup.db"));
  std::filesystem::remove(backup());
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("no such file"));
  std::filesystem::create_symlink(database(), backup());
  EXPECT_THAT(refusal(ErrorCode::InvalidArgument), HasSubstr("it is the database itself"));
}

TEST_F(RestoreTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const auto fifo = folder_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& path : {fifo, folder_.path()}) {
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                         [&] { static_cast<void>(restore(path, database(), {.now = failed_at(0)})); }),
                HasSubstr("not a regular file"));
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                         [&] { static_cast<void>(restore(backup(), path, {.now = failed_at(0)})); }),
                HasSubstr("not a regular file"));
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                         [&] { static_cast<void>(recover(path, folder_.path("result.db"))); }),
                HasSubstr("not a regular file"));
  }
}

TEST_F(RestoreTest, ABackupOfANewerVersionIsRefused) {
  SQLite::Database(backup().native(), SQLite::OPEN_READWRITE)
      .exec("UPDATE tidings_meta SET value = '999' WHERE key = 'schema_version'");
  EXPECT_THAT(refusal(ErrorCode::NewerSchema), HasSubstr("newer tidings"));
}

TEST_F(RestoreTest, AnApplicationsDatabaseIsReplacedByItsOwnBackupOnly) {
  const std::string mark = "UPDATE tidings_meta SET value = 'application' WHERE key = 'owner'";
  execute(mark);
  EXPECT_THAT(error_of(ErrorCode::ForeignDatabase, [&] { static_cast<void>(restore_here()); }),
              HasSubstr("an application's database"));
  SQLite::Database(backup().native(), SQLite::OPEN_READWRITE).exec(mark);
  EXPECT_EQ(restore_here().letters, 20);
}

TEST_F(RestoreTest, TablesThatTheBackupDoesNotHaveAreNamedAndNothingIsChanged) {
  execute("CREATE TABLE balances (account INTEGER PRIMARY KEY)");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("would be gone: balances;"));
  SQLite::Database(backup().native(), SQLite::OPEN_READWRITE)
      .exec("CREATE TABLE balances (account INTEGER PRIMARY KEY)");
  EXPECT_EQ(restore_here().letters, 20);
}

TEST_F(RestoreTest, TablesOfADamagedDatabaseAreFoundOnItsPages) {
  execute("CREATE TABLE balances (account INTEGER PRIMARY KEY); PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string old = read_file(database());
  write_file(database(), std::string(100, '\0') + old.substr(100));
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("balances"));
  std::filesystem::rename(database(), folder_.path("away.db"));
  EXPECT_EQ(restore_here().letters, 20);
}

TEST_F(RestoreTest, ADryRunChangesNothing) {
  const auto before = contents_of(folder_.path());
  const auto report = restore_here(true);
  EXPECT_EQ(report.letters, 20);
  EXPECT_EQ(report.kept.size(), 1U);
  auto after = contents_of(folder_.path());
  after.erase("orders.db-shm");
  auto expected = before;
  expected.erase("orders.db-shm");
  EXPECT_EQ(after, expected);
}

TEST_F(RestoreTest, KeepsTheModeOfTheOldFile) {
  ASSERT_EQ(::chmod(database().c_str(), 0640), 0);
  static_cast<void>(restore_here());
  EXPECT_EQ(mode_of(database()), 0640U);
}

TEST_F(RestoreTest, ADamagedOldDatabaseIsKeptAsItIsWithItsWal) {
  std::string content = read_file(database());
  content.replace(0, 4096, 4096, '\xa5');
  write_file(database(), content);
  const std::string wal(5'000, 'w');
  write_file(database().native() + "-wal", wal);
  const auto report = restore_here();
  ASSERT_EQ(report.kept.size(), 2U);
  EXPECT_EQ(read_file(report.kept[0]), content);
  EXPECT_EQ(read_file(report.kept[1]), wal);
  EXPECT_EQ(letters_in(database()), 20);
}

TEST_F(RestoreTest, ADatabaseThatIsGoneIsMadeAndItsWalKept) {
  std::filesystem::remove(database());
  const auto report = restore_here();
  EXPECT_EQ(letters_in(database()), 20);
  ASSERT_EQ(report.kept.size(), 1U);
  EXPECT_THAT(report.kept.front().native(), testing::EndsWith("-wal"));
  EXPECT_EQ(mode_of(database()), 0600U);
}

TEST_F(RestoreTest, WhatWasRecoveredCanBePutInPlace) {
  std::string content = read_file(database());
  content.replace(0, 4096, 4096, '\xa5');
  write_file(database(), content);
  static_cast<void>(recover(database(), recovery_target(database())));
  EXPECT_EQ(restore(recovery_target(database()), database(), {}).letters, 70);
  EXPECT_EQ(letters_in(database()), 70);
}

}  // namespace
}  // namespace tidings::deadletter
