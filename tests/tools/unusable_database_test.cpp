#include "tools/database_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace tidings::check_dead_letters {
namespace {

using std::chrono::minutes;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

/// Databases that cannot be checked: each is UNKNOWN, with one line that names it.
class UnusableDatabase : public DatabaseTest {
 protected:
  static void expect_unknown(const std::string& database, const std::string& reason,
                             const Circumstances& circumstances = {}) {
    const ToolRun run = run_tool({"--db", database, "-t", "5"}, circumstances);
    EXPECT_EQ(run.exit_status, 3) << database;
    EXPECT_THAT(run.out, StartsWith("DEADLETTERS UNKNOWN: "));
    EXPECT_THAT(run.out, HasSubstr(database));
    EXPECT_THAT(run.out, HasSubstr(reason));
    EXPECT_EQ(run.out.find('\n'), run.out.size() - 1) << run.out;
    EXPECT_EQ(run.out.find('|'), std::string::npos) << run.out;
    EXPECT_EQ(run.err, "");
  }
};

TEST_F(UnusableDatabase, Missing) {
  expect_unknown(path("gone.db"), "there is no such file; check the path");
  EXPECT_TRUE(folder_.names().empty());  // and it was not made
}

TEST_F(UnusableDatabase, MissingFolder) { expect_unknown(path("no/such/folder.db"), "does not exist"); }

TEST_F(UnusableDatabase, Folder) { expect_unknown(folder_.path(), "directory"); }

TEST_F(UnusableDatabase, FifoDoesNotHangTheCheck) {
  ASSERT_EQ(::mkfifo(path("fifo.db").c_str(), 0666), 0);
  expect_unknown(path("fifo.db"), "fifo.db");
}

TEST_F(UnusableDatabase, NotSqlite) {
  write_file(path("notes.db"), std::string(5'000, 'x'));
  expect_unknown(path("notes.db"), "not");
  EXPECT_EQ(read_file(path("notes.db")), std::string(5'000, 'x'));
}

TEST_F(UnusableDatabase, Empty) {
  write_file(path("empty.db"), "");
  expect_unknown(path("empty.db"), "not");
  EXPECT_EQ(read_file(path("empty.db")), "");
}

TEST_F(UnusableDatabase, OfAnotherApplication) {
  SqliteConnection(path("other.db")).execute("CREATE TABLE customers (id INTEGER PRIMARY KEY)");
  const std::string before = read_file(path("other.db"));
  expect_unknown(path("other.db"), "it is another application's database");
  EXPECT_EQ(read_file(path("other.db")), before);
}

TEST_F(UnusableDatabase, OfANewerVersion) {
  const std::string database = make_database("newer.db");
  SqliteConnection(database).execute("UPDATE tidings_meta SET value = '999' WHERE key = 'schema_version'");
  expect_unknown(database, "newer");
}

TEST_F(UnusableDatabase, Truncated) {
  const std::string database = make_database("cut.db", {letter_that_failed(minutes(5))});
  std::filesystem::resize_file(database, 5'000);
  expect_unknown(database, "cut.db");
}

TEST_F(UnusableDatabase, OverwrittenWithGarbage) {
  const std::string database = make_database("bad.db", {letter_that_failed(minutes(5))});
  std::string bytes = read_file(database);
  std::fill(bytes.begin() + 100, bytes.end(), '\xa5');
  write_file(database, bytes);
  expect_unknown(database, "bad.db");
}

TEST_F(UnusableDatabase, LockedForLongerThanTheTimeout) {
  const std::string database = make_database("locked.db");
  SqliteConnection holder(database);
  holder.execute("PRAGMA locking_mode = EXCLUSIVE");
  holder.execute("BEGIN EXCLUSIVE");
  const auto start = std::chrono::steady_clock::now();
  const ToolRun run = run_tool({"--db", database, "-t", "1"});
  EXPECT_EQ(run.exit_status, 3);
  EXPECT_THAT(run.out, StartsWith("DEADLETTERS UNKNOWN: "));
  EXPECT_THAT(run.out, HasSubstr(database));
  EXPECT_THAT(run.out, AnyOf(HasSubstr("locked"), HasSubstr("busy"), HasSubstr("another process")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, minutes(1));
}

/// Access rights bind a user who is not root; root becomes another user for them.
Circumstances as_someone_else() { return {.unprivileged = ::geteuid() == 0}; }

TEST_F(UnusableDatabase, UnreadableForThisUser) {
  const std::string database = make_database("secret.db");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(database.c_str(), 0), 0);
  expect_unknown(database, "this user may not read it; run as the service's user or group",
                 as_someone_else());
}

TEST_F(UnusableDatabase, InAFolderClosedToThisUser) {
  const std::string folder = path("closed");
  std::filesystem::create_directory(folder);
  const std::string database = make_database("closed/a.db");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0), 0);
  expect_unknown(database, "a.db", as_someone_else());
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
}

TEST_F(UnusableDatabase, HostileNameCannotForgeOutput) {
  const ToolRun run = run_tool({"--db", path("evil\nDEADLETTERS OK: 0 | unresolved=0\x1b[2J.db")});
  EXPECT_EQ(run.exit_status, 3);
  EXPECT_THAT(run.out, StartsWith("DEADLETTERS UNKNOWN: "));
  EXPECT_THAT(run.out, HasSubstr("evil"));
  EXPECT_EQ(run.out.find('\n'), run.out.size() - 1) << run.out;
  EXPECT_EQ(run.out.find_first_of("|\x1b"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace tidings::check_dead_letters
