#include "check_dead_letters/prometheus_file.hpp"

#include "tools/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>

namespace tidings::check_dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PrometheusFile : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return folder_.path(name); }
  /// The error's text, empty when it worked.
  [[nodiscard]] static std::string write(const std::string& path,
                                         const std::vector<deadletter::DatabaseFiles>& databases = {}) {
    return write_prometheus_file(path, "metric 1\n", databases).value_or("");
  }

  TemporaryFolder folder_;
};

TEST_F(PrometheusFile, IsWrittenForEveryReaderWhateverTheMask) {
  const mode_t before = ::umask(0077);
  EXPECT_EQ(write(path("m.prom")), "");
  ::umask(before);
  EXPECT_EQ(read_file(path("m.prom")), "metric 1\n");
  struct stat status {};
  ASSERT_EQ(::stat(path("m.prom").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(PrometheusFile, ReplacesTheOldFileInOneStepAndLeavesNothingBeside) {
  write_file(path("m.prom"), "old");
  const int reader = ::open(path("m.prom").c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(write(path("m.prom")), "");
  char old[4] = {};
  EXPECT_EQ(::read(reader, old, 3), 3);  // who had the old file open still reads all of it
  EXPECT_STREQ(old, "old");
  ::close(reader);
  EXPECT_EQ(read_file(path("m.prom")), "metric 1\n");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"m.prom"});
}

TEST_F(PrometheusFile, MissingFolderIsNamedWithAdvice) {
  EXPECT_THAT(
      write(path("missing/m.prom")),
      HasSubstr(
          "missing/m.prom: No such file or directory; the folder must exist, and this user must be allowed"));
}

TEST_F(PrometheusFile, NothingButARegularFileIsReplaced) {
  std::filesystem::create_directory(path("folder"));
  std::filesystem::create_symlink("elsewhere", path("link"));
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  for (const std::string& target : {path("folder"), path("link"), path("fifo"), std::string("/dev/null")}) {
    EXPECT_THAT(write(target), AllOf(HasSubstr("refused to write the metrics"),
                                     HasSubstr(target + ": it is not a regular file")));
  }
  EXPECT_EQ(folder_.names().size(), 3U);
}

TEST_F(PrometheusFile, DatabaseIsNeverReplaced) {
  const std::string sqlite("SQLite format 3\0 and so on", 26);
  write_file(path("any.db"), sqlite);
  EXPECT_THAT(write(path("any.db")), HasSubstr("it is an SQLite database; give another path"));
  EXPECT_EQ(read_file(path("any.db")), sqlite);
  std::filesystem::create_directory(path("folder"));
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".owner", ".spill.jsonl"}) {
    EXPECT_THAT(write(path("folder/../orders.db") + suffix, {{path("orders.db")}}),
                HasSubstr("a file of the database"));
  }
}

TEST_F(PrometheusFile, FullDiskLeavesTheOldFileAndNothingBeside) {
  write_file(path("m.prom"), "old");
  const LimitedFileSize limit(4);
  EXPECT_THAT(write(path("m.prom")), HasSubstr("m.prom: File too large; free some space"));
  EXPECT_EQ(read_file(path("m.prom")), "old");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"m.prom"});
}

}  // namespace
}  // namespace tidings::check_dead_letters
