#include "deadletter/temporary_folder.hpp"

#include <tidings/logging/logger.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace tidings::logging {
namespace {

/// Standard output is another descriptor for the time of a test.
class Redirected {
 public:
  explicit Redirected(int to) : original_(::dup(STDOUT_FILENO)) { ::dup2(to, STDOUT_FILENO); }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;
  ~Redirected() {
    ::dup2(original_, STDOUT_FILENO);
    ::close(original_);
  }

 private:
  int original_;
};

Logger logger_to_stdout(std::size_t queue_bytes = 0) {
  return Logger(
      {.level = Level::Info, .format = Format::Json, .sinks = {stdout_sink({.queue_bytes = queue_bytes})}});
}

/// A connection that keeps the bounds of each write.
struct Packets {
  Packets() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()), 0); }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;
  ~Packets() {
    for (const int end : ends) ::close(end);
  }
  [[nodiscard]] std::string next() const {
    std::array<char, 8192> text{};
    const ssize_t size = ::recv(ends[0], text.data(), text.size(), MSG_DONTWAIT);
    return {text.data(), size < 0 ? 0U : static_cast<std::size_t>(size)};
  }
  std::array<int, 2> ends{};
};

TEST(StreamSinkTest, ALineIsOneWrite) {
  const Packets packets;
  {
    const Redirected out(packets.ends[1]);
    const Logger log = logger_to_stdout();
    for (int n = 0; n < 3; ++n) log.info("e", {{"n", n}, {"text", std::string(2000, 'x')}});
  }
  for (int n = 0; n < 3; ++n) EXPECT_EQ(Json::parse(packets.next()).at("n"), n);
  EXPECT_EQ(packets.next(), "");
}

TEST(StreamSinkTest, WhatTheDestinationDoesNotTakeIsCountedAndTheNextLineIsWhole) {
  const Packets packets;
  const Logger log = logger_to_stdout();
  {
    const int full = ::open("/dev/full", O_WRONLY);
    const Redirected out(full);
    ::close(full);
    testing::internal::CaptureStderr();
    log.info("lost");
    EXPECT_NE(testing::internal::GetCapturedStderr().find("No space left on device"), std::string::npos);
  }
  const Redirected out(packets.ends[1]);
  log.info("kept");
  EXPECT_EQ(Json::parse(packets.next()).at("event"), "kept");
  EXPECT_EQ(log.dropped(), 1U);
}

// What a shell opens for `> file` does not append: its place is not the end of a file that was cut.
TEST(StreamSinkTest, WhatAFullDiskCutsOffLeavesNoHoleInAFileThatStandardOutputIs) {
  const deadletter::TemporaryFolder folder;
  const int file = ::open(folder.path("out").c_str(), O_WRONLY | O_CREAT, 0600);
  const Redirected out(file);
  const Logger log = logger_to_stdout();
  log.info("first");
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  const rlimit full{std::filesystem::file_size(folder.path("out")) + 20, unlimited.rlim_max};
  testing::internal::CaptureStderr();
  ::setrlimit(RLIMIT_FSIZE, &full);
  log.info("cut");
  ::setrlimit(RLIMIT_FSIZE, &unlimited);
  std::signal(SIGXFSZ, before);
  static_cast<void>(testing::internal::GetCapturedStderr());
  log.info("next");
  const std::string text = deadletter::read_file(folder.path("out"));
  EXPECT_EQ(text.find('\0'), std::string::npos) << text;
  EXPECT_EQ(Json::parse(text.substr(text.find('\n') + 1)).at("event"), "next");
  ::close(file);
}

TEST(StreamSinkTest, AReaderThatWentAwayIsALossWhereTheServiceIgnoresTheSignal) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ::close(pipe[0]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  {
    const Redirected out(pipe[1]);
    testing::internal::CaptureStderr();
    const Logger log = logger_to_stdout();
    log.info("e");
    EXPECT_EQ(log.dropped(), 1U);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("Broken pipe"), std::string::npos);
  }
  std::signal(SIGPIPE, before);
  ::close(pipe[1]);
}

TEST(StreamSinkTest, APipeThatSomebodyMadeNonBlockingIsWaitedFor) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_NONBLOCK), 0);
  const Logger log = logger_to_stdout();
  std::thread writer;
  {
    const Redirected out(pipe[1]);
    writer = std::thread([&] {
      for (int n = 0; n < 200; ++n) log.info("e", {{"text", std::string(2000, 'x')}});
      ::close(pipe[1]);
    });
    ::fcntl(pipe[0], F_SETFL, 0);
    std::string all;
    std::array<char, 4096> some{};
    while (std::count(all.begin(), all.end(), '\n') < 200) {
      const ssize_t size = ::read(pipe[0], some.data(), some.size());
      if (size <= 0) break;
      all.append(some.data(), static_cast<std::size_t>(size));
    }
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 200);
    writer.join();
  }
  EXPECT_EQ(log.dropped(), 0U);
  ::close(pipe[0]);
}

TEST(StreamSinkTest, ManyThreadsWriteWholeLinesThroughAQueue) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ::fcntl(pipe[1], F_SETPIPE_SZ, 1 << 20);
  {
    const Redirected out(pipe[1]);
    const Logger log = logger_to_stdout(1 << 20);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 500; ++n) log.info("e", {{"n", n}});
      });
    }
    for (std::thread& thread : threads) thread.join();
    log.flush();
    EXPECT_EQ(log.dropped(), 0U);
  }
  ::close(pipe[1]);
  FILE* const reader = ::fdopen(pipe[0], "r");
  int lines = 0;
  for (std::array<char, 512> line{}; std::fgets(line.data(), line.size(), reader) != nullptr; ++lines)
    EXPECT_TRUE(Json::accept(line.data())) << line.data();
  EXPECT_EQ(lines, 2000);
  std::fclose(reader);
}

}  // namespace
}  // namespace tidings::logging
