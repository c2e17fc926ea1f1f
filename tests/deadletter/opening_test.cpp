#include "deadletter/store_fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <limits>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// What is wrong with the path, and that nothing was changed there.
class OpeningTest : public StoreTest {
 protected:
  [[nodiscard]] std::string refusal(ErrorCode code, const std::filesystem::path& path,
                                    const StoreOptions& options = {}) const {
    const auto before = contents_of(folder_.path());
    const auto message = error_of(code, [&] { static_cast<void>(Store::open(path, options)); });
    EXPECT_EQ(contents_of(folder_.path()), before);
    EXPECT_THAT(message, HasSubstr(path.filename().native()));
    return message;
  }
  [[nodiscard]] std::string refusal(ErrorCode code, const StoreOptions& options = {}) const {
    return refusal(code, database(), options);
  }
  void damage(std::streamoff offset, const std::string& bytes) const {
    std::fstream file(database(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }
  /// Runs `body` as a user whom the modes of files restrict, which they do not for root.
  [[nodiscard]] bool as_other_user(const std::function<void()>& body) const {
    static_cast<void>(::chmod(folder_.path().c_str(), 0755));
    return succeeded(run_in_child([&] {
      if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
      body();
      return true;
    }));
  }
};

TEST_F(OpeningTest, RefusesAFolderThatIsMissing) {
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable, folder_.path("none") / "orders.db"),
              HasSubstr("create it first"));
}

TEST_F(OpeningTest, RefusesAFolderThatIsAFile) {
  write_file(folder_.path("file"), "");
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable, folder_.path("file") / "orders.db"),
              HasSubstr("not a folder"));
}

TEST_F(OpeningTest, RefusesADirectory) {
  std::filesystem::create_directory(database());
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("is a directory; give the path of a file"));
}

TEST_F(OpeningTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo(database().c_str(), 0600), 0);
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("not a regular file"));
}

TEST_F(OpeningTest, RefusesAnEmptyPathAndOneWithANul) {
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [] { static_cast<void>(Store::open("")); }),
              HasSubstr("give a file name"));
  const std::string nul("a\0b", 3);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(Store::open(nul)); }),
              HasSubstr("a\\x00b"));
}

TEST_F(OpeningTest, RefusesANameThatIsTooLong) {
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable,
                             [&] { static_cast<void>(Store::open(folder_.path(std::string(300, 'x')))); }));
}

TEST_F(OpeningTest, RefusesWhatIsNotSqlite) {
  write_file(database(), std::string(5000, 'x'));
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("not an SQLite database"));
}

TEST_F(OpeningTest, RefusesAShortTextFile) {
  write_file(database(), "notes\n");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("not an SQLite database"));
}

TEST_F(OpeningTest, RefusesAnotherApplicationsDatabase) {
  execute("CREATE TABLE users (name TEXT); PRAGMA application_id = 77");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("application_id 77"));
}

TEST_F(OpeningTest, RefusesAnotherApplicationsDatabaseInWalMode) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE users (name TEXT)");
  EXPECT_THAT(refusal(ErrorCode::ForeignDatabase), HasSubstr("StoreOptions::adopt"));
}

TEST_F(OpeningTest, RefusesAnotherApplicationsDatabaseWhileItIsInUse) {
  SQLite::Database owner(database().native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  owner.exec("PRAGMA journal_mode = WAL; CREATE TABLE users (name TEXT)");
  const auto wal = read_file(database().native() + "-wal");
  EXPECT_THAT(error_of(ErrorCode::ForeignDatabase, [&] { static_cast<void>(open()); }),
              HasSubstr("another application"));
  EXPECT_EQ(read_file(database().native() + "-wal"), wal);
  EXPECT_FALSE(std::filesystem::exists(spill()));
}

TEST_F(OpeningTest, RefusesAnEmptyDatabaseThatSomebodyMarked) {
  execute("PRAGMA application_id = 77");
  static_cast<void>(refusal(ErrorCode::ForeignDatabase));
}

TEST_F(OpeningTest, RefusesANewerSchema) {
  static_cast<void>(open());
  execute("UPDATE tidings_meta SET value = '99' WHERE key = 'schema_version'; PRAGMA user_version = 99");
  EXPECT_THAT(refusal(ErrorCode::NewerSchema), HasSubstr("run the newer tidings"));
}

TEST_F(OpeningTest, RefusesATruncatedDatabase) {
  static_cast<void>(open());
  std::filesystem::resize_file(database(), std::filesystem::file_size(database()) - 4096);
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("damaged"));
}

TEST_F(OpeningTest, RefusesADatabaseWhoseSchemaPageIsDamaged) {
  static_cast<void>(open());
  damage(100, std::string(200, '\xff'));
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("damaged"));
}

TEST_F(OpeningTest, RefusesADatabaseThatLostItsVersion) {
  static_cast<void>(open());
  execute("UPDATE tidings_meta SET value = '1x' WHERE key = 'schema_version'");
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("schema_version"));
  execute("DROP TABLE tidings_meta");
  EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("lost its tables"));
}

