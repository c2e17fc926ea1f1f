#include "contracts/sample_letter.hpp"
#include "deadletter/operations_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace tidings::deadletter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST_F(OperationsTest, MarksLettersForOneRequest) {
  const auto result =
      operations().redrive({.ids = {{1, 3}}}, {.canary = 1, .rate = 2.5, .stop_after = 4}, {});
  EXPECT_EQ(result.progress.changed, 2);
  EXPECT_TRUE(result.progress.complete);
  EXPECT_EQ(query("SELECT group_concat(id) FROM dead_letters WHERE redrive_id = 1 AND redrive_requested_at "
                  "IS NOT NULL"),
            "1,3");
  const auto request = reader().redrive(result.id).value();
  EXPECT_EQ(request.requested_by, "ann@desk");
  EXPECT_EQ(request.letters, 2);
  EXPECT_EQ(request.canary, 1);
  EXPECT_EQ(request.rate, 2.5);
  EXPECT_EQ(request.stop_after, 4);
  EXPECT_EQ(request.state, "open");
  EXPECT_EQ(audit(), R"(retry 2 {"ids":[1,3],"resolved":false} )");
}

TEST_F(OperationsTest, DoesNotMarkWhatIsMarkedOrResolved) {
  auto desk = operations();
  static_cast<void>(desk.redrive({.ids = {{1}}}, {}, {}));
  static_cast<void>(desk.discard({.ids = {{2}}}, "", {}));
  EXPECT_EQ(desk.redrive({}, {}, {}).progress.changed, 1);
  const auto nothing_left = desk.redrive({}, {}, {});
  EXPECT_EQ(nothing_left.id, 0);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_redrives"), "2");
}

