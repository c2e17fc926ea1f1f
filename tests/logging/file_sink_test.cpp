#include "deadletter/temporary_folder.hpp"

#include <tidings/logging/logger.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The values of the field `n` of each line; fails for a line that is not a record.
std::vector<int> numbers_in(const fs::path& path) {
  std::vector<int> numbers;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json record = Json::parse(line, nullptr, false);
    EXPECT_TRUE(record.is_object()) << path << ": " << line;
    if (record.is_object()) numbers.push_back(record.at("n").get<int>());
  }
  return numbers;
}

/// Limits the size of files for the time of a test, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_handler_);
  }

 private:
  rlimit before_{};
  void (*before_handler_)(int) = nullptr;
};

class FileSinkTest : public testing::Test {
 protected:
  [[nodiscard]] FileSinkOptions options() const {
    FileSinkOptions options{.path = path_};
    options.clock = clock_;
    return options;
  }
  [[nodiscard]] Logger logger_to(FileSinkOptions options) const {
    return Logger(LoggerOptions{.level = Level::Info,
                                .format = Format::Json,
                                .sinks = {file_sink(std::move(options))},
                                .clock = clock_});
  }
  [[nodiscard]] fs::path rotated(int number) const { return path_.native() + "." + std::to_string(number); }
  /// Gives the file the time of the test's clock, as if it had been written then.
  void written_now() const {
    const std::int64_t now = clock_->now().time_since_epoch().count();
    const timespec time{now / 1'000'000, now % 1'000'000 * 1000};
    const timespec times[] = {time, time};
    EXPECT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  }

  const deadletter::TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "app.log";
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
};

TEST_F(FileSinkTest, AppendsToAFileThatOnlyItsOwnerMayRead) {
  logger_to(options()).info("e", {{"n", 1}});
  logger_to(options()).info("e", {{"n", 2}});
  EXPECT_EQ(numbers_in(path_), (std::vector{1, 2}));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(FileSinkTest, ALineThatAKilledProcessLeftUnfinishedIsEndedFirst) {
  std::ofstream(path_) << "{\"n\":0}\n{\"timest";
  logger_to(options()).info("e", {{"n", 1}});
  const std::string content = content_of(path_);
  EXPECT_EQ(content.find("{\"n\":0}\n{\"timest\n{\"timestamp\""), 0U) << content;
  EXPECT_EQ(content.back(), '\n');
}

TEST_F(FileSinkTest, WhatAFullDiskCutsOffIsTakenBackAndCounted) {
  const Logger log = logger_to(options());
  log.info("e", {{"n", 1}});
  testing::internal::CaptureStderr();
  {
    const FileSizeLimit full(fs::file_size(path_) + 20);
    log.info("e", {{"n", 2}});
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("1 log record(s) lost so far"), std::string::npos);
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(path_), (std::vector{1, 3}));
  EXPECT_EQ(log.dropped(), 1U);
}

TEST_F(FileSinkTest, IsRotatedBeforeALineThatWouldMakeItTooLarge) {
  auto rotating = options();
  rotating.max_bytes = 300;
  rotating.keep = 2;
  const Logger log = logger_to(rotating);
  for (int n = 0; n < 20; ++n) log.info("e", {{"n", n}});
  EXPECT_LE(fs::file_size(path_), 300U);
  EXPECT_LE(fs::file_size(rotated(1)), 300U);
  EXPECT_FALSE(fs::exists(rotated(3)));
  std::vector<int> kept = numbers_in(rotated(2));
  for (const fs::path& next : {rotated(1), path_}) {
    const std::vector<int> numbers = numbers_in(next);
    kept.insert(kept.end(), numbers.begin(), numbers.end());
  }
  EXPECT_EQ(kept.back(), 19);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
}

TEST_F(FileSinkTest, ALineLargerThanTheLimitIsWrittenWhole) {
  auto rotating = options();
  rotating.max_bytes = 100;
  const Logger log = logger_to(rotating);
  log.info("e", {{"n", 1}, {"text", std::string(1000, 'x')}});
  log.info("e", {{"n", 2}});
  EXPECT_EQ(numbers_in(rotated(1)), std::vector{1});
  EXPECT_EQ(numbers_in(path_), std::vector{2});
}

