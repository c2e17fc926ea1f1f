#include <tidings/error.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include "telemetry/sample_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace tidings::telemetry::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class MetricsFileTest : public ::testing::Test {
 protected:
  MetricsFileTest() {
    std::string pattern = (fs::temp_directory_path() / "tidings-metrics-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~MetricsFileTest() override { fs::remove_all(folder_); }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  [[nodiscard]] std::string text() const {
    std::ifstream stream(path());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] fs::path path() const { return folder_ / "shop.prom"; }

  fs::path folder_;
};

ErrorCode refusal(const fs::path& path, std::string& message) {
  try {
    write_metrics_file(path, sample_metrics());
  } catch (const Error& error) {
    message = error.what();
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode{};
}

TEST_F(MetricsFileTest, HasTheTextIsReadableForAllAndReplacesAnOlderOne) {
  const mode_t before = ::umask(077);
  write_metrics_file(path(), sample_metrics());
  Metrics later = sample_metrics();
  later.letters.spilled = 77;
  write_metrics_file(path(), later);
  ::umask(before);
  std::ostringstream expected;
  write_metrics(expected, later, MetricsFormat::PrometheusText);
  EXPECT_EQ(text(), expected.str());
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms(0644));
  EXPECT_EQ(files(), 1);
}

TEST_F(MetricsFileTest, ReplacesASymbolicLinkAndNotWhatItNames) {
  std::ofstream(folder_ / "precious") << "untouched";
  fs::create_symlink(folder_ / "precious", path());
  write_metrics_file(path(), sample_metrics());
  EXPECT_FALSE(fs::is_symlink(path()));
  EXPECT_EQ(fs::file_size(folder_ / "precious"), 9U);
}

TEST_F(MetricsFileTest, WithAnotherNameIsRefused) {
  std::string message;
  for (const char* name : {"shop.txt", "shop", ".prom", ""})
    EXPECT_EQ(refusal(folder_ / name, message), ErrorCode::InvalidArgument) << name;
  EXPECT_EQ(files(), 0);
}

TEST_F(MetricsFileTest, ThatCannotBeWrittenLeavesNothingBehind) {
  std::string message;
  EXPECT_EQ(refusal(folder_ / "missing" / "shop.prom", message), ErrorCode::DatabaseUnusable);
  EXPECT_THAT(message, HasSubstr("No such file or directory"));
  fs::create_directory(path());
  EXPECT_EQ(refusal(path(), message), ErrorCode::DatabaseUnusable);
  EXPECT_THAT(message, HasSubstr("rename"));
  EXPECT_EQ(files(), 1);
}

/// What a full disk, a quota and a limit of file sizes have in common: a part can be written, and no more.
TEST_F(MetricsFileTest, WithoutRoomForItTheOldOneStaysWholeAndNothingElseIsLeft) {
  write_metrics_file(path(), sample_metrics());
  const std::string before = text();
  for (const std::size_t room : {before.size() / 2, std::size_t{0}}) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{room, room};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      std::string message;
      const bool refused = refusal(path(), message) == ErrorCode::DatabaseUnusable;
      const bool helpful = message.find("File too large; free some space there") != std::string::npos;
      ::_exit(refused && helpful ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text(), before);
    EXPECT_EQ(files(), 1);
  }
}

}  // namespace
}  // namespace tidings::telemetry::test