TEST_F(OperationsTest, GoesOnMarkingWhenTheServiceFinishedWhatWasMarked) {
  store_letters(4, 5'100);
  const Watch finish{.progress = [&](const Progress&) {
    execute(
        "UPDATE dead_letters SET redrive_requested_at = NULL; UPDATE tidings_redrives SET state = "
        "'finished'");
  }};
  const auto result = operations().redrive({}, {}, finish);
  EXPECT_EQ(result.progress.changed, 5'100);
  EXPECT_EQ(query("SELECT letters FROM tidings_redrives"), "5100");
}

TEST_F(OperationsTest, StopsMarkingWhenTheServiceStoppedTheRequest) {
  store_letters(4, 5'100);
  const Watch stop{
      .progress = [&](const Progress&) { execute("UPDATE tidings_redrives SET state = 'stopped'"); }};
  const auto result = operations().redrive({}, {}, stop);
  EXPECT_TRUE(result.stopped);
  EXPECT_FALSE(result.progress.complete);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE redrive_id IS NOT NULL"),
            std::to_string(result.progress.changed));
}

TEST_F(OperationsTest, StopsBetweenBatchesWhenAsked) {
  store_letters(4, 5'100);
  int batches = 0;
  const Watch watch{.progress = [&](const Progress&) { ++batches; }, .stop = [&] { return batches > 0; }};
  const auto progress = operations().discard({}, "", watch);
  EXPECT_FALSE(progress.complete);
  EXPECT_LT(progress.changed, 5'100);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE resolution = 'discarded'"),
            std::to_string(progress.changed));
  EXPECT_EQ(query("SELECT letters FROM tidings_audit"), std::to_string(progress.changed));
}

TEST_F(OperationsTest, KilledBetweenBatchesItLeavesWholeBatches) {
  store_letters(4, 5'100);
  const Watch deadly{.progress = [](const Progress&) { ::kill(::getpid(), SIGKILL); }};
  const int status = run_in_child([&] {
    static_cast<void>(operations().redrive({}, {}, deadly));
    return true;
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  const auto marked =
      query("SELECT count(*) FROM dead_letters WHERE redrive_id = 1 AND redrive_requested_at > 0");
  EXPECT_NE(marked, "0");
  EXPECT_EQ(query("SELECT letters FROM tidings_redrives"), marked);
  EXPECT_EQ(query("SELECT letters FROM tidings_audit"), marked);
  EXPECT_EQ(operations().redrive({}, {}, {}).progress.changed, 5'100 - std::stoll(marked));
}

TEST_F(OperationsTest, LeavesLettersThatComeMeanwhile) {
  store_letters(4, 5'100);
  const Watch late{.progress = [&](const Progress&) {
    execute(
        "INSERT INTO dead_letters (event_id, event_type, schema_version, data_encoding, attributes, source,"
        " handler, service, reason, error_type, error_message, error_fingerprint, correlation_id,"
        " causation_depth, published_at, failed_at, retry_count, attempts) SELECT hex(randomblob(16)), 'a',"
        " 1, 'none', '{}', 's', 'h', 's', 'exhausted', '', '', '', 'c', 0, 0, failed_at, 0, '[]' FROM"
        " dead_letters WHERE id = 5100");
  }};
  EXPECT_EQ(operations().discard({}, "", late).changed, 5'100);
}

TEST_F(OperationsTest, KeepsTheReasonOfADiscardAndUndoesIt) {
  auto desk = operations();
  EXPECT_EQ(desk.discard({.ids = {{2}}}, "test order", {}).changed, 1);
  EXPECT_EQ(reader().find(2)->resolution, Resolution::Discarded);
  EXPECT_EQ(reader().find(2)->resolution_note, "test order");
  EXPECT_EQ(unresolved(), "1,3");
  EXPECT_EQ(desk.undo({}, {}).changed, 1);
  EXPECT_EQ(unresolved(), "1,2,3");
  EXPECT_EQ(reader().find(2)->resolution_note, "");
  EXPECT_THAT(audit(), HasSubstr(R"(discard 1 {"ids":[2],"resolved":false} test order;undo 1 )"));
}

TEST_F(OperationsTest, UndoesNothingButDiscards) {
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'reprocessed' WHERE id = 1");
  EXPECT_EQ(operations().undo({}, {}).changed, 0);
  EXPECT_EQ(audit(), "");
}

TEST_F(OperationsTest, WithdrawsTheMarkOfWhatItDiscards) {
  auto desk = operations();
  static_cast<void>(desk.redrive({}, {}, {}));
  static_cast<void>(desk.discard({.ids = {{1}}}, "", {}));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE redrive_requested_at IS NOT NULL"), "2");
}

TEST_F(OperationsTest, LeavesALetterAloneWhileItsHandlerRuns) {
  run(1);
  auto desk = operations();
  for (const auto& progress :
       {desk.discard({.ids = {{1}}}, "", {}), desk.purge({.resolved = false, .ids = {{1}}}, {}),
        desk.erase({.ids = {{1}}}, {}).progress}) {
    EXPECT_EQ(progress.running, 1);
    EXPECT_EQ(progress.changed, 0);
  }
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(desk.edit(1, {})); }),
              HasSubstr("is being delivered right now; try again"));
  EXPECT_EQ(unresolved(), "1,2,3");
  EXPECT_EQ(audit(), "");
}

TEST_F(OperationsTest, CountsWithoutWhatAHandlerIsAtWorkOn) {
  run(1);
  auto desk = operations();
  const auto erasable = desk.count_erasable({});
  EXPECT_EQ(erasable.progress.running, 1);
  EXPECT_EQ(erasable.progress.changed, 2);
  EXPECT_EQ(reader().count(desk.purgeable({.resolved = false, .running = false})), 1);
  EXPECT_EQ(reader().count({.resolved = false, .running = true}), 1);
  EXPECT_EQ(reader().count({.resolved = false, .running = false}), 2);
  EXPECT_EQ(reader().groups({.resolved = false, .running = false}, 5).front().count, 2);
}

TEST_F(OperationsTest, TakesALetterFromADeadClaim) {
  run(1, boot_id(), boot_time_now() - 1);
  run(2, "5b6a7f1e-0000-4000-8000-000000000000", boot_time_now() + 60'000'000);
  EXPECT_EQ(operations().discard({}, "", {}).changed, 3);
}

TEST_F(OperationsTest, EditMakesANewLetterWithTheHistoryOfTheOld) {
  auto original = contract::full_letter(100);
  static_cast<void>(store(*open(), {original}));
  const auto edited = operations().edit(4, {{"order_id", 43}});
  const auto letter = reader().find(edited.id).value();
  EXPECT_EQ(letter.letter.data.bytes, R"({"order_id":43})");
  EXPECT_EQ(letter.letter.metadata.event_id, edited.event_id);
  EXPECT_NE(edited.event_id, original.metadata.event_id);
  EXPECT_EQ(letter.letter.metadata.causation_id, original.metadata.event_id);
  EXPECT_EQ(letter.edited_from, original.metadata.event_id);
  EXPECT_EQ(letter.letter.metadata.correlation_id, original.metadata.correlation_id);
  contract::expect_equal_failure(letter.letter, original);
  const auto old = reader().find(4).value();
  EXPECT_EQ(old.resolution, Resolution::Superseded);
  EXPECT_THAT(old.resolution_note, HasSubstr("edited by ann@desk: letter 5"));
  EXPECT_EQ(old.letter.data.bytes, original.data.bytes);
  EXPECT_EQ(audit(), R"(edit 1 {"ids":[4]} letter 5)");
}

TEST_F(OperationsTest, EditsALetterOnce) {
  auto desk = operations();
  static_cast<void>(desk.edit(1, {{"a", 1}}));
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(desk.edit(1, {})); }),
              HasSubstr("letter 1 is superseded already; nothing was edited"));
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(desk.edit(99, {})); }),
              HasSubstr("letter 99 is gone"));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "4");
}

