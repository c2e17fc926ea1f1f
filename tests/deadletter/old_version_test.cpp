#include "deadletter/old_version.hpp"
#include "deadletter/store_fixture.hpp"
#include "schema/schema.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/operations.hpp>
#include <tidings/logging/capture.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* kVersionQuery = "SELECT value FROM tidings_meta WHERE key = 'schema_version'";
constexpr const char* kIdQuery = "SELECT value FROM tidings_meta WHERE key = 'database_id'";
constexpr const char* kSchemaQuery =
    "SELECT group_concat(name || sql, ';') FROM (SELECT * FROM sqlite_schema ORDER BY name)";

/// A database of each version before this one.
class OldVersionTest : public StoreTest, public testing::WithParamInterface<int> {
 protected:
  OldVersionTest() { make_old_database(database(), GetParam()); }

  [[nodiscard]] std::filesystem::path copy() const {
    return database().native() + ".before-v" + std::to_string(kSchemaVersion) + ".bak";
  }
};

TEST_P(OldVersionTest, IsMigratedWithItsLettersAndKeepsACopy) {
  ASSERT_EQ(query(kVersionQuery), std::to_string(GetParam()));
  const auto letters = query("SELECT count(*) FROM dead_letters");
  const auto unresolved = query("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL");
  const auto service = open();
  EXPECT_EQ(query(kVersionQuery), std::to_string(kSchemaVersion));
  EXPECT_EQ(query("PRAGMA user_version"), std::to_string(kSchemaVersion));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters_readable"), letters);
  EXPECT_EQ(query("SELECT sum(unresolved) FROM tidings_causes"), unresolved);
  EXPECT_THAT(places(store(*service, {letter(1000)})), ElementsAre(Place::Stored));
  EXPECT_EQ(Reader::open(database()).list({}, 100).letters.size(), std::stoul(letters) + 1);
  EXPECT_EQ(mode_of(copy()), 0600U);
}

TEST_P(OldVersionTest, BecomesTheSameAsANewOne) {
  static_cast<void>(open());
  const auto migrated = query(kSchemaQuery);
  std::filesystem::remove(database());
  static_cast<void>(open());
  EXPECT_EQ(query(kSchemaQuery), migrated);
}

TEST_P(OldVersionTest, GetsAnIdThatItKeeps) {
  static_cast<void>(open());
  const auto id = query(kIdQuery);
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  open()->backup(folder_.path("copy.db"));
  EXPECT_EQ(query(kIdQuery), id);
  EXPECT_EQ(SQLite::Database(folder_.path("copy.db")).execAndGet(kIdQuery).getString(), id);
}

TEST_P(OldVersionTest, IsNotChangedByTools) {
  const auto before = contents_of(folder_.path());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                       [&] {
                         static_cast<void>(Operations::open(database(), {"ann", "desk"}));
                       }),
              HasSubstr("start the service, which migrates it"));
  EXPECT_EQ(contents_of(folder_.path()), before);
}

INSTANTIATE_TEST_SUITE_P(Versions, OldVersionTest, testing::Values(1, 2),
                         [](const auto& version) { return std::to_string(version.param); });

/// Version 2, which is read without being migrated.
class SecondVersionTest : public StoreTest {
 protected:
  SecondVersionTest() { make_old_database(database(), 2); }
};

TEST_F(SecondVersionTest, IsReadAndNotChanged) {
  const auto before = contents_of(folder_.path());
  {
    auto reader = Reader::open(database());
    EXPECT_EQ(reader.count({}), 7);
    EXPECT_EQ(reader.count({.resolved = false}), 5);
    EXPECT_EQ(reader.count({.event_type = "orders.order_placed"}), 6);
    EXPECT_EQ(reader.list({.event_type = "orders.order_placed", .resolved = true}, 10).letters.size(), 2U);
    EXPECT_EQ(reader.find(5)->letter.ordering_key, "customer-7");
    EXPECT_EQ(reader.groups({.resolved = false}, 10).size(), 2U);
    EXPECT_EQ(reader.statistics({}).letters, 7);
    EXPECT_EQ(reader.journal_backlog().events, 1);
    const auto examination = reader.examine(true);
    EXPECT_EQ(examination.schema_version, 2);
    EXPECT_TRUE(examination.damage.empty());
    EXPECT_EQ(examination.database_id, "");
  }
  EXPECT_EQ(contents_of(folder_.path()), before);
}

TEST_F(SecondVersionTest, IsReadOnByAReaderThatHadItOpenWhenItWasMigrated) {
  auto reader = Reader::open(database());
  const Filter of_type{.event_type = "orders.order_placed"};
  EXPECT_EQ(reader.count(of_type), 6);
  static_cast<void>(store(*open(), {letter(1000)}));
  EXPECT_EQ(reader.count(of_type), 7);
  EXPECT_EQ(reader.list(of_type, 10).letters.size(), 7U);
}

TEST_F(SecondVersionTest, OwesAfterItsMigrationWhatItOwedBefore) {
  const logging::Capture capture;
  Bus bus({.service = "shop",
           .store = open(),
           .durability = Durability::ProcessCrash,
           .logger = capture.logger()});
  std::atomic<int> handled = 0;
  const auto subscription = bus.subscribe("shop.placed", "bill", [&](const Json&) { ++handled; });
  EXPECT_TRUE(bus.wait_idle(std::chrono::hours(3)));
  EXPECT_EQ(handled, 1);
}

}  // namespace
}  // namespace tidings::deadletter
