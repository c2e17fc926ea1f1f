#include "deadletter/old_version.hpp"
#include "deadletter/operations_fixture.hpp"

#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Letters 1 to 3, and a relay that has seen versions 1 to 3.
class LetterVersionTest : public OperationsTest {
 protected:
  /// What changed since the last call, in the order in which it did.
  std::vector<std::int64_t> changed() {
    SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE, 5000);
    SQLite::Statement row(connection,
                          "SELECT id, version FROM dead_letters WHERE version > ? ORDER BY version");
    row.bind(1, seen_);
    std::vector<std::int64_t> ids;
    while (row.executeStep()) {
      ids.push_back(row.getColumn(0).getInt64());
      seen_ = row.getColumn(1).getInt64();
      EXPECT_TRUE(given_.insert(seen_).second) << "version " << seen_ << " was given before";
    }
    return ids;
  }

 private:
  std::int64_t seen_ = 0;
  std::set<std::int64_t> given_;
};

TEST_F(LetterVersionTest, NumbersLettersAsTheyAreStored) {
  EXPECT_THAT(changed(), ElementsAre(1, 2, 3));
  store_letters(4, 5);
  EXPECT_THAT(changed(), ElementsAre(4, 5));
  store_letters(1, 5);
  EXPECT_THAT(changed(), IsEmpty());
}

TEST_F(LetterVersionTest, EachChangeOfItsStateGivesALetterTheNextNumber) {
  static_cast<void>(changed());
  static_cast<void>(operations().redrive({.ids = {{2}}}, {}, {}));
  EXPECT_THAT(changed(), ElementsAre(2));
  execute("UPDATE dead_letters SET claimed_by = 'b/1/c', claimed_until = 5 WHERE id = 2");
  EXPECT_THAT(changed(), ElementsAre(2));
  execute("UPDATE dead_letters SET redrive_requested_at = NULL, claimed_by = NULL WHERE id = 2");
  EXPECT_THAT(changed(), ElementsAre(2));
  static_cast<void>(operations().discard({.ids = {{1, 3}}}, "known", {}));
  EXPECT_THAT(changed(), ElementsAre(1, 3));
  static_cast<void>(operations().undo({.ids = {{1}}}, {}));
  EXPECT_THAT(changed(), ElementsAre(1));
  static_cast<void>(operations().edit(1, Json{{"order_id", 11}}));
  EXPECT_THAT(changed(), ElementsAre(4, 1));
  execute("UPDATE dead_letters SET event_data = NULL, data_encoding = 'none' WHERE id = 3");
  EXPECT_THAT(changed(), ElementsAre(3));
}

TEST_F(LetterVersionTest, RenewalsOfALeaseAreNoChange) {
  run(2);
  static_cast<void>(changed());
  execute("UPDATE dead_letters SET claimed_until = claimed_until + 1, redrive_started_at = 3 WHERE id = 2");
  EXPECT_THAT(changed(), IsEmpty());
}

TEST_F(LetterVersionTest, NoNumberIsGivenTwice) {
  EXPECT_THAT(changed(), ElementsAre(1, 2, 3));
  execute("DELETE FROM dead_letters WHERE id IN (2, 3)");
  store_letters(4, 4);
  EXPECT_THAT(changed(), testing::SizeIs(1));
  execute("DELETE FROM dead_letters");
  store_letters(5, 6);
  EXPECT_THAT(changed(), testing::SizeIs(2));
}

TEST_F(LetterVersionTest, AServiceNumbersWhatAnOlderProgramInserts) {
  static_cast<void>(changed());
  execute(
      "INSERT INTO dead_letters (event_id, event_type, schema_version, data_encoding, attributes, source, "
      "handler, service, reason, error_type, error_message, error_fingerprint, correlation_id, "
      "causation_depth, published_at, failed_at, retry_count, attempts) SELECT 'x', event_type, "
      "schema_version, data_encoding, attributes, source, handler, service, reason, error_type, "
      "error_message, error_fingerprint, correlation_id, causation_depth, published_at, failed_at, "
      "retry_count, attempts FROM dead_letters WHERE id = 1");
  EXPECT_THAT(changed(), IsEmpty());
  static_cast<void>(open()->redrives()->tend("bus", std::chrono::seconds(30), failed_at(0)));
  EXPECT_THAT(changed(), ElementsAre(4));
}

TEST_F(LetterVersionTest, NumbersGoOnWhereAnotherProcessEnded) {
  static_cast<void>(changed());
  const auto first = open();
  const auto second = open();
  static_cast<void>(store(*first, letters(4, 5)));
  static_cast<void>(store(*second, letters(6, 7)));
  static_cast<void>(operations().discard({.ids = {{1}}}, "known", {}));
  static_cast<void>(store(*first, letters(8, 9)));
  EXPECT_THAT(changed(), ElementsAre(4, 5, 6, 7, 1, 8, 9));
}

TEST_F(LetterVersionTest, IsReadThroughAnIndex) {
  SQLite::Database connection(database().native(), SQLite::OPEN_READONLY);
  SQLite::Statement row(connection,
                        "EXPLAIN QUERY PLAN SELECT * FROM dead_letters WHERE version > 7 ORDER BY version");
  ASSERT_TRUE(row.executeStep());
  EXPECT_EQ(row.getColumn(3).getString(),
            "SEARCH dead_letters USING INDEX dead_letters_by_version (version>?)");
  EXPECT_FALSE(row.executeStep());
}

/// Letters that were stored before there were versions.
class MigratedVersionTest : public StoreTest, public testing::WithParamInterface<int> {
 protected:
  MigratedVersionTest() { make_old_database(database(), GetParam()); }
};

TEST_P(MigratedVersionTest, EveryLetterHasOne) {
  const auto service = open();
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE version <> id"), "0");
  const auto last = std::stoll(query("SELECT max(id) FROM dead_letters"));
  static_cast<void>(store(*service, {letter(1000)}));
  EXPECT_EQ(query("SELECT max(version) FROM dead_letters"), std::to_string(last + 1));
}

INSTANTIATE_TEST_SUITE_P(Versions, MigratedVersionTest, testing::Values(1, 2),
                         [](const auto& version) { return std::to_string(version.param); });

}  // namespace
}  // namespace tidings::deadletter
