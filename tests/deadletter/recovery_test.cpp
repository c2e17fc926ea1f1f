#include "deadletter/random_seed.hpp"
#include "deadletter/recovery_fixture.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <random>

namespace tidings::deadletter {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(RecoveryTest, SavesEverythingOfASoundDatabase) {
  const auto report = recover_here();
  expect_everything(report);
  EXPECT_EQ(report.of("dead_letters").in_order, kLetters);
  EXPECT_THAT(report.damage, testing::IsEmpty());
  EXPECT_FALSE(report.header_was_damaged);
}

TEST_F(RecoveryTest, TheResultIsAnotherDatabase) {
  const std::string id = "SELECT value FROM tidings_meta WHERE key = 'database_id'";
  static_cast<void>(recover_here());
  const auto found = SQLite::Database(recovered().native()).execAndGet(id).getString();
  EXPECT_EQ(found.size(), 36U);
  EXPECT_NE(found, query(id));
}

TEST_F(RecoveryTest, KeepsEveryValueOfALetterAndOfAnEvent) {
  static_cast<void>(recover_here());
  execute("ATTACH '" + recovered().native() + "' AS result");
  SQLite::Database both(database().native(), SQLite::OPEN_READWRITE);
  both.exec("ATTACH '" + recovered().native() + "' AS result");
  both.exec("DELETE FROM main.tidings_meta WHERE key = 'database_id'");
  for (const char* table :
       {"dead_letters", "tidings_journal", "tidings_journal_deliveries", "tidings_idempotency_keys",
        "tidings_audit", "tidings_redrives", "tidings_causes", "tidings_meta"}) {
    const std::string difference = std::string("SELECT count(*) FROM (SELECT * FROM main.") + table +
                                   " EXCEPT SELECT * FROM result." + table + ")";
    EXPECT_EQ(both.execAndGet(difference).getInt64(), 0) << table;
  }
}

/// What must be saved of `table` of `total` rows when the page is gone.
std::int64_t expected_rows(const std::string& table, std::int64_t total, const std::string& on_page,
                           const std::string& kind, std::int64_t cells) {
  if (on_page != table) return total;
  if (kind == "overflow") return total - 1;
  const bool has_rowid = table == "dead_letters" || table == "tidings_journal";
  return kind == "internal" && has_rowid ? total : total - cells;
}

bool report_has_table(const RecoveryReport& report, const std::string& name) {
  return std::any_of(report.tables.begin(), report.tables.end(),
                     [&](const SavedRows& each) { return each.table == name; });
}

/// All the damage that one page can have: its place is taken by what `damage` makes of it.
class PagesInTurn : public RecoveryTest {
 protected:
  void damage_each(const std::function<std::string(std::string)>& damage, std::size_t step = 1) {
    const auto all = pages();
    for (std::size_t i = 0; i < all.size() && !HasFailure(); i += step) {
      const Page& page = all[i];
      SCOPED_TRACE("page " + std::to_string(page.number) + " of " + page.table + ", " + page.kind);
      replace_page(page.number, damage(sound_.substr((page.number - 1) * kPageSize, kPageSize)));
      const auto report = recover_here();
      const auto expect = [&](const std::string& table, std::int64_t total) {
        EXPECT_GE(report.of(table).saved(), expected_rows(table, total, page.table, page.kind, page.cells))
            << table;
        EXPECT_LE(report.of(table).saved(), total) << table;
      };
      expect("dead_letters", kLetters);
      expect("tidings_journal", kEvents);
      expect("tidings_journal_deliveries", (kEvents + 1) / 2);
      expect("tidings_idempotency_keys", kEvents);
      const bool has_rows = report_has_table(report, page.table);
      const bool is_all = report.of("dead_letters").saved() == kLetters &&
                          report.of("tidings_journal").saved() == kEvents &&
                          report.of("tidings_journal_deliveries").saved() == (kEvents + 1) / 2 &&
                          report.of("tidings_idempotency_keys").saved() == kEvents;
      // What a row has on overflow pages may be replaced by other bytes.
      if ((has_rows && page.kind != "overflow") || !is_all) {
        EXPECT_FALSE(report.is_whole());
      }
      if (is_all && page.table.find("_by_") != std::string::npos) {
        EXPECT_TRUE(report.is_whole());
      }
      const bool index_is_whole = page.table != "dead_letters_once" && page.number != 1;
      if (index_is_whole) {
        EXPECT_EQ(report.lost_letters, kLetters - report.of("dead_letters").saved());
      }
    }
  }
};

TEST_F(PagesInTurn, ZeroedLoseNoRowOfAnotherPage) {
  damage_each([](const std::string& page) { return std::string(page.size(), '\0'); });
}

TEST_F(PagesInTurn, GarbledLoseNoRowOfAnotherPage) {
  std::mt19937_64 random(random_seed());
  damage_each([&](std::string page) {
    for (char& c : page) c = static_cast<char>(random());
    return page;
  });
}

TEST_F(PagesInTurn, HalfOverwrittenLoseNoRowOfAnotherPage) {
  constexpr std::size_t kHalf = kPageSize / 2;
  damage_each([](std::string page) { return page.replace(kHalf, kHalf, kHalf, '\xa5'); }, 3);
}

TEST_F(RecoveryTest, SavesEveryRowWithoutTheHeader) {
  write_file(database(), std::string(100, '\0') + sound_.substr(100));
  const auto report = recover_here();
  expect_everything(report);
  EXPECT_TRUE(report.header_was_damaged);
}

TEST_F(RecoveryTest, SavesEveryRowWithoutTheFirstPage) {
  replace_page(1, std::string(kPageSize, '\xff'));
  const auto report = recover_here();
  expect_everything(report);
  EXPECT_EQ(report.of("dead_letters").from_pages, kLetters);
}

TEST_F(RecoveryTest, SavesWhatIsBeforeTheEndOfACutFile) {
  const auto all = pages();
  // The first page has the schema and no row.
  for (std::size_t kept = all.size() - 1; kept > 1; kept -= std::min<std::size_t>(kept, 9)) {
    SCOPED_TRACE(std::to_string(kept) + " pages");
    write_file(database(), sound_.substr(0, kept * kPageSize + 123));
    std::int64_t rows = 0;
    for (const Page& page : all) {
      if (page.table == "dead_letters" && page.kind == "leaf" && page.number <= kept) rows += page.cells;
    }
    // Two of the letters go on in pages that may be cut off.
    EXPECT_GE(recover_here().of("dead_letters").saved(), rows - 2);
  }
}

TEST_F(RecoveryTest, FindsWhatWasCommittedToTheWal) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    const auto opened = open({.spill_reserve = 0});
    static_cast<void>(store(*opened, letters(200, 249)));
    ::raise(SIGKILL);
    return false;
  })));
  ASSERT_GT(std::filesystem::file_size(database().native() + "-wal"), 0U);
  const auto report = recover_here();
  EXPECT_EQ(report.of("dead_letters").saved(), kLetters + 50);
  EXPECT_GT(report.pages_from_wal, 0);
}

