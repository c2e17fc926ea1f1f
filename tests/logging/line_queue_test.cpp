#include "destinations/line_queue.hpp"

#include "bus/gate.hpp"
#include "deadletter/temporary_folder.hpp"
#include "logging/record_schema.hpp"

#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>

namespace tidings::logging {
namespace {

/// What a target got, kept apart from it: the target belongs to the queue. Thread-safe.
class Received {
 public:
  void add(std::string_view lines) {
    const std::lock_guard lock(mutex_);
    text_ += lines;
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

/// Waits at a gate, if it has one, before it takes its first lines.
class HeldTarget final : public LineTarget {
 public:
  explicit HeldTarget(Received& received, test::Gate* gate = nullptr) : received_(received), gate_(gate) {}
  [[nodiscard]] WrittenLines write(std::string_view lines) noexcept override {
    if (gate_ != nullptr) std::exchange(gate_, nullptr)->pass();
    received_.add(lines);
    return {};
  }
  [[nodiscard]] std::string destination() const override { return "held"; }

 private:
  Received& received_;
  test::Gate* gate_;
};

class FullTarget final : public LineTarget {
 public:
  [[nodiscard]] WrittenLines write(std::string_view) noexcept override { return {1, ENOSPC}; }
  [[nodiscard]] std::string destination() const override { return "full"; }
};

constexpr std::size_t kCapacity = LineQueue::kMinCapacity;

TEST(LineQueueTest, AFlushReturnsWhenAllIsWrittenInOrder) {
  Received received;
  LineQueue queue(std::make_unique<HeldTarget>(received), kCapacity);
  std::string expected;
  for (int n = 0; n < 1000; ++n) {
    const std::string line = std::to_string(n) + "\n";
    expected += line;
    queue.push(line, false);
  }
  queue.flush();
  EXPECT_EQ(received.text(), expected);
  EXPECT_EQ(queue.lost(), 0U);
}

TEST(LineQueueTest, ItsEndWritesWhatWaits) {
  Received received;
  { LineQueue(std::make_unique<HeldTarget>(received), kCapacity).push("last\n", false); }
  EXPECT_EQ(received.text(), "last\n");
}

TEST(LineQueueTest, WhoLogsNeverWaitsAndWhatFindsNoRoomIsCountedAndReported) {
  Received received;
  test::Gate gate;
  LineQueue queue(std::make_unique<HeldTarget>(received, &gate), kCapacity);
  queue.push("first\n", false);
  gate.await_arrival();
  const std::string line = std::string(1023, 'x') + "\n";
  for (int n = 0; n < 67; ++n) queue.push(line, false);
  EXPECT_EQ(queue.lost(), 3U);
  gate.open();
  queue.flush();
  queue.push("after\n", true);
  queue.flush();
  const std::string text = received.text();
  const std::size_t end = text.find("\"level\":\"warning\",\"event\":\"log_records_lost\",\"lost\":3}\n");
  ASSERT_NE(end, std::string::npos);
  const std::size_t begin = text.rfind('{', end);
  EXPECT_EQ(test::RecordSchema().problems_of(Json::parse(text.substr(begin, text.find('\n', end) - begin))),
            "");
  EXPECT_EQ(text.substr(text.size() - 6), "after\n");
  EXPECT_EQ(queue.lost(), 3U);
}

TEST(LineQueueTest, AFlushWaitsForTheReportOfLossesToo) {
  Received received;
  test::Gate gate;
  LineQueue queue(std::make_unique<HeldTarget>(received, &gate), kCapacity);
  queue.push("first\n", false);
  gate.await_arrival();
  for (int n = 0; n < 3; ++n) queue.push(std::string(kCapacity, 'x') + "\n", false);
  gate.open();
  queue.flush();
  EXPECT_NE(received.text().find("\"lost\":3}\n"), std::string::npos);
}

TEST(LineQueueTest, WhatItsTargetDoesNotTakeIsCountedAndTold) {
  testing::internal::CaptureStderr();
  LineQueue queue(std::make_unique<FullTarget>(), kCapacity);
  queue.push("line\n", false);
  queue.flush();
  EXPECT_EQ(queue.lost(), 1U);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "tidings: 1 log record(s) lost so far; the last because: No space left on device\n");
}

TEST(LineQueueTest, ItsEndDoesNotWaitForATargetThatTakesNothing) {
  static Received received;  // the queue's thread outlives the test
  static test::Gate gate;
  testing::internal::CaptureStderr();
  {
    LineQueue queue(std::make_unique<HeldTarget>(received, &gate), kCapacity, std::chrono::milliseconds(10));
    queue.push("line\n", false);
    gate.await_arrival();
  }
  gate.open();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "tidings: a log queue ended before its destination took what waited\n");
}

Logger queued_logger(const std::filesystem::path& path) {
  return Logger(LoggerOptions{.level = Level::Info,
                              .format = Format::Json,
                              .sinks = {file_sink({.path = path, .queue_bytes = kCapacity})}});
}

TEST(LineQueueTest, AForkedChildWritesItsLinesItself) {
  const deadletter::TemporaryFolder folder;
  const Logger log = queued_logger(folder.path("app.log"));
  log.info("of_parent");
  log.flush();
  const pid_t child = ::fork();
  if (child == 0) {
    log.info("of_child");
    log.flush();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const std::string text = deadletter::read_file(folder.path("app.log"));
  EXPECT_NE(text.find("of_child"), std::string::npos) << text;
}

// In a process of its own: a sanitizer lets a forked child start no thread. That process runs the test up to
// here too, and is told the file by the environment.
TEST(LineQueueTest, ItIsWrittenOutWhenTheProcessExits) {
  constexpr const char* kFile = "TIDINGS_TEST_QUEUED_LOG";
  const deadletter::TemporaryFolder folder;
  ::setenv(kFile, folder.path("app.log").c_str(), 0);
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        static auto* const log = new Logger(queued_logger(std::getenv(kFile)));  // never destroyed
        for (int n = 0; n < 100; ++n) log->info("e", {{"n", n}});
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
  ::unsetenv(kFile);
  const std::string text = deadletter::read_file(folder.path("app.log"));
  EXPECT_NE(text.find("\"n\":99}\n"), std::string::npos) << text.size();
}

LineQueue* late_queue = nullptr;
Received* late_lines = nullptr;

// As destructors of static objects do that were made before the first queue.
TEST(LineQueueTest, WhatIsLoggedLateInTheExitIsWrittenToo) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::atexit([] {
          late_queue->push("late\n", false);
          ::_exit(late_lines->text() == "late\n" ? 0 : 1);
        });
        late_lines = new Received;  // never destroyed, as the queue
        late_queue = new LineQueue(std::make_unique<HeldTarget>(*late_lines), kCapacity);
        std::exit(2);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tidings::logging
