#include "deadletter/store_fixture.hpp"

#include <sys/stat.h>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kForeignSchema =
    "SELECT group_concat(type || name || sql, ';') FROM sqlite_schema WHERE name NOT LIKE 'dead_letters%'"
    " AND name NOT LIKE 'tidings_%' AND name NOT LIKE 'sqlite_%'";

class AdoptionTest : public StoreTest {
 protected:
  const StoreOptions kAdopt{.adopt = true};

  void make_application(const std::string& more = "") const {
    execute(
        "PRAGMA journal_mode = WAL; CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ann');"
        "PRAGMA application_id = 77; PRAGMA user_version = 5;" +
        more);
    static_cast<void>(::chmod(database().c_str(), 0640));
  }
};

TEST_F(AdoptionTest, AddsTablesAndTouchesNothingElse) {
  make_application();
  const auto schema = query(kForeignSchema);
  EXPECT_THAT(places(store(*open(kAdopt), {letter(1)})), ElementsAre(Place::Stored));
  EXPECT_EQ(query("PRAGMA application_id"), "77");
  EXPECT_EQ(query("PRAGMA user_version"), "5");
  EXPECT_EQ(query("SELECT name FROM users"), "ann");
  EXPECT_EQ(query(kForeignSchema), schema);
  EXPECT_EQ(mode_of(database()), 0640U);
  EXPECT_EQ(Reader::open(database()).count({}), 1);
}

TEST_F(AdoptionTest, IsNeededOnlyOnce) {
  make_application();
  static_cast<void>(open(kAdopt));
  EXPECT_THAT(places(store(*open(), {letter(1)})), ElementsAre(Place::Stored));
  EXPECT_EQ(query("PRAGMA application_id"), "77");
}

TEST_F(AdoptionTest, WorksWhileTheApplicationHasItsDatabaseOpen) {
  SQLite::Database application(database().native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  application.exec("PRAGMA journal_mode = WAL; CREATE TABLE users (name TEXT)");
  const auto opened = open(kAdopt);
  EXPECT_THAT(places(store(*opened, {letter(1)})), ElementsAre(Place::Stored));
  application.exec("INSERT INTO users VALUES ('bob')");
  EXPECT_EQ(Reader::open(database()).count({}), 1);
  EXPECT_THAT(places(store(*open(), {letter(2)})), ElementsAre(Place::Stored));
}

TEST_F(AdoptionTest, RefusesADatabaseThatIsNotInWalModeAndLeavesItSo) {
  make_application("PRAGMA journal_mode = DELETE");
  const auto before = contents_of(folder_.path());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open(kAdopt)); }),
              HasSubstr("PRAGMA journal_mode=WAL"));
  EXPECT_EQ(contents_of(folder_.path()), before);
}

TEST_F(AdoptionTest, RefusesAnAdoptedDatabaseThatLeftWalMode) {
  make_application();
  static_cast<void>(open(kAdopt));
  execute("PRAGMA journal_mode = DELETE");
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
              HasSubstr("not in WAL mode"));
}

TEST_F(AdoptionTest, RefusesADatabaseWithATableOfTheSameName) {
  make_application("CREATE TABLE Dead_Letters (mine INTEGER)");
  const auto before = contents_of(folder_.path());
  EXPECT_THAT(error_of(ErrorCode::ForeignDatabase, [&] { static_cast<void>(open(kAdopt)); }),
              HasSubstr("Dead_Letters"));
  EXPECT_EQ(contents_of(folder_.path()), before);
}

TEST_F(AdoptionTest, OfAFileThatIsMissingLeavesTheMarksToTheApplication) {
  EXPECT_THAT(places(store(*open(kAdopt), {letter(1)})), ElementsAre(Place::Stored));
  EXPECT_EQ(query("PRAGMA application_id"), "0");
  EXPECT_EQ(query("PRAGMA user_version"), "0");
  EXPECT_EQ(mode_of(database()), 0600U);
}

TEST_F(AdoptionTest, MigratesWithoutACopyAndWithoutMarks) {
  make_application();
  static_cast<void>(open(kAdopt));
  StoreInternals next;
  next.schema_version = kSchemaVersion + 1;
  next.migrations = {{kSchemaVersion, {"ALTER TABLE dead_letters ADD COLUMN note TEXT"}}};
  static_cast<void>(open_store(database(), {}, next));
  EXPECT_EQ(query("SELECT value FROM tidings_meta WHERE key = 'schema_version'"),
            std::to_string(kSchemaVersion + 1));
  EXPECT_EQ(query("PRAGMA user_version"), "5");
  EXPECT_FALSE(std::filesystem::exists(database().native() + ".before-v" +
                                       std::to_string(kSchemaVersion + 1) + ".bak"));
}

}  // namespace
}  // namespace tidings::deadletter
