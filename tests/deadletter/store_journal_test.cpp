#include "deadletter/journal_fixture.hpp"

#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

namespace tidings::deadletter {
namespace {

using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreJournalTest : public JournalTest {
 protected:
  [[nodiscard]] static StoreOptions impatient() { return {.busy_timeout = std::chrono::milliseconds(5)}; }
};

// --- what fails ---

TEST_F(StoreJournalTest, ALetterThatWasStoredWithoutTheEndOfItsDeliveryIsFoundByTheNextOwner) {
  {
    const auto opened = open();
    static_cast<void>(acquire(*opened));
    append(*opened, 1, 2);
    const DeadLetter kept = letter(1);  // of send_receipt, when the commit with its end has failed
    static_cast<void>(opened->store({&kept, 1}, WhenBusy::Spill));
  }
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  const auto rows = owed(*opened, "send_receipt");
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_TRUE(rows[0].has_letter);
  EXPECT_FALSE(rows[1].has_letter);
}

TEST_F(StoreJournalTest, AnErrorBeforeTheCommitTakesNothing) {
  const auto opened = open_faulty();
  static_cast<void>(acquire(*opened));
  {
    const ScopedFault fault(
        {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_IOERR_SHMLOCK, .lasting = true});
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { append(*opened, 1, 2); }),
                AllOf(HasSubstr("the disk reports an error"), HasSubstr(database())));
  }
  EXPECT_THAT(owed_ids(*opened, "ship"), IsEmpty());
  append(*opened, 1, 2);
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1, 2));
}

TEST_F(StoreJournalTest, AnErrorDuringTheCommitLeavesItInDoubtAndTheNextCallWorks) {
  const auto opened = open_faulty();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 1, true);
  {
    const ScopedFault fault({.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC});
    EXPECT_THAT(error_of(ErrorCode::InDoubt, [&] { append(*opened, 2, 2, true); }),
                AllOf(HasSubstr("in doubt"), HasSubstr("same idempotency key")));
  }
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1));
  append(*opened, 3, 3);
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1, 3));
}

TEST_F(StoreJournalTest, WhatIsInDoubtMayBeFoundByTheNextProcess) {
  ASSERT_TRUE(succeeded(run_in_child([&] {
    const auto opened = open_faulty();
    static_cast<void>(acquire(*opened));
    append(*opened, 1, 1, true);
    const ScopedFault fault(
        {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC, .lasting = true});
    static_cast<void>(error_of(ErrorCode::InDoubt, [&] { append(*opened, 2, 2, true); }));
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
    return false;
  })));
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1, 2));
}

TEST_F(StoreJournalTest, ABusyDatabaseIsReportedAndNothingTaken) {
  const auto opened = open(impatient());
  static_cast<void>(acquire(*opened));
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { append(*opened, 1, 1); }),
              HasSubstr("another process holds the database"));
  other.exec("ROLLBACK");
  EXPECT_THAT(owed_ids(*opened, "ship"), IsEmpty());
}

TEST_F(StoreJournalTest, AnEventThatIsTooLargeIsRefusedWithItsBatch) {
  StoreInternals internals;
  internals.row_limit = 50'000;
  const auto opened = open_faulty({}, internals);
  static_cast<void>(acquire(*opened));
  SampleEvent large(2);
  large.data = encode_data(std::string(60'000, 'x'));
  EXPECT_THAT(error_of(ErrorCode::NotEncodable,
                       [&] {
                         append(*opened, {SampleEvent(1), large});
                       }),
              HasSubstr("orders.order_placed is larger than the journal takes"));
  append(*opened, 1, 1);
  EXPECT_THAT(owed_ids(*opened, "ship"), ElementsAre(1));
}

TEST_F(StoreJournalTest, ALetterThatIsTooLargeIsSpilledAndHoldsUpNothing) {
  StoreInternals internals;
  internals.row_limit = 50'000;
  const auto opened = open_faulty({}, internals);
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 2);
  const DeadLetter fitting = letter(1);
  DeadLetter large = letter(2);
  large.data = encode_data(std::string(60'000, 'x'));
  JournalBatch batch;
  batch.letters = {&fitting, &large};
  batch.finished = {1, 2};
  const auto result = opened->journal()->commit(batch);
  EXPECT_THAT(places(result.letters), ElementsAre(Place::Stored, Place::Spilled));
  EXPECT_THAT(spilled_events(), ElementsAre(event_id(2)));
  EXPECT_THAT(stored_events(), ElementsAre(event_id(1)));
  EXPECT_THAT(owed_ids(*opened, "ship"), IsEmpty());
}

TEST_F(StoreJournalTest, ADeletedDatabaseTakesNothing) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database().native() + suffix);
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { append(*opened, 1, 1); }),
              HasSubstr("deleted or replaced"));
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { append(*opened, 2, 2); }));
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(owed(*opened, "ship")); }));
}