TEST_F(OperationsTest, PurgesResolvedLettersButTheNewest) {
  execute("UPDATE dead_letters SET reprocessed_at = id, resolution = 'reprocessed' WHERE id <> 2");
  auto desk = operations();
  EXPECT_EQ(reader().count(desk.purgeable({})), 1);
  EXPECT_EQ(desk.purge({}, {}).changed, 1);
  EXPECT_EQ(query("SELECT group_concat(id) FROM dead_letters"), "2,3");
}

TEST_F(OperationsTest, PurgesWhatWasResolvedBeforeATime) {
  execute("UPDATE dead_letters SET reprocessed_at = id, resolution = 'reprocessed'");
  EXPECT_EQ(operations().purge({.resolved_before = Timestamp(std::chrono::microseconds(2))}, {}).changed, 1);
  EXPECT_EQ(query("SELECT group_concat(id) FROM dead_letters"), "2,3");
}

TEST_F(OperationsTest, AuditNeverHoldsPersonalValues) {
  static_cast<void>(operations().discard(
      {.correlation_id = letter(1).metadata.correlation_id.to_string(), .where = {{"/order_id", "1"}}}, "",
      {}));
  EXPECT_EQ(audit(), R"(discard 1 {"correlation_id":true,"resolved":false,"where":["/order_id"]} )");
}

TEST_F(OperationsTest, ImportsLettersAndRefusesDuplicates) {
  std::vector<StoredLetter> source(3);
  source[0].letter = letter(1);
  source[1].letter = contract::full_letter(20);
  source[1].reprocessed_at = Timestamp(std::chrono::microseconds(5));
  source[1].resolution = Resolution::Discarded;
  source[1].resolution_note = "noted";
  source[2].letter = letter(21);
  source[2].edited_from = event_id(20);
  std::size_t next = 0;
  std::vector<ImportOutcome::Place> places;
  const auto progress =
      operations().import([&] { return next < source.size() ? std::optional(source[next++]) : std::nullopt; },
                          [&](const ImportOutcome& outcome) { places.push_back(outcome.place); }, {});
  using enum ImportOutcome::Place;
  EXPECT_THAT(places, ElementsAre(Duplicate, Imported, Imported));
  EXPECT_EQ(progress.changed, 2);
  contract::expect_equal_letter(reader().find(4)->letter, source[1].letter);
  EXPECT_EQ(reader().find(4)->resolution_note, "noted");
  EXPECT_EQ(reader().find(5)->edited_from, event_id(20));
  EXPECT_EQ(audit(), "import 2 {} ");
}

/// Gives letters one after the other.
auto each_of(std::vector<StoredLetter> letters) {
  return [letters = std::move(letters), next = std::size_t{0}]() mutable {
    return next < letters.size() ? std::optional(letters[next++]) : std::nullopt;
  };
}

TEST_F(OperationsTest, RehearsesAnImport) {
  using enum ImportOutcome::Place;
  std::vector<StoredLetter> source(5);
  source[0].letter = letter(2);
  source[1].letter = letter(20);
  source[2].letter = letter(20);
  source[3].letter = letter(20);
  source[3].letter.handler += "_too";
  source[4].letter = letter(20);
  source[4].letter.service += "_too";
  std::vector<std::pair<ImportOutcome::Place, std::int64_t>> outcomes;
  const auto before = query("SELECT count(*) FROM dead_letters");
  const auto progress = operations().rehearse_import(
      each_of(source),
      [&](const ImportOutcome& outcome) { outcomes.emplace_back(outcome.place, outcome.id); }, {});
  EXPECT_THAT(outcomes, ElementsAre(Pair(Duplicate, 2), Pair(Imported, 0), Pair(Duplicate, 0),
                                    Pair(Imported, 0), Pair(Imported, 0)));
  EXPECT_EQ(progress.changed, 3);
  EXPECT_TRUE(progress.complete);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), before);
  EXPECT_EQ(audit(), "");
}