TEST_F(FileSinkTest, IsRotatedWhenANewPeriodBegins) {
  auto daily = options();
  daily.max_age = std::chrono::hours(24);
  const Logger log = logger_to(daily);
  log.info("e", {{"n", 1}});
  clock_->advance(std::chrono::hours(23));
  log.info("e", {{"n", 2}});
  clock_->advance(std::chrono::hours(1));
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(rotated(1)), (std::vector{1, 2}));
  EXPECT_EQ(numbers_in(path_), std::vector{3});
}

TEST_F(FileSinkTest, AFileOfAnEarlierPeriodIsRotatedAfterARestartAndAnotherIsNot) {
  auto daily = options();
  daily.max_age = std::chrono::hours(24);
  logger_to(daily).info("e", {{"n", 1}});
  written_now();
  logger_to(daily).info("e", {{"n", 2}});
  EXPECT_FALSE(fs::exists(rotated(1)));
  written_now();
  clock_->advance(std::chrono::hours(25));
  logger_to(daily).info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(rotated(1)), (std::vector{1, 2}));
}

TEST_F(FileSinkTest, WhatCannotBeRotatedGrowsAndIsTold) {
  fs::create_directories(rotated(1) / "in the way");
  auto rotating = options();
  rotating.max_bytes = 100;
  rotating.keep = 1;
  const Logger log = logger_to(rotating);
  testing::internal::CaptureStderr();
  for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}});
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("app.log cannot be rotated: "), std::string::npos) << told;
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
  EXPECT_EQ(numbers_in(path_), (std::vector{0, 1, 2}));
  fs::remove_all(rotated(1));
  clock_->advance(std::chrono::minutes(2));
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(path_), std::vector{3});
}

TEST_F(FileSinkTest, FindsWithinASecondThatItsFileWasMovedAway) {
  const Logger log = logger_to(options());
  log.info("e", {{"n", 1}});
  fs::rename(path_, rotated(1));
  log.info("e", {{"n", 2}});
  clock_->advance(std::chrono::seconds(1));
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(rotated(1)), (std::vector{1, 2}));
  EXPECT_EQ(numbers_in(path_), std::vector{3});
}

TEST_F(FileSinkTest, IsOpenedAgainWithTheNextLineWhenAsked) {
  const Logger log = logger_to(options());
  log.info("e", {{"n", 1}});
  fs::rename(path_, rotated(1));
  reopen_log_files();
  log.info("e", {{"n", 2}});
  EXPECT_EQ(numbers_in(path_), std::vector{2});
}

TEST_F(FileSinkTest, GoesOnWithTheOpenFileWhileItsFolderIsAway) {
  const fs::path folder = folder_.path() / "logs";
  fs::create_directory(folder);
  auto inside = options();
  inside.path = folder / "app.log";
  const Logger log = logger_to(inside);
  log.info("e", {{"n", 1}});
  fs::rename(folder, folder_.path() / "moved");
  reopen_log_files();
  testing::internal::CaptureStderr();
  log.info("e", {{"n", 2}});
  EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot be opened again: "), std::string::npos);
  EXPECT_EQ(numbers_in(folder_.path() / "moved" / "app.log"), (std::vector{1, 2}));
  fs::create_directory(folder);
  clock_->advance(std::chrono::seconds(1));
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(inside.path), std::vector{3});
}

TEST_F(FileSinkTest, AFileThatWasTruncatedIsWrittenFromItsStart) {
  auto rotating = options();
  rotating.max_bytes = 300;
  const Logger log = logger_to(rotating);
  for (int n = 0; n < 2; ++n) log.info("e", {{"n", n}});
  fs::resize_file(path_, 0);  // as copytruncate does
  clock_->advance(std::chrono::seconds(1));
  for (int n = 2; n < 4; ++n) log.info("e", {{"n", n}});
  EXPECT_EQ(numbers_in(path_), (std::vector{2, 3}));
}

