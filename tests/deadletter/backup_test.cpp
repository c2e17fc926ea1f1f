#include "deadletter/journal_fixture.hpp"

#include "copies/integrity.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

namespace tidings::deadletter {
namespace {

using faults::Operation;
using faults::ScopedFault;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::SizeIs;

class BackupTest : public JournalTest {
 protected:
  [[nodiscard]] std::filesystem::path copy() const { return folder_.path("copy.db"); }
  [[nodiscard]] std::filesystem::path unfinished() const { return folder_.path("copy.db.unfinished"); }
};

TEST_F(BackupTest, CopiesEverythingThatIsCommitted) {
  const auto opened = open();
  static_cast<void>(store(*opened, letters(1, 50)));
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 5);
  opened->backup(copy());
  EXPECT_EQ(Reader::open(copy()).count({}), 50);
  const auto restored = Store::open(copy());
  static_cast<void>(acquire(*restored));
  EXPECT_THAT(owed(*restored, "ship"), SizeIs(5));
}

TEST_F(BackupTest, IsPrivateAndStandsAlone) {
  open()->backup(copy());
  EXPECT_EQ(mode_of(copy()), 0600U);
  EXPECT_THAT(contents_of(folder_.path()), Not(Contains(Key(HasSubstr("copy.db-")))));
  EXPECT_THAT(contents_of(folder_.path()), Not(Contains(Key(HasSubstr("unfinished")))));
}

TEST_F(BackupTest, IsOfOneMomentWhileOthersWrite) {
  const auto opened = open();
  std::atomic<bool> done = false;
  std::thread writing([&] {
    for (std::uint64_t i = 0; !done; i += 2)
      static_cast<void>(opened->store(letters(i, i + 1), WhenBusy::Throw));
  });
  for (int i = 0; i < 5; ++i) {
    opened->backup(copy());
    EXPECT_EQ(Reader::open(copy()).count({}) % 2, 0);
  }
  done = true;
  writing.join();
}

TEST_F(BackupTest, ReplacesAnEarlierOne) {
  const auto opened = open();
  opened->backup(copy());
  static_cast<void>(store(*opened, letters(1, 3)));
  opened->backup(copy());
  EXPECT_EQ(Reader::open(copy()).count({}), 3);
}

TEST_F(BackupTest, CopiesAnApplicationsDatabaseWhole) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (7)");
  const auto opened = open({.adopt = true});
  static_cast<void>(store(*opened, letters(1, 3)));
  opened->backup(copy());
  EXPECT_EQ(Reader::open(copy()).count({}), 3);
  SQLite::Database connection(copy().native(), SQLite::OPEN_READWRITE);
  EXPECT_EQ(connection.execAndGet("SELECT id FROM orders").getInt(), 7);
}

TEST_F(BackupTest, AFailureLeavesWhatWasThere) {
  const auto opened = open_faulty();
  static_cast<void>(store(*opened, letters(1, 3)));
  write_file(copy(), "precious");
  {
    const ScopedFault full({.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { opened->backup(copy()); }),
                HasSubstr("the disk is full"));
  }
  EXPECT_EQ(read_file(copy()), "precious");
  EXPECT_FALSE(std::filesystem::exists(unfinished()));
  opened->backup(copy());
  EXPECT_EQ(Reader::open(copy()).count({}), 3);
}

TEST_F(BackupTest, AProcessKilledInTheMiddleLeavesNoHalfCopyUnderTheName) {
  static_cast<void>(store(*open(), letters(1, 100)));
  for (int nth = 1; nth < 40; nth += 5) {
    const int status = run_in_child([&] {
      const auto opened = open_faulty();
      faults::FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync, Operation::Truncate},
           .nth = nth,
           .fatal = true});
      opened->backup(copy());
      return true;
    });
    ASSERT_TRUE(WIFSIGNALED(status) || succeeded(status));
    ASSERT_EQ(std::filesystem::exists(copy()), succeeded(status));
    if (succeeded(status)) {
      EXPECT_EQ(Reader::open(copy()).count({}), 100);
    }
    std::filesystem::remove(copy());
  }
  open()->backup(copy());
  EXPECT_EQ(Reader::open(copy()).count({}), 100);
}

TEST_F(BackupTest, RefusesTheDatabasesOwnFilesAndWhatIsNoFile) {
  const auto opened = open();
  for (const char* suffix : {"", "-wal", "-shm", ".owner", ".spill.jsonl"}) {
    EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { opened->backup(database().native() + suffix); }),
                HasSubstr("file of the database itself"));
  }
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { opened->backup(folder_.path()); }));
  static_cast<void>(error_of(ErrorCode::InvalidArgument, [&] { opened->backup(""); }));
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { opened->backup(folder_.path("no/copy.db")); }),
              AllOf(HasSubstr("No such file"), HasSubstr("nothing was copied")));
}

