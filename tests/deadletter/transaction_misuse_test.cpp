#include "deadletter/transaction_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// --- what is refused ---

TEST_F(HandlerTransactionTest, IsNotThereForADeliveryThatIsNotDurable) {
  Bus bus(options());
  const auto paying = bus.subscribe<Placed>(
      "pay", [&](const Placed&, const EventContext& context) { static_cast<void>(transaction(context)); });
  EXPECT_EQ(bus.publish(Placed{1}, {.durability = Durability::None}).dead, 1U);
  EXPECT_THAT(last_problem(), AllOf(HasSubstr("in memory only"), HasSubstr("BusOptions::durability")));
}

TEST_F(HandlerTransactionTest, BelongsToTheThreadOfItsHandler) {
  const auto problem = letter_after([](const Placed&, const EventContext& context) {
    std::exception_ptr thrown;
    std::thread([&] {
      try {
        static_cast<void>(transaction(context));
      } catch (...) {
        thrown = std::current_exception();
      }
    }).join();
    if (thrown) std::rethrow_exception(thrown);
  });
  EXPECT_THAT(problem, HasSubstr("belongs to the thread that its handler runs on"));
}

TEST_F(HandlerTransactionTest, IsOfNoUseOnceItsHandlerHasReturned) {
  Bus bus(options());
  std::optional<Transaction> kept;
  const auto paying = bus.subscribe<Placed>(
      "pay", [&](const Placed&, const EventContext& context) { kept = transaction(context); });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(kept->connection()); }),
              HasSubstr("ended when its handler returned"));
}

TEST_F(HandlerTransactionTest, CannotBeCommittedByItsHandler) {
  const auto problem = letter_after([](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    sqlite3* const connection = transaction(context).connection();
    EXPECT_THROW(execute_on(connection, "COMMIT"), std::runtime_error);
    // Nor can anything be outside of it.
    EXPECT_THROW(execute_on(connection, "INSERT INTO ledger VALUES ('alone', 1)"), std::runtime_error);
    EXPECT_THROW(execute_on(connection, "BEGIN; INSERT INTO ledger VALUES ('alone', 2); COMMIT"),
                 std::runtime_error);
  });
  EXPECT_THAT(problem, AllOf(HasSubstr("ended before its handler returned"), HasSubstr("leave COMMIT")));
  EXPECT_EQ(ledger(), "");
}

TEST_F(HandlerTransactionTest, HasFailedWhenItsHandlerRolledBack) {
  const auto problem = letter_after([](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    execute_on(transaction(context).connection(),
               "ROLLBACK; BEGIN IMMEDIATE; INSERT INTO ledger VALUES ('after', 1)");
  });
  EXPECT_THAT(problem, HasSubstr("ended before its handler returned"));
  EXPECT_EQ(ledger(), "");
}

TEST_F(HandlerTransactionTest, MayHaveSavepoints) {
  EXPECT_EQ(letter_after([](const Placed& placed, const EventContext& context) {
              sqlite3* const connection = transaction(context).connection();
              execute_on(connection, "SAVEPOINT mine");
              write_ledger(context, placed.number);
              execute_on(connection, "ROLLBACK TO mine; INSERT INTO ledger VALUES ('kept', 1)");
            }),
            "");
  EXPECT_EQ(ledger(), "kept 1");
}

TEST_F(HandlerTransactionTest, EndsStatementsThatStillRun) {
  execute("INSERT INTO ledger VALUES ('a', 1), ('b', 2)");
  Bus bus(options());
  sqlite3_stmt* kept = nullptr;
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    if (kept != nullptr) return;
    sqlite3* const connection = transaction(context).connection();
    ASSERT_EQ(sqlite3_prepare_v2(connection, "UPDATE ledger SET number = number + 1 RETURNING number", -1,
                                 &kept, nullptr),
              SQLITE_OK);
    ASSERT_EQ(sqlite3_step(kept), SQLITE_ROW);
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_EQ(ledger(), "a 2, b 3, pay 2");
  EXPECT_EQ(sqlite3_stmt_busy(kept), 0);
  EXPECT_EQ(bus.publish(Placed{5}).handled, 1U);
  // Outside of a handler nothing is committed through it.
  EXPECT_EQ(sqlite3_step(kept), SQLITE_ROW);
  EXPECT_NE(sqlite3_reset(kept), SQLITE_OK);
  EXPECT_EQ(ledger(), "a 2, b 3, pay 2, pay 5");
  sqlite3_finalize(kept);
}

