#include "deadletter/operations_fixture.hpp"

#include <SQLiteCpp/Transaction.h>

namespace tidings::deadletter {
namespace {

using testing::HasSubstr;
using testing::Not;

class ErasureTest : public OperationsTest {};

TEST_F(ErasureTest, ErasesAPersonFromEveryFile) {
  auto of_person = letter(10);
  of_person.data = encode_data({{"email", "eve@example.com"}});
  of_person.error_message = "no mailbox eve@example.com";
  static_cast<void>(store(*open(), {of_person}));
  static_cast<void>(operations().edit(4, {{"email", "corrected"}}));
  ASSERT_THAT(all_bytes(), HasSubstr("eve@example.com"));
  const Filter of_eve{.where = {{"/email", "eve@example.com"}}};
  EXPECT_EQ(operations().count_erasable(of_eve).progress.changed, 2);
  const auto result = operations().erase(of_eve, {});
  EXPECT_EQ(result.progress.changed, 2);
  EXPECT_TRUE(result.wal_cleared);
  EXPECT_EQ(query("SELECT group_concat(id) FROM dead_letters"), "1,2,3");
  EXPECT_THAT(all_bytes(), Not(HasSubstr("eve@example.com")));
  EXPECT_THAT(audit(), HasSubstr(R"(erase 2 {"where":["/email"]})"));
}

TEST_F(ErasureTest, ErasesFromSpillFilesToo) {
  auto of_person = letter(10);
  of_person.data = encode_data({{"email", "eve@example.com"}});
  {
    std::ofstream file(spill());
    file << to_json_line(letter(11)) << "\n" << to_json_line(of_person) << "\nhalf a li";
  }
  const auto size = std::filesystem::file_size(spill());
  EXPECT_EQ(operations().erase({.where = {{"/email", "eve@example.com"}}}, {}).spilled, 1);
  EXPECT_THAT(all_bytes(), Not(HasSubstr("eve@example.com")));
  EXPECT_THAT(all_bytes(), HasSubstr(to_json_line(letter(11))));
  EXPECT_EQ(std::filesystem::file_size(spill()), size);
}

TEST_F(ErasureTest, SaysWhenAReaderKeepsErasedPages) {
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  SQLite::Transaction reading(other);
  static_cast<void>(other.execAndGet("SELECT count(*) FROM dead_letters"));
  const auto result = operations(std::chrono::milliseconds(20)).erase({.ids = {{1}}}, {});
  EXPECT_EQ(result.progress.changed, 1);
  EXPECT_FALSE(result.wal_cleared);
}

TEST_F(ErasureTest, SaysWhatTheJournalStillHolds) {
  execute(
      "INSERT INTO tidings_journal (event_id, event_type, schema_version, event_data, data_encoding,"
      " attributes, source, service, correlation_id, causation_depth, published_at, handlers) VALUES ('e',"
      " 't', 1, '{\"email\":\"eve\"}', 'json', '{}', 's', 's', 'request-1', 0, 0, '[]')");
  EXPECT_EQ(operations().erase({.where = {{"/email", "eve"}}}, {}).journal_events, 1);
  EXPECT_EQ(operations().erase({.correlation_id = "request-1"}, {}).journal_events, 1);
  EXPECT_EQ(operations().erase({.correlation_id = "request-2"}, {}).journal_events, 0);
}

TEST_F(ErasureTest, LettersByNumberAreNotInSpillFilesNorInTheJournal) {
  write_file(spill(), to_json_line(letter(11)) + "\n");
  execute(
      "INSERT INTO tidings_journal (event_id, event_type, schema_version, data_encoding, attributes, source,"
      " service, correlation_id, causation_depth, published_at, handlers)"
      " VALUES ('e', 't', 1, 'none', '{}', 's', 's', 'c', 0, 0, '[]')");
  auto desk = operations();
  EXPECT_EQ(desk.count_erasable({.ids = {{1}}}).spilled, 0);
  for (const Filter& filter :
       {Filter{.ids = {{1}}}, Filter{.resolved = true}, Filter{.event_id = event_id(2)}}) {
    const auto result = desk.erase(filter, {});
    EXPECT_EQ(result.spilled, 0);
    EXPECT_EQ(result.journal_events, 0);
  }
  EXPECT_EQ(read_file(spill()), to_json_line(letter(11)) + "\n");
}

TEST_F(ErasureTest, TakesTheReasonOfADiscardOutOfTheAudit) {
  auto desk = operations();
  static_cast<void>(desk.discard({.ids = {{1, 2}}}, "as Eve asked", {}));
  static_cast<void>(desk.discard({.ids = {{3}}}, "test order", {}));
  EXPECT_EQ(desk.count_erasable({.ids = {{1}}}).cleared_reasons, 1);
  EXPECT_THAT(all_bytes(), HasSubstr("as Eve asked"));
  EXPECT_EQ(desk.erase({.ids = {{1}}}, {}).cleared_reasons, 1);
  EXPECT_EQ(query("SELECT resolution_note FROM dead_letters WHERE id = 2"), "as Eve asked");
  EXPECT_EQ(query("SELECT group_concat(coalesce(note, '-')) FROM tidings_audit"), "-,test order,-");
  EXPECT_EQ(desk.erase({.ids = {{2}}}, {}).cleared_reasons, 0);
  EXPECT_THAT(all_bytes(), Not(HasSubstr("as Eve asked")));
}

TEST_F(ErasureTest, TakesReasonsThatContainTheValueOutOfTheAudit) {
  auto desk = operations();
  const Filter of_eve{.where = {{"/email", "\"eve@example.com\""}}};
  for (const char* reason : {"eve@example.com called", "test order"}) {
    static_cast<void>(desk.discard({}, reason, {}));
    static_cast<void>(desk.undo({}, {}));
  }
  EXPECT_EQ(desk.count_erasable(of_eve).cleared_reasons, 1);
  const auto result = desk.erase(of_eve, {});
  EXPECT_EQ(result.progress.changed, 0);
  EXPECT_EQ(result.cleared_reasons, 1);
  EXPECT_THAT(all_bytes(), Not(HasSubstr("eve@example.com")));
  EXPECT_THAT(audit(), HasSubstr("test order"));
  EXPECT_THAT(audit(), HasSubstr(R"(erase 0 {"where":["/email"]})"));
}

TEST_F(ErasureTest, LeavesWhatOtherVerbsNoted) {
  auto desk = operations();
  desk.backup(folder_.path("1.db"));
  static_cast<void>(desk.edit(1, {{"a", 1}}));
  EXPECT_EQ(desk.erase({.where = {{"/a", "1"}}}, {}).cleared_reasons, 0);
  EXPECT_EQ(reader().known_backups().size(), 1U);
  EXPECT_THAT(audit(), HasSubstr("letter 4"));
}

TEST_F(ErasureTest, AnEmptyValueIsInNoReason) {
  auto desk = operations();
  static_cast<void>(desk.discard({.ids = {{1}}}, "test order", {}));
  EXPECT_EQ(desk.erase({.where = {{"/email", ""}}}, {}).cleared_reasons, 0);
}

TEST_F(ErasureTest, RecordsWhatWentBesideARunningVersion) {
  auto desk = operations();
  const auto second = desk.edit(1, {{"a", 1}});
  run(static_cast<int>(second.id));
  const auto result = desk.erase({.ids = {{1, second.id}}}, {});
  EXPECT_EQ(result.progress.changed, 1);
  EXPECT_EQ(result.progress.running, 1);
  EXPECT_THAT(audit(), HasSubstr("erase 1 "));
}

TEST_F(ErasureTest, CountsEditedVersionsOnce) {
  auto desk = operations();
  const auto second = desk.edit(1, {{"a", 1}});
  const auto third = desk.edit(second.id, {{"a", 2}});
  // Each of the three leads to the others.
  const Filter all{.ids = {{1, second.id, third.id, 2}}};
  EXPECT_EQ(desk.count_erasable(all).progress.changed, 4);
  EXPECT_EQ(desk.count_erasable({.ids = {{third.id}}}).progress.changed, 3);
  EXPECT_EQ(desk.erase(all, {}).progress.changed, 4);
}

TEST_F(ErasureTest, CountingStopsWhenAsked) {
  int counted = 0;
  const Watch watch{.progress = [&](const Progress&) { ++counted; }, .stop = [&] { return counted == 2; }};
  const auto result = operations().count_erasable({}, watch);
  EXPECT_FALSE(result.progress.complete);
  EXPECT_EQ(result.progress.changed, 2);
}

TEST_F(ErasureTest, CountingStopsWhileItSearches) {
  store_letters(4, 3'000);
  const Watch watch{.stop = [] { return true; }};
  EXPECT_FALSE(operations().count_erasable({.where = {{"/nothing", "matches"}}}, watch).progress.complete);
}

TEST_F(ErasureTest, CountsARunningVersionOnce) {
  auto desk = operations();
  const auto second = desk.edit(1, {{"a", 1}});
  run(static_cast<int>(second.id));
  const auto erasable = desk.count_erasable({.ids = {{1, second.id}}});
  EXPECT_EQ(erasable.progress.changed, 1);
  EXPECT_EQ(erasable.progress.running, 1);
}

}  // namespace
}  // namespace tidings::deadletter