TEST_F(FileSinkTest, TwoProcessesRotateOneFileAndLoseNothing) {
  auto rotating = options();
  rotating.max_bytes = 20'000;
  rotating.keep = 100;
  rotating.clock = system_clock();
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    const Logger log = logger_to(rotating);
    for (int n = 0; n < 1000; ++n) log.info("e", {{"n", child * 1000 + n}});
    ::_exit(log.dropped() == 0 ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  std::vector<int> numbers;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    const std::vector<int> some = numbers_in(entry.path());
    numbers.insert(numbers.end(), some.begin(), some.end());
  }
  std::sort(numbers.begin(), numbers.end());
  ASSERT_EQ(numbers.size(), 2000U);
  for (int n = 0; n < 2000; ++n) EXPECT_EQ(numbers[static_cast<std::size_t>(n)], n);
}

TEST_F(FileSinkTest, SaysWhatIsWrongWithAPath) {
  auto nowhere = options();
  nowhere.path = folder_.path() / "no" / "app.log";
  try {
    static_cast<void>(file_sink(nowhere));
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(what.find("no/app.log': No such file or directory"), std::string::npos) << what;
  }
}

TEST_F(FileSinkTest, RefusesOptionsOutOfBounds) {
  const auto refused = [this](auto change) {
    auto bad = options();
    change(bad);
    EXPECT_THROW(static_cast<void>(file_sink(bad)), Error);
  };
  refused([](FileSinkOptions& o) { o.path.clear(); });
  refused([](FileSinkOptions& o) { o.max_age = std::chrono::seconds(-1); });
  refused([](FileSinkOptions& o) { o.keep = 0; });
  refused([](FileSinkOptions& o) { o.mode = 01777; });
  refused([](FileSinkOptions& o) { o.queue_bytes = 1000; });
  refused([](FileSinkOptions& o) { o.clock = nullptr; });
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(FileSinkTest, LinesThatAFullDiskRefusesDoNotMakeItRotate) {
  auto rotating = options();
  rotating.max_bytes = 1000;
  const Logger log = logger_to(rotating);
  log.info("e", {{"n", 1}});
  testing::internal::CaptureStderr();
  {
    const FileSizeLimit full(fs::file_size(path_) + 20);
    for (int n = 2; n < 50; ++n) log.info("e", {{"n", n}});
  }
  static_cast<void>(testing::internal::GetCapturedStderr());
  log.info("e", {{"n", 50}});
  EXPECT_FALSE(fs::exists(rotated(1)));
  EXPECT_EQ(numbers_in(path_), (std::vector{1, 50}));
}

TEST_F(FileSinkTest, AQueueMakesNoFileTooLarge) {
  auto rotating = options();
  rotating.max_bytes = 1000;
  rotating.keep = 1000;
  rotating.queue_bytes = 1U << 20U;
  {
    const Logger log = logger_to(rotating);
    for (int n = 0; n < 500; ++n) log.info("e", {{"n", n}});
  }
  std::size_t lines = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_LE(fs::file_size(entry.path()), 1000U) << entry.path();
    lines += numbers_in(entry.path()).size();
  }
  EXPECT_EQ(lines, 500U);
}

TEST_F(FileSinkTest, ARelativePathStaysWhereItWasWhenTheProcessChangesItsFolder) {
  const fs::path before = fs::current_path();
  fs::create_directory(folder_.path() / "elsewhere");
  fs::current_path(folder_.path());
  auto relative = options();
  relative.path = "./app.log";
  const Logger log = logger_to(relative);
  fs::current_path(folder_.path() / "elsewhere");
  reopen_log_files();
  log.info("e", {{"n", 1}});
  fs::current_path(before);
  EXPECT_EQ(numbers_in(path_), std::vector{1});
  EXPECT_FALSE(fs::exists(folder_.path() / "elsewhere" / "app.log"));
}