TEST_F(OpeningTest, RefusesADatabaseThatLostItsLetters) {
  static_cast<void>(open());
  execute("DROP VIEW dead_letters_readable; DROP TABLE dead_letters");
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }));
}

TEST_F(OpeningTest, RefusesAFileThatThisUserMayNotRead) {
  static_cast<void>(open());
  EXPECT_TRUE(as_other_user([&] {
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
                HasSubstr("may not read it; run as the service's user or group"));
  }));
}

TEST_F(OpeningTest, RefusesAFileThatIsReadOnly) {
  static_cast<void>(open());
  static_cast<void>(::chmod(database().c_str(), 0444));
  static_cast<void>(::chmod(folder_.path().c_str(), 0777));
  EXPECT_TRUE(succeeded(run_in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
    EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("read-only for this user"));
    return true;
  })));
}

TEST_F(OpeningTest, RefusesAFolderThatThisUserMayNotWrite) {
  EXPECT_TRUE(as_other_user([&] {
    if (::geteuid() != 65534) static_cast<void>(::chmod(folder_.path().c_str(), 0555));
    EXPECT_THAT(refusal(ErrorCode::DatabaseUnusable), HasSubstr("may not create files in its folder"));
  }));
  static_cast<void>(::chmod(folder_.path().c_str(), 0755));
}

TEST_F(OpeningTest, SaysThatAnotherProcessHoldsTheDatabase) {
  static_cast<void>(open());
  SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  const StoreOptions options{.busy_timeout = std::chrono::milliseconds(1),
                             .spill_path = folder_.path("other.jsonl")};
  EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { static_cast<void>(open(options)); }),
              HasSubstr("another process holds the database"));
}

TEST_F(OpeningTest, TakesAnEmptyFileAsNew) {
  write_file(database(), "");
  static_cast<void>(::chmod(database().c_str(), 0644));
  EXPECT_THAT(places(store(*open(), {letter(1)})), ElementsAre(Place::Stored));
  EXPECT_EQ(mode_of(database()), 0600U);
}

TEST_F(OpeningTest, TakesADatabaseWithoutTablesAsNew) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE gone (x); DROP TABLE gone");
  EXPECT_THAT(places(store(*open(), {letter(1)})), ElementsAre(Place::Stored));
}

class ModeTest : public OpeningTest, public testing::WithParamInterface<mode_t> {};

TEST_P(ModeTest, IsTheSameForEveryFileWhateverTheUmask) {
  const mode_t before = ::umask(GetParam());
  const auto private_store = open();
  const auto shared_store = Store::open(folder_.path("shared.db"), {.file_mode = 0660});
  static_cast<void>(store(*private_store, {letter(1)}));
  static_cast<void>(store(*shared_store, {letter(1)}));
  ::umask(before);
  for (const char* file : {"", "-wal", "-shm", ".spill.jsonl"}) {
    EXPECT_EQ(mode_of(database().native() + file), 0600U) << file;
    EXPECT_EQ(mode_of(folder_.path("shared.db").native() + file), 0660U) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Umasks, ModeTest, testing::Values(0, 022, 077, 0177));

TEST_F(OpeningTest, RefusesOptionsOutOfBounds) {
  const auto message = [&](const StoreOptions& options) {
    const auto text = error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(open(options)); });
    EXPECT_FALSE(std::filesystem::exists(database()));
    return text;
  };
  for (const unsigned mode : {0644U, 0666U, 0661U, 0400U, 0U, 04600U, 0760U}) {
    EXPECT_THAT(message({.file_mode = mode}), HasSubstr("file_mode"));
  }
  EXPECT_THAT(message({.busy_timeout = std::chrono::milliseconds(-1)}), HasSubstr("busy_timeout"));
  EXPECT_THAT(message({.spill_reserve = std::numeric_limits<std::uint64_t>::max()}),
              HasSubstr("spill_reserve"));
  EXPECT_THAT(message({.spill_path = database()}), HasSubstr("give another spill_path"));
  EXPECT_THAT(message({.spill_path = folder_.path("") / ""}), HasSubstr("give a file name"));
}

TEST_F(OpeningTest, RefusesASpillFileThatCannotBe) {
  const auto message = [&](const std::filesystem::path& spill_path) {
    return error_of(ErrorCode::DatabaseUnusable,
                    [&] { static_cast<void>(open({.spill_path = spill_path})); });
  };
  EXPECT_THAT(message(folder_.path("none") / "spill"), HasSubstr("spill_path"));
  EXPECT_THAT(message("/dev/null"), HasSubstr("not a regular file"));
  std::filesystem::create_symlink(folder_.path("elsewhere"), folder_.path("link"));
  EXPECT_THAT(message(folder_.path("link")), HasSubstr("spill_path"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("elsewhere")));
}

TEST_F(OpeningTest, NoMessageHoldsControlCharacters) {
  const auto path = folder_.path("bad\n\x1b[31m") / "orders.db";
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(Store::open(path)); }),
              testing::AllOf(HasSubstr("bad\\x0a\\x1b[31m"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace tidings::deadletter