TEST_F(RecoveryTest, ABackupThatWasMixedWithAnOldWalIsRecovered) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    const auto opened = open({.spill_reserve = 0});
    static_cast<void>(store(*opened, letters(200, 449)));
    ::raise(SIGKILL);
    return false;
  })));
  write_file(database(), sound_);
  EXPECT_GE(recover_here().of("dead_letters").saved(), kLetters);
}

TEST_F(RecoveryTest, NamesTheLettersThatAreLost) {
  const auto all = pages();
  const auto page = std::find_if(all.begin(), all.end(), [](const Page& each) {
    return each.table == "dead_letters" && each.kind == "leaf";
  });
  replace_page(page->number, std::string(kPageSize, '\0'));
  const auto report = recover_here();
  ASSERT_FALSE(report.is_whole());
  EXPECT_EQ(report.lost_letters, page->cells);
  ASSERT_EQ(static_cast<std::int64_t>(report.lost.size()), page->cells);
  EXPECT_EQ(report.lost.front().event_id,
            event_id(static_cast<std::uint64_t>(report.lost.front().id)).to_string());
  EXPECT_EQ(report.lost.front().handler, "send_receipt");
  EXPECT_THAT(report.damage, testing::Not(testing::IsEmpty()));
}

TEST_F(RecoveryTest, CountsEventsOfWhichOnlyADeliveryIsLeft) {
  const auto all = pages();
  const auto page = std::find_if(all.begin(), all.end(), [](const Page& each) {
    return each.table == "tidings_journal" && each.kind == "leaf";
  });
  std::string content = sound_.substr((page->number - 1) * kPageSize, kPageSize);
  replace_page(page->number, content.replace(0, 300, 300, '\0'));
  const auto report = recover_here();
  EXPECT_FALSE(report.is_whole());
  EXPECT_GE(report.unread_pages, 1);
  EXPECT_GE(report.lost_events, page->cells / 2);
  EXPECT_EQ(in_result("SELECT count(*) FROM tidings_journal_deliveries WHERE journal_id NOT IN"
                      " (SELECT id FROM tidings_journal)"),
            0);
}

TEST_F(RecoveryTest, WhatWasDeletedStaysDeleted) {
  execute("PRAGMA secure_delete = OFF; DELETE FROM dead_letters WHERE id BETWEEN 20 AND 100");
  const auto left = kLetters - 81;
  EXPECT_EQ(recover_here().of("dead_letters").saved(), left);
}

