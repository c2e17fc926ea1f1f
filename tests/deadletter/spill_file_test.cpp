#include "deadletter/store_fixture.hpp"

#include "spill/spill_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

int fail_with(int error_number) {
  errno = error_number;
  return -1;
}

class SpillFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_.path("spill.jsonl"); }
  [[nodiscard]] SpillFile make(FileCalls calls = FileCalls::of_the_system(),
                               std::uint64_t reserve = 0) const {
    return {path(), {0600, reserve, std::chrono::milliseconds(5), calls}};
  }
  [[nodiscard]] static std::vector<std::string> append(SpillFile& spill,
                                                       const std::vector<std::string>& lines) {
    return spill.append(lines);
  }
  /// What the file holds behind its header; all of it when it has none.
  [[nodiscard]] std::string content() const {
    const std::string whole = read_file(path());
    return SpillHeader::parse(whole) ? whole.substr(SpillHeader::kSize) : whole;
  }

  TemporaryFolder folder_;
};

TEST_F(SpillFileTest, IsCreatedPrivateAndEmptyWithSpaceSetAside) {
  SpillFile spill = make(FileCalls::of_the_system(), 1024 * 1024);
  spill.open();
  struct stat facts {};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(facts.st_size, 0);
  EXPECT_GE(facts.st_blocks * 512, 1024 * 1024);
}

TEST_F(SpillFileTest, WorksWhereNoSpaceCanBeSetAside) {
  FileCalls calls = FileCalls::of_the_system();
  calls.set_aside = [](int, off_t, off_t) { return fail_with(EOPNOTSUPP); };
  SpillFile spill = make(calls, 1024);
  spill.open();
  EXPECT_THAT(append(spill, {"one"}), ElementsAre(""));
}

TEST_F(SpillFileTest, AppendsLines) {
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one", "two"}), Each(""));
  EXPECT_THAT(append(spill, {"three"}), Each(""));
  EXPECT_THAT(append(spill, {}), IsEmpty());
  EXPECT_EQ(content(), "one\ntwo\nthree\n");
}

TEST_F(SpillFileTest, KeepsWhatWasThereAndItsMode) {
  write_file(path(), "zero\n");
  ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one"}), Each(""));
  EXPECT_EQ(read_file(path()), "zero\none\n");
  EXPECT_EQ(mode_of(path()), 0640U);
}

TEST_F(SpillFileTest, BeginsALineOfItsOwnAfterOneThatWasCutOff) {
  write_file(path(), "whole\ncut o");
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one", "two"}), Each(""));
  EXPECT_EQ(read_file(path()), "whole\ncut o\none\ntwo\n");
}

TEST_F(SpillFileTest, TakesBackALineThatWasWrittenInPart) {
  FileCalls calls = FileCalls::of_the_system();
  calls.write_at = [](int file, const void* bytes, std::size_t count, off_t offset) -> ssize_t {
    if (count > 8) return ::pwrite(file, bytes, 4, offset);
    return count > 4 ? fail_with(ENOSPC) : ::pwrite(file, bytes, count, offset);
  };
  write_file(path(), "zero\n");
  SpillFile spill = make(calls);
  const auto problems = append(spill, {"one", "too long now", "two"});
  EXPECT_THAT(problems, ElementsAre("", HasSubstr("No space left on device"), ""));
  EXPECT_EQ(content(), "zero\none\ntwo\n");
}

TEST_F(SpillFileTest, CountsNothingAsSavedThatWasNotSynced) {
  FileCalls calls = FileCalls::of_the_system();
  calls.sync = [](int) { return fail_with(EIO); };
  write_file(path(), "zero\n");
  SpillFile spill = make(calls);
  EXPECT_THAT(append(spill, {"one", "two"}), Each(HasSubstr("Input/output error")));
  EXPECT_EQ(read_file(path()), "zero\n");
}

