#include "file/companions.hpp"
#include "deadletter/journal_fixture.hpp"

#include <tidings/deadletter/operations.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What no output of any tool may be: files of a database, whether they exist or not.
class CompanionsTest : public JournalTest {
 protected:
  [[nodiscard]] std::string why(const std::filesystem::path& target) const {
    const DatabaseFiles files{database(), {folder_.path("letters.spill")}};
    return why_no_output(target, std::span(&files, 1));
  }
  [[nodiscard]] std::string write_to(const std::filesystem::path& target) const {
    return error_of(ErrorCode::InvalidArgument,
                    [&] { OutputFile(target, OutputFile::Existing::Replace, {}).finish(0600); });
  }
};

TEST_F(CompanionsTest, NoFileOfADatabaseIsAnOutputByItsName) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".owner", ".unfinished", ".restoring",
                             ".spill.jsonl", ".spill.jsonl.rejected.jsonl", ".spill.jsonl.unfinished"}) {
    EXPECT_THAT(why(database().native() + suffix), HasSubstr("file of the database itself")) << suffix;
  }
  for (const char* suffix : {"", ".rejected.jsonl", ".unfinished"}) {
    EXPECT_THAT(why(folder_.path("letters.spill").native() + suffix), HasSubstr("database itself"));
  }
  EXPECT_THAT(why(folder_.path("metrics.prom")), IsEmpty());
}

TEST_F(CompanionsTest, NorByAnotherNameOfTheSameFile) {
  write_file(database().native() + ".owner", "");
  std::filesystem::create_hard_link(database().native() + ".owner", folder_.path("hard"));
  std::filesystem::create_symlink(database().native() + ".owner", folder_.path("soft"));
  std::filesystem::create_symlink(database().native() + "-wal", folder_.path("dangling"));
  std::filesystem::create_directory_symlink(folder_.path(), folder_.path("elsewhere"));
  for (const char* name : {"hard", "soft", "dangling", "elsewhere/orders.db-shm", "none/../orders.db-wal"})
    EXPECT_THAT(why(folder_.path(name)), HasSubstr("file of the database itself")) << name;
}

TEST_F(CompanionsTest, NorWhatIsNamedAfterAnotherDatabaseThatIsThere) {
  const auto other = Store::open(folder_.path("other.db"));
  EXPECT_THAT(why(folder_.path("other.db.owner")),
              HasSubstr("file of the database " + folder_.path("other.db").native()));
  EXPECT_THAT(why(folder_.path("another.db.owner")), IsEmpty());
}

TEST_F(CompanionsTest, NorWhatBeginsAsAFileOfSomeDatabase) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  static_cast<void>(store(*opened, letters(1, 3)));
  for (const auto& [suffix, kind] : std::map<std::string, std::string>{{"", "an SQLite database"},
                                                                       {"-wal", "a -wal file"},
                                                                       {"-shm", "a -shm file"},
                                                                       {".owner", "the owner file"}}) {
    std::filesystem::copy_file(database().native() + suffix, folder_.path("copy"),
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_THAT(write_to(folder_.path("copy")), HasSubstr("it is " + kind));
  }
  write_file(folder_.path("copy"), SpillHeader::make().line());
  EXPECT_THAT(write_to(folder_.path("copy")), HasSubstr("it is a spill file"));
}

TEST_F(CompanionsTest, AStoreIsNotMadeUnderTheNameOfAnothersFile) {
  const auto opened = open();
  const std::string owner = database().native() + "-journal";
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(Store::open(owner)); }),
              HasSubstr("a file of the database " + database().native()));
  EXPECT_FALSE(std::filesystem::exists(owner));
}

TEST_F(CompanionsTest, ASpillFileIsNoOtherFileOfADatabase) {
  const auto other = Store::open(folder_.path("other.db"));
  for (const auto& path : {database().native() + ".owner", database().native() + "-journal",
                           folder_.path("other.db-wal").native()}) {
    EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(open({.spill_path = path})); }),
                HasSubstr("a file of a database; give another spill_path"));
  }
}

// --- files are made new, and are nobody else's ---

TEST_F(CompanionsTest, AnOutputIsMadeNewAndGetsItsNameWhenItIsWhole) {
  const auto target = folder_.path("out");
  write_file(target, "old");
  {
    OutputFile file(target, OutputFile::Existing::Replace, {});
    file.write("new");
    EXPECT_EQ(read_file(target), "old");
    file.finish(0640);
  }
  EXPECT_EQ(read_file(target), "new");
  EXPECT_EQ(mode_of(target), 0640U);
  OutputFile(folder_.path("abandoned"), OutputFile::Existing::Refuse, {}).write("x");
  EXPECT_EQ(contents_of(folder_.path()).size(), 1U);
}

TEST_F(CompanionsTest, AnOutputThatMayNotReplaceDoesNot) {
  const auto target = folder_.path("out");
  OutputFile file(target, OutputFile::Existing::Refuse, {});
  write_file(target, "another's");
  EXPECT_THROW(file.finish(0600), std::system_error);
  EXPECT_EQ(read_file(target), "another's");
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument,
                       [&] { OutputFile(target, OutputFile::Existing::Refuse, {}).finish(0600); }),
              HasSubstr("give another name"));
}

/// Another user, as tests that run as root can make believe.
constexpr uid_t kStranger = 12'345;

class GuardedFilesTest : public CompanionsTest {
 protected:
  /// Gives the file to another user when this one is root; else makes it writable by everybody, which is as
  /// bad.
  static void give_away(const std::filesystem::path& path) {
    if (::geteuid() == 0) {
      ASSERT_EQ(::lchown(path.c_str(), kStranger, kStranger), 0);
    } else {
      ASSERT_EQ(::chmod(path.c_str(), std::filesystem::is_directory(path) ? 0777 : 0666), 0);
    }
  }
};

