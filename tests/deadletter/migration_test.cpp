#include "deadletter/store_fixture.hpp"

#include <sys/wait.h>

#include <csignal>

namespace tidings::deadletter {
namespace {

using faults::Fault;
using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

constexpr const char* kVersion = "SELECT value FROM tidings_meta WHERE key = 'schema_version'";

class MigrationTest : public StoreTest {
 protected:
  MigrationTest() { static_cast<void>(store(*open(), letters(1, 20))); }

  static constexpr int kNext = kSchemaVersion + 1;

  [[nodiscard]] std::filesystem::path backup() const {
    return database().native() + ".before-v" + std::to_string(kNext) + ".bak";
  }

  /// A tidings of the future, where the schema is one version on, or, with a broken step, two.
  [[nodiscard]] static StoreInternals future(int version = kNext) {
    StoreInternals internals;
    internals.vfs = FaultyVfs::kName;
    internals.schema_version = version;
    internals.migrations = {
        {kSchemaVersion,
         {"ALTER TABLE dead_letters ADD COLUMN note TEXT", "UPDATE dead_letters SET note = 'old'"}},
        {kNext, {"CREATE TABLE more (id INTEGER PRIMARY KEY)", "INSERT INTO no_such_table VALUES (1)"}}};
    return internals;
  }
  void migrate(int version = kNext) const {
    static_cast<void>(FaultyVfs::instance());
    static_cast<void>(open_store(database(), {}, future(version)));
  }
  void expect_as_it_was() const {
    EXPECT_EQ(query(kVersion), std::to_string(kSchemaVersion));
    EXPECT_EQ(query("PRAGMA user_version"), std::to_string(kSchemaVersion));
    EXPECT_EQ(query("SELECT count(*) FROM pragma_table_info('dead_letters') WHERE name = 'note'"), "0");
    EXPECT_EQ(query("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(stored_events().size(), 20U);
    EXPECT_THAT(places(store(*open(), {letter(21)})), testing::ElementsAre(Place::Stored));
  }
};

TEST_F(MigrationTest, BringsAnOlderDatabaseUpAndKeepsACopy) {
  migrate();
  EXPECT_EQ(query(kVersion), std::to_string(kNext));
  EXPECT_EQ(query("PRAGMA user_version"), std::to_string(kNext));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE note = 'old'"), "20");
  EXPECT_EQ(mode_of(backup()), 0600U);
  EXPECT_EQ(Reader::open(backup()).count({}), 20);
  EXPECT_THAT(contents_of(folder_.path()), Not(Contains(Key(HasSubstr("unfinished")))));
}

TEST_F(MigrationTest, CopiesWhatIsStillInTheWal) {
  const auto service = open();
  static_cast<void>(store(*service, letters(21, 25)));
  migrate();
  EXPECT_EQ(Reader::open(backup()).count({}), 25);
}

TEST_F(MigrationTest, HappensOnce) {
  migrate();
  const auto copy = read_file(backup());
  static_cast<void>(open_store(database(), {}, future()));
  EXPECT_EQ(read_file(backup()), copy);
}

TEST_F(MigrationTest, ThatFailsLeavesTheOriginalAsItWas) {
  EXPECT_THAT(
      error_of(ErrorCode::DatabaseUnusable, [&] { migrate(kNext + 1); }),
      testing::AllOf(HasSubstr("nothing was changed"), HasSubstr("no_such_table"), HasSubstr("orders.db")));
  expect_as_it_was();
}

TEST_F(MigrationTest, WithAStepMissingIsRefused) {
  StoreInternals internals;
  internals.schema_version = kNext;
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                       [&] { static_cast<void>(open_store(database(), {}, internals)); }),
              HasSubstr("no step from its schema version " + std::to_string(kSchemaVersion)));
  EXPECT_FALSE(std::filesystem::exists(backup()));
  expect_as_it_was();
}

TEST_F(MigrationTest, ThatCannotWriteItsCopyDoesNotBegin) {
  std::filesystem::create_directory(backup());
  write_file(backup() / "in the way", "");
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { migrate(); }), HasSubstr("nothing was migrated"));
  expect_as_it_was();
}

TEST_F(MigrationTest, ThatMeetsAFullDiskAtAnyWriteLeavesTheOriginalAsItWas) {
  int failed = 0;
  for (int nth = 1;; ++nth) {
    static_cast<void>(FaultyVfs::instance());
    const ScopedFault fault(Fault{.operations = {Operation::Write, Operation::Sync, Operation::Truncate},
                                  .nth = nth,
                                  .sqlite_code = SQLITE_FULL,
                                  .lasting = true});
    try {
      migrate();
      break;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::DatabaseUnusable);
      ++failed;
    }
    ASSERT_EQ(query(kVersion), std::to_string(kSchemaVersion)) << nth;
  }
  EXPECT_GT(failed, 20);
  EXPECT_EQ(query(kVersion), std::to_string(kNext));
}

TEST_F(MigrationTest, ThatIsKilledAtAnyPointHappenedWhollyOrNotAtAll) {
  bool killed = true;
  for (int nth = 1; killed; ++nth) {
    const int status = run_in_child([&] {
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync, Operation::Truncate, Operation::Delete},
           .nth = nth,
           .fatal = true});
      migrate();
      return true;
    });
    killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const auto version = query(kVersion);
    const auto columns = query("SELECT count(*) FROM pragma_table_info('dead_letters') WHERE name = 'note'");
    ASSERT_EQ(columns, version == std::to_string(kNext) ? "1" : "0") << nth;
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok");
    ASSERT_EQ(query("SELECT count(*) FROM dead_letters"), "20");
    if (version == std::to_string(kNext)) return;
  }
  FAIL() << "the migration never went through";
}

}  // namespace
}  // namespace tidings::deadletter
