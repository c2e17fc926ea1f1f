#include "deadletter/journal_fixture.hpp"

#include "store/store_transaction.hpp"
#include "store/user_transaction.hpp"

#include <tidings/deadletter/operations.hpp>

#include <sqlite3.h>

namespace tidings::deadletter {
namespace {

using faults::Operation;
using faults::ScopedFault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A store whose database was moved away, and another, that owes events of the same numbers, put in its
/// place.
class ReplacedDatabaseTest : public JournalTest {
 protected:
  void make_other() const {
    const auto other = Store::open(folder_.path("other.db"));
    static_cast<void>(acquire(*other));
    append(*other, 1, 10);
    static_cast<void>(store(*other, {letter(1)}));
    other->journal()->release(true);
  }
  void replace() const {
    std::filesystem::rename(database(), folder_.path("moved.db"));
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
    std::filesystem::rename(folder_.path("other.db"), database());
  }
  void put_back() const {
    std::filesystem::rename(database(), folder_.path("other.db"));
    std::filesystem::rename(folder_.path("moved.db"), database());
  }
  [[nodiscard]] std::string owed_rows() const { return query("SELECT count(*) FROM tidings_journal"); }
  template <class Call>
  static void expect_lost(Call call) {
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, call), HasSubstr("deleted or replaced"));
  }
};

TEST_F(ReplacedDatabaseTest, CompletionsOfWhatIsInMemoryDeleteNoRowOfTheOtherFile) {
  make_other();
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 10);
  replace();
  for (int tries = 0; tries < 3; ++tries) expect_lost([&] { finish(*opened, {1, 2, 3, 4, 5, 6, 7, 8, 9}); });
  expect_lost([&] { append(*opened, 11, 11); });
  EXPECT_EQ(owed_rows(), "10");
}

TEST_F(ReplacedDatabaseTest, NoConnectionThatIsMadeAfterwardsIsUsed) {
  make_other();
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 10);
  replace();
  expect_lost([&] { static_cast<void>(opened->journal()->begin_transaction()); });
  expect_lost([&] { static_cast<void>(owed(*opened, "ship")); });
  expect_lost([&] { static_cast<void>(opened->redrives()->tend("bus", std::chrono::seconds(30), {})); });
  expect_lost([&] { static_cast<void>(opened->journal()->forget_keys({})); });
  expect_lost([&] { opened->backup(folder_.path("copy.db")); });
}

TEST_F(ReplacedDatabaseTest, AStoreThatConnectsAnewAfterAFailureTakesNoOtherFile) {
  make_other();
  const auto opened = open_faulty();
  {
    const ScopedFault fault(
        {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_IOERR_SHMLOCK, .lasting = true});
    EXPECT_THAT(places(store(*opened, {letter(2)})), ElementsAre(Place::Spilled));
  }
  replace();
  EXPECT_THAT(places(store(*opened, {letter(3)})), ElementsAre(Place::Spilled));
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1)));
}

TEST_F(ReplacedDatabaseTest, AFileThatComesBackIsUsedOnceTheStoreIsOpenedAnew) {
  make_other();
  auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 2);
  replace();
  expect_lost([&] { finish(*opened, {1}); });
  put_back();
  expect_lost([&] { finish(*opened, {1}); });
  opened = nullptr;
  opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1, 2));
}

TEST_F(ReplacedDatabaseTest, AConnectionOfTheApplicationToTheOtherFileIsRefused) {
  make_other();
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  replace();
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE);
  application.exec("BEGIN IMMEDIATE");
  UserTransaction transaction(application.getHandle());
  expect_lost([&] { transaction.lock(*opened->journal(), Durability::ProcessCrash); });
  application.exec("ROLLBACK");
}

TEST_F(ReplacedDatabaseTest, AHandlersTransactionThatWasOpenCommitsNothing) {
  make_other();
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 1);
  const auto transaction = opened->journal()->begin_transaction();
  replace();
  JournalBatch end;
  end.finished = {1};
  expect_lost([&] { transaction->commit(end); });
  EXPECT_EQ(owed_rows(), "10");
}

TEST_F(ReplacedDatabaseTest, ReadersAndOperationsDoNotGoOnWithTheOtherFile) {
  make_other();
  static_cast<void>(store(*open(), {letter(2)}));
  auto reader = Reader::open(database());
  auto operations = Operations::open(database(), {"ada", "here"});
  EXPECT_EQ(reader.count({}), 1);
  replace();
  expect_lost([&] { static_cast<void>(reader.count({})); });
  expect_lost([&] { static_cast<void>(operations.discard({}, "", {})); });
  EXPECT_EQ(Reader::open(database()).count({}), 1);
}

}  // namespace
}  // namespace tidings::deadletter