TEST_F(OperationsTest, RehearsesWhatTheImportThenDoes) {
  std::vector<StoredLetter> source;
  for (std::uint64_t i = 0; i < 700; ++i) source.push_back({.letter = letter(1 + i * i % 401)});
  std::vector<ImportOutcome::Place> rehearsed;
  std::vector<ImportOutcome::Place> imported;
  auto desk = operations();
  static_cast<void>(desk.rehearse_import(
      each_of(source), [&](const ImportOutcome& outcome) { rehearsed.push_back(outcome.place); }, {}));
  static_cast<void>(desk.import(
      each_of(source), [&](const ImportOutcome& outcome) { imported.push_back(outcome.place); }, {}));
  EXPECT_EQ(rehearsed, imported);
}

TEST_F(OperationsTest, ARehearsalStopsWhenAsked) {
  int heard = 0;
  const auto progress = operations().rehearse_import(
      each_of(std::vector<StoredLetter>(3, {.letter = letter(20)})), [&](const ImportOutcome&) { ++heard; },
      {.stop = [&] { return heard == 1; }});
  EXPECT_FALSE(progress.complete);
  EXPECT_EQ(heard, 1);
}

TEST_F(OperationsTest, BacksUpToANewFileAndRemembersWhere) {
  const auto copy = folder_.path("copy.db");
  operations().backup(copy);
  EXPECT_EQ(Reader::open(copy).count({}), 3);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { operations().backup(copy); }),
              HasSubstr("already; give another name"));
  EXPECT_THAT(reader().known_backups(), ElementsAre(std::filesystem::canonical(copy).native()));
}

TEST_F(OperationsTest, CountsOfCausesFollowEveryChange) {
  // Counted letter by letter, since a time is given.
  const Filter counted{.resolved = false, .since = Timestamp()};
  const auto expect_equal_groups = [&] {
    const auto fast = reader().groups({.resolved = false}, 100);
    const auto slow = reader().groups(counted, 100);
    ASSERT_EQ(fast.size(), slow.size());
    EXPECT_EQ(reader().count({.resolved = false}), reader().count(counted));
    for (const char* service : {"orders", "billing"}) {
      EXPECT_EQ(reader().count({.service = service, .resolved = false}),
                reader().count({.service = service, .resolved = false, .since = Timestamp()}));
    }
    for (std::size_t i = 0; i < fast.size(); ++i) {
      EXPECT_EQ(fast[i].fingerprint, slow[i].fingerprint);
      EXPECT_EQ(fast[i].count, slow[i].count);
      EXPECT_EQ(fast[i].event_types, slow[i].event_types);
      EXPECT_EQ(fast[i].newest_id, slow[i].newest_id);
      EXPECT_EQ(fast[i].first_failed_at, slow[i].first_failed_at);
      EXPECT_EQ(fast[i].last_failed_at, slow[i].last_failed_at);
      EXPECT_EQ(fast[i].sample_error, slow[i].sample_error);
    }
  };
  store_letters(4, 30);
  for (const char* change :
       {"UPDATE dead_letters SET error_fingerprint = '00000000000000bb' WHERE id % 3 = 0",
        "UPDATE dead_letters SET reprocessed_at = 1, resolution = 'reprocessed' WHERE id % 4 = 0",
        "UPDATE dead_letters SET event_type = 'other', service = 'billing' WHERE id % 5 = 0",
        "UPDATE dead_letters SET reprocessed_at = NULL, resolution = NULL WHERE id % 8 = 0",
        "DELETE FROM dead_letters WHERE id % 7 = 0",
        "UPDATE dead_letters SET failed_at = failed_at + 5 WHERE id = 11", "DELETE FROM dead_letters"}) {
    execute(change);
    expect_equal_groups();
  }
  EXPECT_EQ(query("SELECT count(*) FROM tidings_causes"), "0");
}

TEST_F(OperationsTest, RefusesAPointerThatIsNone) {
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument,
                       [&] {
                         static_cast<void>(operations().discard({.where = {{"email", "x"}}}, "", {}));
                       }),
              HasSubstr("\"email\" is not a JSON pointer; write /field"));
}

}  // namespace
}  // namespace tidings::deadletter
