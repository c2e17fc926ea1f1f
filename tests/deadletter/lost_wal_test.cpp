#include "deadletter/journal_fixture.hpp"

#include "store/user_transaction.hpp"

#include <tidings/deadletter/operations.hpp>

#include <sqlite3.h>

#include <sys/wait.h>
#include <csignal>
#include <cstdlib>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A store whose -wal or -shm file is deleted or replaced while it is open.
class LostWalTest : public JournalTest {
 protected:
  [[nodiscard]] std::filesystem::path wal() const { return database().native() + "-wal"; }
  [[nodiscard]] std::filesystem::path shm() const { return database().native() + "-shm"; }
  [[nodiscard]] std::shared_ptr<Store> open_with_events(std::int64_t first = 1) const {
    auto opened = open();
    static_cast<void>(acquire(*opened));
    append(*opened, first, first + 9, true);
    return opened;
  }
  /// A process that does `body` with a store, and is then killed.
  void killed_after(const std::function<void(Store&)>& body) const {
    const int status = run_in_child([&] {
      const auto opened = open_with_events();
      body(*opened);
      ::raise(SIGKILL);
      return false;
    });
    EXPECT_TRUE(WIFSIGNALED(status));
  }
  template <class Call>
  static void expect_lost(Call call) {
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, call), HasSubstr("-wal or -shm file was deleted"));
  }
  [[nodiscard]] std::string owed_rows() const { return query("SELECT count(*) FROM tidings_journal"); }
};

TEST_F(LostWalTest, WhatWasCommittedBeforeItWasDeletedIsInTheDatabaseOnceItIsNoticed) {
  killed_after([&](Store& opened) {
    std::filesystem::remove(wal());
    static_cast<void>(
        error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(opened.look_after_files()); }));
  });
  EXPECT_EQ(owed_rows(), "10");
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

TEST_F(LostWalTest, ACommitThatEndsInADeletedFileIsInDoubtAndNoneFollows) {
  killed_after([&](Store& opened) {
    std::filesystem::remove(wal());
    EXPECT_THAT(error_of(ErrorCode::InDoubt, [&] { append(opened, 11, 11, true); }), HasSubstr("-wal"));
    expect_lost([&] { append(opened, 12, 12, true); });
  });
  EXPECT_EQ(owed_rows(), "11");
}

TEST_F(LostWalTest, LettersAreSpilled) {
  killed_after([&](Store& opened) {
    EXPECT_THAT(places(store(opened, {letter(1)})), ElementsAre(Place::Stored));
    std::filesystem::remove(wal());
    EXPECT_THAT(places(store(opened, {letter(2)})), ElementsAre(Place::Spilled));
    EXPECT_THAT(places(store(opened, {letter(3)})), ElementsAre(Place::Spilled));
  });
  static_cast<void>(open());
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1), event_id(2), event_id(3)));
}

TEST_F(LostWalTest, EveryCallIsRefused) {
  std::int64_t first = 1;
  for (const auto& file : {wal(), shm()}) {
    const auto opened = open_with_events(std::exchange(first, 21));
    std::filesystem::remove(file);
    expect_lost([&] { static_cast<void>(opened->look_after_files()); });
    expect_lost([&] { append(*opened, 41, 41); });
    expect_lost([&] { static_cast<void>(opened->journal()->begin_transaction()); });
    expect_lost([&] { static_cast<void>(owed(*opened, "ship")); });
    expect_lost([&] { static_cast<void>(opened->redrives()->tend("bus", std::chrono::seconds(30), {})); });
    expect_lost([&] { opened->backup(folder_.path("copy.db")); });
  }
}

TEST_F(LostWalTest, AFileInItsPlaceIsNotTakenForIt) {
  const auto opened = open_with_events();
  std::filesystem::copy_file(wal(), folder_.path("other"));
  std::filesystem::rename(folder_.path("other"), wal());
  expect_lost([&] { static_cast<void>(opened->look_after_files()); });
  expect_lost([&] { finish(*opened, {1}); });
}

TEST_F(LostWalTest, AnApplicationsTransactionIsRefused) {
  const auto opened = open_with_events();
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE);
  application.exec("BEGIN IMMEDIATE");
  std::filesystem::remove(wal());
  UserTransaction transaction(application.getHandle());
  expect_lost([&] { transaction.lock(*opened->journal(), Durability::ProcessCrash); });
  application.exec("ROLLBACK");
}

TEST_F(LostWalTest, ToolsDoNotTakeWhatIsLeftForTheDatabase) {
  std::int64_t first = 1;
  for (const auto& files :
       std::vector<std::vector<std::filesystem::path>>{{wal()}, {shm()}, {wal(), shm()}}) {
    auto opened = open_with_events(first);
    first += 10;
    for (const auto& file : files) std::filesystem::remove(file);
    expect_lost([&] { static_cast<void>(Reader::open(database())); });
    expect_lost([&] { static_cast<void>(Operations::open(database(), {"ada", "here"})); });
    expect_lost([&] { static_cast<void>(open()); });
    opened->journal()->release(true);
    opened = nullptr;
    EXPECT_NO_THROW(static_cast<void>(Reader::open(database())));
  }
}

TEST_F(LostWalTest, AReaderThatWasOpenNoticesIt) {
  const auto opened = open_with_events();
  auto reader = Reader::open(database());
  EXPECT_EQ(reader.count({}), 0);
  std::filesystem::remove(wal());
  expect_lost([&] { static_cast<void>(reader.count({})); });
}

TEST_F(LostWalTest, AServiceThatStopsAndStartsAgainHasEverything) {
  auto opened = open_with_events();
  std::filesystem::remove(wal());
  std::filesystem::remove(shm());
  opened = nullptr;
  opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_THAT(owed_ids(*opened, "ship"), SizeIs(10));
  append(*opened, 11, 11);
  EXPECT_EQ(owed_rows(), "11");
}

TEST_F(LostWalTest, NothingIsWrittenByAnIndexThatOthersHaveReplaced) {
  auto opened = open_with_events();
  std::filesystem::remove(shm());
  // Another program, since connections of one process share what they know; and killed, so that the log
  // stays.
  const std::string program =
      "sqlite3 -cmd '.timeout 10000' " + database().native() +
      " \"CREATE TABLE others (text TEXT)\" 'PRAGMA wal_checkpoint(RESTART)'"
      " \"INSERT INTO others SELECT hex(randomblob(2000)) FROM generate_series(1, 50)\""
      " '.shell kill -9 $PPID' > " +
      folder_.path("output").native() + " 2>&1";
  ASSERT_NE(std::system(program.c_str()), 0);
  expect_lost([&] { static_cast<void>(opened->look_after_files()); });
  opened.reset();
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(query("SELECT count(*) FROM others"), "50");
}

TEST_F(LostWalTest, AStoreThatEndsLeavesTheLogOfTheDatabaseThatIsThereNow) {
  auto opened = open_with_events();
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    const auto other = Store::open(folder_.path("other.db"));
    static_cast<void>(store(*other, letters(1, 5)));
    ::raise(SIGKILL);
    return false;
  })));
  std::filesystem::rename(database(), folder_.path("moved.db"));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
  for (const char* suffix : {"-wal", "-shm", ""})
    std::filesystem::rename(folder_.path("other.db").native() + suffix, database().native() + suffix);
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { finish(*opened, {1}); }));
  opened = nullptr;
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "5");
}

}  // namespace
}  // namespace tidings::deadletter
