#include "deadletter/transaction_fixture.hpp"

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- what is refused, and that the transaction goes on ---

TEST_F(PublishInTest, RefusesAConnectionWithoutATransaction) {
  Bus bus(options());
  const auto listening = listen(bus);
  EXPECT_THAT(refusal(bus), AllOf(HasSubstr("no open transaction"), HasSubstr("BEGIN IMMEDIATE")));
  EXPECT_THAT(
      error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(publish_in(nullptr, bus, Placed{1})); }),
      HasSubstr("connection is null"));
}

TEST_F(PublishInTest, RefusesAConnectionToAnotherDatabase) {
  Bus bus(options());
  SQLite::Database other(folder_.path("other.db").native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  other.exec("ATTACH '" + database().native() + "' AS tidings; BEGIN");
  EXPECT_THAT(
      error_of(ErrorCode::InvalidArgument,
               [&] { static_cast<void>(publish_in(other.getHandle(), bus, Placed{1})); }),
      AllOf(HasSubstr("other.db"), HasSubstr(database().native()), HasSubstr("as the main database")));
  SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE);
  memory.exec("BEGIN");
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument,
                       [&] { static_cast<void>(publish_in(memory.getHandle(), bus, Placed{1})); }),
              HasSubstr("is not a file"));
}

TEST_F(PublishInTest, TakesAConnectionThroughALinkedFolder) {
  Bus bus(options());
  const auto listening = listen(bus);
  const auto link = folder_.path("link");
  std::filesystem::create_directory_symlink(database().parent_path(), link);
  SQLite::Database linked((link / database().filename()).native(), SQLite::OPEN_READWRITE);
  linked.exec("BEGIN IMMEDIATE");
  static_cast<void>(publish_in(linked.getHandle(), bus, Placed{1}));
  linked.exec("COMMIT");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, NeedsABusThatOwnsAJournal) {
  auto how = options();
  how.durability = Durability::None;
  Bus bus(how);
  run("BEGIN IMMEDIATE");
  EXPECT_THAT(
      error_of(ErrorCode::NoJournal, [&] { static_cast<void>(publish_in(connection(), bus, Placed{1})); }),
      HasSubstr("BusOptions::durability"));
}

TEST_F(PublishInTest, IsDurableOrNothing) {
  Bus bus(options());
  run("BEGIN IMMEDIATE");
  EXPECT_THAT(refusal(bus, {.durability = Durability::None}),
              HasSubstr("leave PublishOptions::durability out"));
}

TEST_F(PublishInTest, NeedsSyncedCommitsForWhatIsToSurviveAPowerCut) {
  Bus bus(options());
  const auto listening = listen(bus);
  const PublishOptions how{.durability = Durability::PowerLoss};
  run("PRAGMA synchronous = NORMAL");
  run("BEGIN IMMEDIATE");
  EXPECT_THAT(refusal(bus, how), AllOf(HasSubstr("PRAGMA synchronous = FULL"), HasSubstr("ProcessCrash")));
  run("ROLLBACK");
  run("PRAGMA synchronous = FULL");
  static_cast<void>(publish_committed(bus, 2, how));
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(2));
}

TEST_F(PublishInTest, SaysWhenAnotherHasTheWriteLock) {
  Bus bus(options());
  run("BEGIN");
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_THAT(
      error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(publish_in(connection(), bus, Placed{1})); }),
      HasSubstr("another process holds the database"));
  other.exec("ROLLBACK");
  static_cast<void>(publish_in(connection(), bus, Placed{1}));
  run("COMMIT");
}

TEST_F(PublishInTest, SaysWhenATransactionThatHasReadCanNoLongerWrite) {
  Bus bus(options());
  run("BEGIN");
  SQLite::Statement reading(*application_, "SELECT count(*) FROM ledger");
  ASSERT_TRUE(reading.executeStep());
  reading.reset();
  execute("INSERT INTO ledger VALUES ('other', 1)");
  EXPECT_THAT(
      error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(publish_in(connection(), bus, Placed{1})); }),
      AllOf(HasSubstr("roll it back"), HasSubstr("BEGIN IMMEDIATE")));
}

TEST_F(PublishInTest, RefusesWhatCannotBeEncodedAndTheTransactionGoesOn) {
  Bus bus(options());
  const auto listening = listen(bus);
  run("BEGIN IMMEDIATE");
  run("INSERT INTO ledger VALUES ('application', 1)");
  sqlite3_limit(connection(), SQLITE_LIMIT_LENGTH, 50'000);
  // Its key is not used up by that.
  const PublishOptions how{.idempotency_key = "large"};
  EXPECT_THAT(error_of(ErrorCode::NotEncodable,
                       [&] {
                         static_cast<void>(publish_in(connection(), bus, "shop.placed",
                                                      Json{{"bulk", std::string(60'000, 'x')}}, how));
                       }),
              HasSubstr("larger than the journal takes"));
  EXPECT_FALSE(publish_in(connection(), bus, Placed{1}, how).duplicate);
  run("COMMIT");
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(ledger(), "application 1");
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(PublishInTest, LetsOutWhatAnOrderingKeyThrows) {
  Bus bus(options());
  const auto listening =
      listen(bus, {.dispatch = Dispatch::Queued,
                   .ordering_key = [](const Placed&) -> std::string { throw std::runtime_error("no key"); }});
  run("BEGIN IMMEDIATE");
  EXPECT_THROW(static_cast<void>(publish_in(connection(), bus, Placed{1})), std::runtime_error);
  EXPECT_EQ(sqlite3_txn_state(connection(), "main"), SQLITE_TXN_WRITE);
}

TEST_F(PublishInTest, IsRefusedByABusThatHasStopped) {
  Bus bus(options());
  bus.stop();
  run("BEGIN IMMEDIATE");
  static_cast<void>(
      error_of(ErrorCode::BusStopped, [&] { static_cast<void>(publish_in(connection(), bus, Placed{1})); }));
  bus.notify();
}

TEST_F(PublishInTest, SaysWhenTheConnectionMayNotWrite) {
  Bus bus(options());
  run("PRAGMA query_only = ON");
  run("BEGIN");
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                       [&] { static_cast<void>(publish_in(connection(), bus, Placed{1})); }),
              HasSubstr("cannot publish in the transaction on " + database().native()));
}

TEST_F(PublishInTest, WorksInAnApplicationsOwnDatabase) {
  const auto path = folder_.path("application.db");
  SQLite::Database own(path.native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  own.exec("PRAGMA journal_mode = WAL; CREATE TABLE orders (number INTEGER)");
  Bus bus({.service = "shop",
           .store = Store::open(path, {.adopt = true}),
           .durability = Durability::PowerLoss,
           .logger = capture_.logger()});
  const auto listening = listen(bus);
  own.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (1)");
  static_cast<void>(publish_in(own.getHandle(), bus, Placed{1}));
  own.exec("COMMIT");
  bus.notify();
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

}  // namespace
}  // namespace tidings::deadletter