TEST_F(SpillFileTest, CountsNothingAsSavedWhenAPartCannotBeTakenBack) {
  FileCalls calls = FileCalls::of_the_system();
  calls.write_at = [](int, const void*, std::size_t, off_t) -> ssize_t { return fail_with(EIO); };
  calls.truncate = [](int, off_t) { return fail_with(EIO); };
  SpillFile spill = make(calls);
  EXPECT_THAT(append(spill, {"one", "two"}), Each(Not("")));
}

TEST_F(SpillFileTest, GoesOnAfterAnInterruptedWrite) {
  static int calls_so_far = 0;
  calls_so_far = 0;
  FileCalls calls = FileCalls::of_the_system();
  calls.write_at = [](int file, const void* bytes, std::size_t count, off_t offset) -> ssize_t {
    return calls_so_far++ == 0 ? fail_with(EINTR) : ::pwrite(file, bytes, count, offset);
  };
  SpillFile spill = make(calls);
  EXPECT_THAT(append(spill, {"one"}), Each(""));
  EXPECT_EQ(content(), "one\n");
}

TEST_F(SpillFileTest, IsMadeAnewWhenItWasRemoved) {
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one"}), Each(""));
  std::filesystem::remove(path());
  EXPECT_THAT(append(spill, {"two"}), Each(""));
  EXPECT_EQ(content(), "two\n");
  EXPECT_EQ(mode_of(path()), 0600U);
}

TEST_F(SpillFileTest, FollowsNoLinkThatTookItsPlace) {
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one"}), Each(""));
  std::filesystem::rename(path(), folder_.path("elsewhere"));
  std::filesystem::create_symlink(folder_.path("elsewhere"), path());
  std::filesystem::remove(folder_.path("elsewhere"));
  EXPECT_THAT(append(spill, {"two"}), Each(Not("")));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("elsewhere")));
}

TEST_F(SpillFileTest, GivesUpOnALockThatIsNotReleased) {
  write_file(path(), "");
  const int other = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  SpillFile spill = make();
  EXPECT_THAT(append(spill, {"one"}), Each(HasSubstr("another process has locked it")));
  ::close(other);
  EXPECT_THAT(append(spill, {"one"}), Each(""));
}

TEST_F(SpillFileTest, AppendsToTheFileThatIsAtThePathWhenItGetsTheLock) {
  write_file(path(), "");
  const int old = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(old, LOCK_EX), 0);
  SpillFile spill(path(), {});
  spill.open();
  std::thread appending([&] { EXPECT_THAT(append(spill, {"one"}), Each("")); });
  write_file(folder_.path("new.jsonl"), "zero\n");
  std::filesystem::rename(folder_.path("new.jsonl"), path());
  ::close(old);
  appending.join();
  EXPECT_EQ(read_file(path()), "zero\none\n");
}

TEST_F(SpillFileTest, LosesNoLineToOtherProcesses) {
  const auto write = [&](const std::string& name) {
    SpillFile spill(path(), {});
    for (int i = 0; i < 20; ++i) {
      if (spill.append(std::vector<std::string>{name, std::string(5000, name.front())}) !=
          std::vector<std::string>(2)) {
        return false;
      }
    }
    return true;
  };
  const pid_t one = start_child([&] { return write("a"); });
  const pid_t other = start_child([&] { return write("b"); });
  EXPECT_TRUE(succeeded(status_of(one)));
  EXPECT_TRUE(succeeded(status_of(other)));
  auto lines = lines_of(path());
  ASSERT_THAT(lines, SizeIs(81));
  lines.erase(lines.begin());
  for (const std::string& line : lines)
    EXPECT_TRUE(line.size() == 1 || line == std::string(5000, line.front()));
}

TEST_F(SpillFileTest, IsNotInheritedByPrograms) {
  SpillFile spill = make();
  spill.open();
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) != path()) continue;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0);
    return;
  }
  FAIL() << "the spill file is not open";
}

}  // namespace
}  // namespace tidings::deadletter