TEST_F(StoreJournalTest, IsUsedOnlyByItsOwner) {
  const auto opened = open();
  static_cast<void>(error_of(ErrorCode::NoJournal, [&] { append(*opened, 1, 1); }));
  static_cast<void>(acquire(*opened));
  opened->journal()->release(true);
  static_cast<void>(error_of(ErrorCode::NoJournal, [&] { append(*opened, 1, 1); }));
  static_cast<void>(error_of(ErrorCode::NoJournal, [&] { static_cast<void>(owed(*opened, "ship")); }));
}

TEST_F(StoreJournalTest, AFailureForgetsNoDeliveryThatHasARow) {
  const auto opened = open_faulty();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 2);
  JournalBatch batch;
  batch.changed = {contract::done_delivery(1, "ship"), contract::done_delivery(2, "ship")};
  static_cast<void>(opened->journal()->commit(batch));
  {
    const ScopedFault fault(
        {.operations = {Operation::Write}, .sqlite_code = SQLITE_IOERR_WRITE, .lasting = true});
    EXPECT_THROW(finish(*opened, {1, 2}), Error);
  }
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal_deliveries"), "2");
  finish(*opened, {1, 2});
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal_deliveries"), "0");
  append(*opened, 3, 3);
  finish(*opened, {3});
  EXPECT_THAT(owed_ids(*opened, "ship"), IsEmpty());
}

// --- when it is synced ---

TEST_F(StoreJournalTest, SyncsWhatAsksForItAndLetters) {
  const auto opened = open_faulty();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 1, true);
  const ScopedFault counting({.operations = {Operation::Sync}, .nth = 1'000'000});
  const auto syncs = [] { return FaultyVfs::instance().calls(); };
  append(*opened, 2, 2);
  append(*opened, 3, 3);
  EXPECT_EQ(syncs(), 0);
  append(*opened, 4, 4, true);
  EXPECT_EQ(syncs(), 1);
  append(*opened, 5, 5);
  EXPECT_EQ(syncs(), 1);
  const DeadLetter one = letter(1);
  JournalBatch batch;
  batch.letters = {&one};
  static_cast<void>(opened->journal()->commit(batch));
  EXPECT_EQ(syncs(), 2);
  append(*opened, 6, 6);
  EXPECT_EQ(syncs(), 2);
  EXPECT_THAT(places(store(*opened, {letter(2)})), ElementsAre(Place::Stored));
  EXPECT_EQ(syncs(), 3);
}

// --- reading ---

TEST_F(StoreJournalTest, RowsThatCannotBeReadHoldUpNoOther) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 8);
  execute("UPDATE tidings_journal SET event_id = 'no id' WHERE id = 1");
  execute("UPDATE tidings_journal SET data_encoding = 'xml', schema_version = -1 WHERE id = 2");
  execute("UPDATE tidings_journal SET attributes = '[[[', causation_depth = -7 WHERE id = 3");
  execute("UPDATE tidings_journal SET handlers = '[\"ship\"' WHERE id = 4");
  execute("UPDATE tidings_journal SET handlers = '[\"ship\", 7]' WHERE id = 5");
  execute("UPDATE tidings_journal SET event_data = zeroblob(10) WHERE id = 6");
  execute("INSERT INTO tidings_journal_deliveries VALUES (7, 'ship', 0, 1, 'x', NULL, NULL, 0)");
  const auto result = owed(*opened, "ship");
  std::map<std::int64_t, std::string> problems;
  for (const auto& each : result) problems[each.journal_id] = each.problem;
  EXPECT_THAT(problems, SizeIs(6));
  EXPECT_THAT(problems[1], HasSubstr("event 1 of the journal cannot be read: event_id;"));
  EXPECT_TRUE(result.at(0).metadata.event_id.is_nil());
  EXPECT_THAT(problems[2], HasSubstr("cannot be read: schema_version, data_encoding;"));
  EXPECT_THAT(problems[3], HasSubstr("attributes, causation_depth; correct its row, or stop the services"));
  EXPECT_THAT(problems[3], HasSubstr("dead-letters --db '" + database().native() + "' restore BACKUP"));
  EXPECT_EQ(problems[6], "");
  EXPECT_THAT(problems[7], HasSubstr("attempts"));
  EXPECT_EQ(problems[8], "");
}