TEST_F(RecoveryTest, AServiceDeliversWhatTheResultOwes) {
  replace_page(1, std::string(kPageSize, '\0'));
  static_cast<void>(recover_here());
  const auto opened = Store::open(recovered(), {.spill_reserve = 0});
  EXPECT_GT(acquire(*opened).events, 0U);
  EXPECT_EQ(static_cast<std::int64_t>(owed_ids(*opened, "send_receipt").size()), kEvents);
  EXPECT_EQ(static_cast<std::int64_t>(owed_ids(*opened, "ship").size()), kEvents / 2);
  EXPECT_EQ(store(*opened, {letter(1)}).front().place, Place::AlreadyStored);
}

TEST_F(RecoveryTest, OfAnApplicationsFileOnlyTidingsTablesAreSaved) {
  execute(
      "UPDATE tidings_meta SET value = 'application' WHERE key = 'owner';"
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO orders VALUES (1, 'book')");
  const auto report = recover_here();
  EXPECT_TRUE(report.adopted);
  EXPECT_EQ(report.of("dead_letters").saved(), kLetters);
  EXPECT_EQ(in_result("SELECT count(*) FROM sqlite_schema WHERE name = 'orders'"), 0);
  EXPECT_EQ(in_result("SELECT count(*) FROM tidings_meta WHERE key = 'owner' AND value = 'tidings'"), 1);
}

/// The application made its table in a file of tidings.
TEST_F(RecoveryTest, NamesTablesOfTheApplicationThatItDoesNotSave) {
  execute(
      "CREATE TABLE balances (account INTEGER PRIMARY KEY, cents INTEGER); INSERT INTO balances VALUES (7, "
      "0)");
  const auto report = recover_here();
  EXPECT_TRUE(report.adopted);
  EXPECT_THAT(report.foreign_tables, testing::ElementsAre("balances"));
  EXPECT_FALSE(report.is_whole());
}

TEST_F(RecoveryTest, FindsTablesOfTheApplicationWithoutAReadableSchema) {
  execute(
      "CREATE TABLE balances (account INTEGER PRIMARY KEY, cents INTEGER); INSERT INTO balances VALUES (7,"
      " 0);PRAGMA wal_checkpoint(TRUNCATE)");
  sound_ = read_file(database());
  replace_page(1, std::string(kPageSize, '\xff'));
  const auto report = recover_here();
  EXPECT_TRUE(report.adopted);
  EXPECT_GT(report.foreign_rows + static_cast<std::int64_t>(report.foreign_tables.size()), 0);
  EXPECT_FALSE(report.is_whole());
}

TEST_F(RecoveryTest, ADatabaseWithoutTidingsMarkIsAnApplicationsAlthoughItsOwnerCannotBeRead) {
  execute("PRAGMA application_id = 7; PRAGMA wal_checkpoint(TRUNCATE)");
  sound_ = read_file(database());
  for (const Page& page : pages()) {
    if (page.table == "tidings_meta") replace_page(page.number, std::string(kPageSize, '\0'));
  }
  EXPECT_TRUE(recover_here().adopted);
}

TEST_F(RecoveryTest, IsRefusedWhileSomebodyHasTheDatabaseOpen) {
  const auto opened = open({.spill_reserve = 0});
  static_cast<void>(store(*opened, {letter(500)}));
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(recover(database(), recovered())); }),
              HasSubstr("stop the services that use it"));
  EXPECT_FALSE(std::filesystem::exists(recovered()));
  EXPECT_EQ(store(*opened, {letter(501)}).front().place, Place::Stored);
}

TEST_F(RecoveryTest, IsRefusedWhereAFileIsThereOrNothingIsTidings) {
  const auto call = [&](const std::filesystem::path& from, const std::filesystem::path& to) {
    return [=] { static_cast<void>(recover(from, to)); };
  };
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, call(database(), database())),
              HasSubstr("of the database itself"));
  write_file(folder_.path("there.db"), "mine");
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, call(database(), folder_.path("there.db"))),
              HasSubstr("there is such a file already"));
  EXPECT_EQ(read_file(folder_.path("there.db")), "mine");
  EXPECT_THAT(error_of(ErrorCode::ForeignDatabase, call(folder_.path("there.db"), recovered())),
              HasSubstr("nothing in it is tidings'"));
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, call(folder_.path("gone.db"), recovered())),
              HasSubstr("no such file"));
  EXPECT_FALSE(std::filesystem::exists(recovered()));
}

TEST_F(RecoveryTest, AnyDamageIsSurvived) {
  std::mt19937_64 random(random_seed());
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (int round = 0; round < random_rounds(12); ++round) {
    std::string content = sound_;
    for (int i = 0; i < 30; ++i) content[below(content.size())] = static_cast<char>(random());
    const bool cut = round % 3 == 0;
    if (cut) content.resize(below(content.size()) + 2 * kPageSize);
    write_file(database(), content);
    try {
      EXPECT_GE(recover_here().of("dead_letters").saved(), cut ? 0 : kLetters / 3);
    } catch (const Error& error) {
      EXPECT_TRUE(cut && error.code() == ErrorCode::ForeignDatabase) << error.what();
    }
  }
}

}  // namespace
}  // namespace tidings::deadletter