TEST_F(FileSinkTest, RotatesTheFileThatASymbolicLinkNames) {
  const fs::path large_disk = folder_.path() / "large";
  fs::create_directory(large_disk);
  fs::create_symlink(large_disk / "app.log", path_);
  auto rotating = options();
  rotating.max_bytes = 100;
  const Logger log = logger_to(rotating);
  for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}});
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_FALSE(fs::exists(rotated(1)));
  EXPECT_EQ(numbers_in(large_disk / "app.log"), std::vector{2});
  EXPECT_EQ(numbers_in(large_disk / "app.log.2"), std::vector{0});
}

TEST_F(FileSinkTest, AStreamByItsPathIsNotRotatedEvenIfItIsAFile) {
  std::FILE* const redirected = std::fopen(path_.c_str(), "a");
  auto rotating = options();
  rotating.path = "/dev/fd/" + std::to_string(::fileno(redirected));
  rotating.max_bytes = 100;
  const Logger log = logger_to(rotating);
  testing::internal::CaptureStderr();
  for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(numbers_in(path_), (std::vector{0, 1, 2}));
  std::fclose(redirected);
}

TEST_F(FileSinkTest, AClockThatIsSetBackBeginsNoNewPeriod) {
  auto daily = options();
  daily.max_age = std::chrono::hours(24);
  const Logger log = logger_to(daily);
  const Timestamp midnight = std::chrono::ceil<std::chrono::days>(clock_->now());
  clock_->set_wall(midnight + std::chrono::seconds(1));
  log.info("e", {{"n", 1}});
  clock_->set_wall(midnight - std::chrono::seconds(1));
  log.info("e", {{"n", 2}});
  EXPECT_FALSE(fs::exists(rotated(1)));
  clock_->set_wall(midnight + std::chrono::seconds(1));
  log.info("e", {{"n", 3}});
  EXPECT_EQ(numbers_in(rotated(1)), (std::vector{1, 2}));
}

TEST_F(FileSinkTest, PeriodsBefore1970AreAsLongAsOthers) {
  auto daily = options();
  daily.max_age = std::chrono::hours(24);
  const Logger log = logger_to(daily);
  clock_->set_wall(Timestamp{} - std::chrono::seconds(1));
  log.info("e", {{"n", 1}});
  clock_->set_wall(Timestamp{});
  log.info("e", {{"n", 2}});
  EXPECT_EQ(numbers_in(rotated(1)), std::vector{1});
}

TEST_F(FileSinkTest, TheSameReasonIsToldAgainAfterItHadGone) {
  const fs::path folder = folder_.path() / "logs";
  auto inside = options();
  inside.path = folder / "app.log";
  fs::create_directory(folder);
  const Logger log = logger_to(inside);
  for (int time = 0; time < 2; ++time) {
    fs::remove_all(folder);
    reopen_log_files();
    testing::internal::CaptureStderr();
    log.info("e");
    EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot be opened again: "), std::string::npos);
    fs::create_directory(folder);
    reopen_log_files();
    log.info("e");
  }
}

/// The descriptor by which this process has a file open.
int descriptor_of(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) == path) return std::stoi(entry.path().filename());
  }
  return -1;
}

// The lock belongs to what was opened: a child that used the same would have it too.
TEST_F(FileSinkTest, AForkedChildDoesNotRotateWhileItsParentDoes) {
  auto rotating = options();
  rotating.max_bytes = 100;
  const Logger log = logger_to(rotating);
  log.info("e", {{"n", 1}});
  ASSERT_EQ(::flock(descriptor_of(path_), LOCK_EX), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    log.info("e", {{"n", 2}});
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(fs::exists(rotated(1)));
  EXPECT_EQ(numbers_in(path_), (std::vector{1, 2}));
}

TEST_F(FileSinkTest, ADeviceIsNotRotated) {
  auto device = options();
  device.path = "/dev/null";
  device.max_bytes = 10;
  const Logger log = logger_to(device);
  for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}});
  EXPECT_EQ(log.dropped(), 0U);
  EXPECT_FALSE(fs::exists("/dev/null.1"));
}

TEST_F(FileSinkTest, AFifoThatNobodyReadsIsRefusedAndHoldsNobodyUp) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THROW(static_cast<void>(file_sink(options())), Error);
}

}  // namespace
}  // namespace tidings::logging