TEST_F(StoreJournalTest, TotalsEventsThatDoNotSayToWhomTheyAreOwed) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 3);
  execute("UPDATE tidings_journal SET handlers = '{}' WHERE id = 2");
  const auto totals = opened->journal()->owed_totals(1000);
  ASSERT_THAT(totals, SizeIs(3));
  EXPECT_EQ(totals[0].handler, "");
  EXPECT_EQ(totals[0].deliveries, 1U);
  EXPECT_EQ(totals[1].handler, "send_receipt");
  EXPECT_EQ(totals[1].deliveries, 2U);
}

TEST_F(StoreJournalTest, ReadsWhileAnotherThreadCommits) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 500);
  std::atomic<bool> done = false;
  std::thread reading([&] {
    while (!done) EXPECT_GE(owed(*opened, "ship").size(), 500U);
  });
  for (std::int64_t id = 501; id <= 700; ++id) append(*opened, id, id);
  done = true;
  reading.join();
  EXPECT_THAT(owed(*opened, "ship"), SizeIs(700));
}

TEST_F(StoreJournalTest, CommitsWhileAReaderStandsInTheMiddleOfTheJournal) {
  const auto opened = open(impatient());
  static_cast<void>(acquire(*opened));
  append(*opened, 1, 10);
  SQLite::Database other(database().native(), SQLite::OPEN_READONLY);
  SQLite::Statement scan(other, "SELECT id FROM tidings_journal");
  ASSERT_TRUE(scan.executeStep());
  append(*opened, 11, 11);
  finish(*opened, {1});
  EXPECT_THAT(owed(*opened, "ship"), SizeIs(10));
}

TEST_F(StoreJournalTest, NeverGivesANumberAgainThatSomethingIsLeftUnder) {
  {
    const auto opened = open();
    static_cast<void>(acquire(*opened));
    append(*opened, 1, 3);
  }
  execute("DELETE FROM tidings_journal");
  execute("INSERT INTO tidings_journal_deliveries VALUES (7, 'ship', 1, 0, '[]', NULL, NULL, 0)");
  EXPECT_EQ(acquire(*open()).next_id, 8);
}

TEST_F(StoreJournalTest, ReportsUnservedHandlersSinceTheyWereFirstReported) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  const std::vector<OwedTotal> both = {{"orders", "orders.order_placed", "ship", 3, {}},
                                       {"orders", "orders.order_placed", "old", 2, {}}};
  opened->journal()->report_unserved(both);
  execute("UPDATE tidings_unserved_handlers SET since = 42");
  const std::vector<OwedTotal> one = {{"orders", "orders.order_placed", "ship", 5, {}}};
  opened->journal()->report_unserved(one);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_unserved_handlers"), "1");
  EXPECT_EQ(query("SELECT handler || ' ' || owed || ' ' || since FROM tidings_unserved_handlers"),
            "ship 5 42");
}

TEST_F(StoreJournalTest, WritesTheRowThatTheSchemaDocumentPromises) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  SampleEvent event(1);
  event.metadata = contract::full_metadata(1);
  append(*opened, {event});
  EXPECT_EQ(query("SELECT event_id || ' ' || service || ' ' || source || ' ' || correlation_id || ' ' ||"
                  " causation_id || ' ' || handlers || ' ' || published_at FROM tidings_journal"),
            event_id(1).to_string() + " orders https://example.com/orders request-42;DROP_TABLE " +
                event_id(2).to_string() + R"( ["send_receipt","ship"] 1800000000123456)");
  EXPECT_EQ(query("SELECT event_data ->> '$.order_id' FROM tidings_journal"), "1");
}

}  // namespace
}  // namespace tidings::deadletter