TEST_F(BackupTest, DoesNotReplaceADatabaseThatIsInUse) {
  const auto other = Store::open(copy());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { open()->backup(copy()); }), HasSubstr("in use"));
}

TEST_F(BackupTest, TwoBackupsToOnePlaceDoNotMix) {
  const auto opened = open();
  std::filesystem::create_directory(unfinished());
  std::filesystem::permissions(unfinished(), std::filesystem::perms::owner_all);
  const int other = ::open(unfinished().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { opened->backup(copy()); }),
              HasSubstr("another process writes to the same place"));
  ::close(other);
  opened->backup(copy());
}

// --- after an unclean exit ---

class IntegrityTest : public JournalTest {
 protected:
  /// Puts garbage into the last page, one of the letters' that opening does not read.
  void damage() const {
    std::string content = read_file(database());
    ASSERT_GT(content.size(), 20U * 4096U);
    content.replace(content.size() - 4096, 64, 64, '\xa5');
    write_file(database(), content);
  }
  /// A process that dies as the journal's owner; what it wrote is in the database file.
  void die_unclean() const {
    ASSERT_TRUE(WIFSIGNALED(run_in_child([&] {
      const auto opened = open();
      static_cast<void>(acquire(*opened));
      static_cast<void>(store(*opened, letters(1, 200)));
      ::raise(SIGKILL);
      return false;
    })));
    execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
};

TEST_F(IntegrityTest, DamageIsReportedAfterAnUncleanExitWithWhatToDo) {
  die_unclean();
  damage();
  EXPECT_THAT(
      error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
      AllOf(HasSubstr("damaged"), HasSubstr("dead-letters --db '" + database().native() + "' restore BACKUP"),
            HasSubstr("dead-letters recover '" + database().native() + "'")));
}

/// A cable that comes loose is no damage: nothing is to be restored.
TEST_F(IntegrityTest, ADiskThatCannotReadIsNotToldAsDamage) {
  std::set<std::string> messages;
  for (int nth = 1;; ++nth) {
    die_unclean();
    const ScopedFault fault(
        {.operations = {Operation::Read}, .nth = nth, .sqlite_code = SQLITE_IOERR_READ, .lasting = true});
    try {
      static_cast<void>(open_faulty());
      break;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::DatabaseUnusable);
      messages.insert(error.what());
    }
  }
  EXPECT_THAT(messages, Not(IsEmpty()));
  EXPECT_THAT(
      messages,
      Each(AllOf(HasSubstr("the disk reports an error; check the disk and the system's log"),
                 HasSubstr("if it stays so, stop the services that use it"), Not(HasSubstr("damaged")))));
}

TEST_F(IntegrityTest, APageThatCannotBeReadIsNotToldAsDamage) {
  EXPECT_NO_THROW(require_was_read("row 3 missing from index dead_letters_once"));
  EXPECT_NO_THROW(require_was_read("Page 9: unable to get the page. error code=11"));
  EXPECT_THROW(require_was_read("Tree 4 page 9: unable to get the page. error code=266"), SQLite::Exception);
  EXPECT_THROW(require_was_read("Page 9: unable to get the page. error code=10"), SQLite::Exception);
}

TEST_F(IntegrityTest, AFileThatWasLeftCleanIsNotChecked) {
  die_unclean();
  static_cast<void>(acquire(*open()));
  {
    const auto opened = open();
    static_cast<void>(acquire(*opened));
    opened->journal()->release(true);
  }
  damage();
  EXPECT_NO_THROW(static_cast<void>(open()));
}

TEST_F(IntegrityTest, AnApplicationsFileIsNotChecked) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER)");
  static_cast<void>(open({.adopt = true}));
  die_unclean();
  damage();
  EXPECT_NO_THROW(static_cast<void>(open({.adopt = true})));
}

TEST_F(IntegrityTest, KnowsAWalFileThatWasLeftFromOneInUse) {
  EXPECT_FALSE(was_left_open(database()));
  ASSERT_TRUE(WIFSIGNALED(run_in_child([&] {
    const auto opened = open();
    static_cast<void>(store(*opened, letters(1, 3)));
    ::raise(SIGKILL);
    return false;
  })));
  EXPECT_TRUE(was_left_open(database()));
  const auto opened = open();
  static_cast<void>(store(*opened, letters(4, 5)));
  EXPECT_FALSE(was_left_open(database()));
}

TEST_F(IntegrityTest, ACheckThatTakesTooLongFindsNothing) {
  static_cast<void>(store(*open(), letters(1, 1000)));
  EXPECT_EQ(quick_check(database(), "", std::chrono::milliseconds(0)), "");
  EXPECT_EQ(quick_check(database(), "", std::chrono::seconds(10)), "");
}

}  // namespace
}  // namespace tidings::deadletter