TEST_F(HandlerTransactionTest, SurvivesAStatementThatOutlivesTheStore) {
  sqlite3_stmt* kept = nullptr;
  EXPECT_EQ(letter_after([&](const Placed&, const EventContext& context) {
              sqlite3_prepare_v2(transaction(context).connection(), "SELECT 1", -1, &kept, nullptr);
            }),
            "");
  EXPECT_EQ(sqlite3_finalize(kept), SQLITE_OK);
}

TEST_F(HandlerTransactionTest, FailsTheAttemptWhenItsCommitIsRefused) {
  execute(
      "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
      "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)");
  const auto problem = letter_after([](const Placed&, const EventContext& context) {
    sqlite3* const connection = transaction(context).connection();
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
    execute_on(connection, "INSERT INTO child VALUES (7)");
  });
  EXPECT_THAT(problem, AllOf(HasSubstr("cannot commit a handler's transaction"), HasSubstr("FOREIGN KEY")));
  EXPECT_EQ(query("SELECT count(*) FROM child"), "0");
}

TEST_F(HandlerTransactionTest, SaysWhenAnotherProcessHasTheDatabase) {
  Bus bus(options(impatient()));
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  int busy = 0;
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    other.exec("BEGIN IMMEDIATE");
    EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(transaction(context)); }),
                HasSubstr("another process holds the database"));
    ++busy;
    other.exec("ROLLBACK");
    write_ledger(context, placed.number);  // It may be asked for again.
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_EQ(busy, 1);
  EXPECT_EQ(ledger(), "pay 1");
}

TEST_F(HandlerTransactionTest, IsNotWaitedForByItsOwnThread) {
  const auto how = options();
  const auto store = std::dynamic_pointer_cast<Store>(how.store);
  Bus bus(how);
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    EXPECT_THAT(error_of(ErrorCode::CalledInHandler, [&] { static_cast<void>(bus.redrive({})); }),
                HasSubstr("redrive() inside a handler's transaction(context)"));
    EXPECT_THAT(
        error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(StoreTest::store(*store, {letter(1)})); }),
        HasSubstr("this thread has a transaction(context) open"));
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_EQ(ledger(), "pay 1");
}

TEST_F(HandlerTransactionTest, MakesPublishersOfOtherThreadsWaitNoLongerThanTheBusyTimeout) {
  Bus bus(options(impatient()));
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    if (placed.number != 1) return;
    std::thread([&] {
      EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { bus.publish(Placed{2}); }),
                  HasSubstr("another thread of this process"));
    }).join();
  });
  EXPECT_EQ(bus.publish(Placed{1}).handled, 1U);
  EXPECT_EQ(bus.publish(Placed{3}).handled, 1U);
  EXPECT_EQ(ledger(), "pay 1, pay 3");
}

TEST_F(HandlerTransactionTest, IsNamedWhenItKeepsOthersWaiting) {
  auto clock = std::make_shared<ManualClock>();
  auto how = options();
  how.clock = clock;
  Bus bus(how);
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    clock->advance(placed.number == 1 ? 100ms : 101ms);
  });
  bus.publish(Placed{1});
  EXPECT_EQ(capture_.count("transaction_held"), 0U);
  bus.publish(Placed{2});
  const auto record = capture_.only("transaction_held");
  EXPECT_EQ(record.at("level"), "warning");
  EXPECT_EQ(record.at("handler"), "pay");
  EXPECT_EQ(record.at("held_ms"), 101.0);
}

TEST_F(HandlerTransactionTest, IsTheParentsWhenAForkedChildComesBackOutOfAnInlineHandler) {
  Bus bus(options());
  const pid_t parent = ::getpid();
  int status = -1;
  const auto paying = bus.subscribe<Placed>("pay", [&](const Placed& placed, const EventContext& context) {
    write_ledger(context, placed.number);
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(30);
      return;
    }
    ::waitpid(child, &status, 0);
  });
  bool refused = false;
  try {
    bus.publish(Placed{1});
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::ForkedChild;
  }
  if (::getpid() != parent) ::_exit(refused ? 0 : 1);
  EXPECT_FALSE(refused);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ledger(), "pay 1");
  EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace tidings::deadletter