TEST_F(GuardedFilesTest, ABackupIsNotWrittenIntoWhatAnotherUserMadeBeforehand) {
  static_cast<void>(store(*open(), letters(1, 3)));
  const auto prepared = folder_.path("copy.db.unfinished");
  write_file(prepared, "");
  give_away(prepared);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { open()->backup(folder_.path("copy.db")); }),
              HasSubstr("not a folder of this user alone"));
  EXPECT_EQ(read_file(prepared), "");
  std::filesystem::remove(prepared);
  std::filesystem::create_directory(prepared);
  give_away(prepared);
  EXPECT_THAT(error_of(ErrorCode::InvalidArgument, [&] { open()->backup(folder_.path("copy.db")); }),
              HasSubstr("not a folder of this user alone"));
  std::filesystem::remove(prepared);
  std::filesystem::create_directory_symlink(folder_.path(), prepared);
  static_cast<void>(error_of(ErrorCode::InvalidArgument, [&] { open()->backup(folder_.path("copy.db")); }));
}

TEST_F(GuardedFilesTest, WhatABackupThatDiedLeftIsReplacedByTheNext) {
  const auto left = folder_.path("copy.db.unfinished");
  std::filesystem::create_directory(left);
  std::filesystem::permissions(left, std::filesystem::perms::owner_all);
  for (const char* name : {"copy", "copy-journal", "copy-wal"}) write_file(left / name, "left");
  const auto opened = open();
  static_cast<void>(store(*opened, letters(1, 3)));
  opened->backup(folder_.path("copy.db"));
  EXPECT_EQ(Reader::open(folder_.path("copy.db")).count({}), 3);
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(GuardedFilesTest, ASpillFileOfAnotherUserIsRefused) {
  write_file(spill(), SpillHeader::make().line() + to_json_line(letter(1)) + "\n");
  give_away(spill());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
              AllOf(HasSubstr("cannot open the spill file"), HasSubstr("look who made it")));
  std::filesystem::remove(spill());
  EXPECT_THAT(stored_events(), IsEmpty());
  EXPECT_NO_THROW(static_cast<void>(open()));
}

TEST_F(GuardedFilesTest, ASpillFileThatOthersMayWriteIsRefused) {
  static_cast<void>(open());
  for (const mode_t mode : {0666U, 0602U, 0620U}) {
    ASSERT_EQ(::chmod(spill().c_str(), mode), 0);
    static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }));
  }
  ASSERT_EQ(::chmod(spill().c_str(), 0644), 0);
  EXPECT_NO_THROW(static_cast<void>(open()));
}

TEST_F(GuardedFilesTest, WhoMayWriteTheDatabaseMayWriteItsSpillFile) {
  static_cast<void>(open({.file_mode = 0660}));
  EXPECT_EQ(mode_of(spill()), 0660U);
  EXPECT_NO_THROW(static_cast<void>(open({.file_mode = 0660})));
  if (::geteuid() != 0) return;
  for (const auto& path : {database(), spill()}) ASSERT_EQ(::chown(path.c_str(), kStranger, kStranger), 0);
  EXPECT_NO_THROW(static_cast<void>(open()));
}

/// Several services of one group, each as a user of its own.
TEST_F(GuardedFilesTest, AFileOfTheGroupThatWritesTheDatabaseIsTakenWhereOthersMayNotWrite) {
  static_cast<void>(open({.file_mode = 0660}));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(database().c_str(), kStranger, kStranger), 0);
    ASSERT_EQ(::chown(spill().c_str(), kStranger + 1, kStranger), 0);
  }
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0770), 0);
  EXPECT_NO_THROW(static_cast<void>(open()));
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  if (::geteuid() == 0)
    static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }));
}

TEST_F(GuardedFilesTest, NothingIsImportedFromAnEarlierSpillFileThatOthersMayWrite) {
  const auto earlier = folder_.path("earlier.jsonl");
  static_cast<void>(open({.spill_path = earlier}));
  write_file(earlier, SpillHeader::make().line() + to_json_line(letter(1)) + "\n");
  give_away(earlier);
  EXPECT_THAT(open()->import_spilled().problem, HasSubstr("earlier.jsonl: it belongs to another user"));
  EXPECT_THAT(stored_events(), IsEmpty());
}

TEST_F(GuardedFilesTest, WhatSqliteAndTheOwnerWouldWriteToIsNobodyElses) {
  static_cast<void>(open());
  for (const char* suffix : {"-wal", "-shm", "-journal"}) {
    const std::filesystem::path path = database().native() + suffix;
    write_file(path, "");
    give_away(path);
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
                HasSubstr(path.native() + ": it belongs to another user"));
    EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable,
                         [&] {
                           static_cast<void>(Operations::open(database(), {"mary", "host"}));
                         }),
                HasSubstr(path.native() + ": it belongs to another user"));
    std::filesystem::remove(path);
  }
  write_file(database().native() + ".owner", "");
  give_away(database().native() + ".owner");
  const auto opened = open();
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*opened)); }),
              HasSubstr(".owner: it belongs to another user"));
}

TEST_F(GuardedFilesTest, AnEmptyDatabaseThatAnotherUserMadeIsRefused) {
  write_file(database(), "");
  if (::geteuid() != 0) {
    EXPECT_NO_THROW(static_cast<void>(open()));
    return;
  }
  give_away(database());
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(open()); }),
              HasSubstr("it is empty and belongs to another user"));
}

}  // namespace
}  // namespace tidings::deadletter
