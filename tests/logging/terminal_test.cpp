#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/sink.hpp>

#include <gtest/gtest.h>
#include <pty.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tidings::logging {
namespace {

/// A pseudo-terminal in the place of a standard stream, for the time of a test.
class Terminal {
 public:
  explicit Terminal(int stream) : stream_(stream), original_(::dup(stream)) {
    EXPECT_EQ(::openpty(&master_, &terminal_, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(::dup2(terminal_, stream_), stream_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    ::dup2(original_, stream_);
    for (const int descriptor : {original_, terminal_, master_}) ::close(descriptor);
  }

  [[nodiscard]] std::string shown() const {
    std::array<char, 4096> text{};
    const auto size = ::read(master_, text.data(), text.size());
    return {text.data(), size < 0 ? 0U : static_cast<std::size_t>(size)};
  }
  /// Its path, under which a file sink can open it.
  [[nodiscard]] std::string path() const {
    std::array<char, 128> name{};
    EXPECT_EQ(::ttyname_r(terminal_, name.data(), name.size()), 0);
    return name.data();
  }

 private:
  int stream_;
  int original_;
  int master_ = -1;
  int terminal_ = -1;
};

class TerminalTest : public testing::Test {
 protected:
  TerminalTest() {
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
    ::unsetenv("TIDINGS_LOG_FORMAT");
  }
  ~TerminalTest() override { ::unsetenv("NO_COLOR"); }

  [[nodiscard]] std::string shown() const { return standard_error_.shown(); }

 private:
  const Terminal standard_error_{STDERR_FILENO};
};

void log_to(std::vector<Output> sinks) {
  Logger(LoggerOptions{.level = Level::Info, .sinks = std::move(sinks)}).error("payment_failed");
}

constexpr char kEscape = '\x1b';  // a coloured line begins with it

TEST_F(TerminalTest, ATerminalGetsColouredLinesForPeople) {
  Logger(LoggerOptions{.level = Level::Info}).error("payment_failed", {{"amount", 5}});
  const std::string line = shown();
  EXPECT_EQ(line.substr(0, 4), "\x1b[2m") << line;
  EXPECT_NE(line.find("\x1b[36mamount\x1b[0m=5"), std::string::npos) << line;
}

TEST_F(TerminalTest, NoColorIsHonoured) {
  ::setenv("NO_COLOR", "1", 1);
  Logger(LoggerOptions{.level = Level::Info}).error("payment_failed", {{"amount", 5}});
  const std::string line = shown();
  EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  EXPECT_NE(line.find("payment_failed"), std::string::npos) << line;
}

TEST_F(TerminalTest, JsonIsForTerminalsTooWhenAskedFor) {
  Logger(LoggerOptions{.level = Level::Info, .format = Format::Json}).error("payment_failed");
  EXPECT_EQ(shown().front(), '{');
}

TEST_F(TerminalTest, ASinkLooksAtItsOwnStream) {
  const Terminal standard_output(STDOUT_FILENO);
  const Capture capture;
  log_to({stdout_sink(), {capture.sink().sink, Format::Auto}});
  EXPECT_EQ(standard_output.shown().front(), kEscape);
  EXPECT_EQ(capture.lines().at(0).front(), '{') << "what is no stream is read by programs";
}

TEST_F(TerminalTest, AStandardOutputThatIsAFileGetsJsonThoughStandardErrorIsATerminal) {
  testing::internal::CaptureStdout();
  log_to({stdout_sink(), stderr_sink()});
  EXPECT_EQ(testing::internal::GetCapturedStdout().front(), '{');
  EXPECT_EQ(shown().front(), kEscape);
}

TEST_F(TerminalTest, SinksOfSpdlogLookAtTheirStreamsToo) {
  const Terminal standard_output(STDOUT_FILENO);
  log_to({std::make_shared<spdlog::sinks::stdout_sink_mt>()});
  EXPECT_EQ(standard_output.shown().front(), kEscape);
  log_to({std::make_shared<spdlog::sinks::stderr_color_sink_st>()});
  EXPECT_EQ(shown().front(), kEscape);
}

TEST_F(TerminalTest, ASinkOfSpdlogToAStreamThatIsAFileGetsJson) {
  testing::internal::CaptureStdout();
  log_to({std::make_shared<spdlog::sinks::stdout_color_sink_mt>()});
  EXPECT_EQ(testing::internal::GetCapturedStdout().front(), '{');
}

TEST_F(TerminalTest, ALoggerOfSpdlogGetsLinesForPeopleIfAllItsSinksWriteToATerminal) {
  const auto logger_with = [](std::vector<spdlog::sink_ptr> sinks) {
    for (const auto& sink : sinks) sink->set_pattern("%v");
    return Logger(
        LoggerOptions{.level = Level::Info,
                      .spdlog_logger = std::make_shared<spdlog::logger>("own", sinks.begin(), sinks.end())});
  };
  const auto screen = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger_with({screen}).error("payment_failed");
  EXPECT_EQ(shown().front(), kEscape);
  logger_with({screen, std::make_shared<spdlog::sinks::null_sink_mt>()}).error("payment_failed");
  EXPECT_EQ(shown().front(), '{');
}

TEST_F(TerminalTest, AFileThatIsATerminalGetsLinesForPeople) {
  const Terminal standard_output(STDOUT_FILENO);
  log_to({file_sink({.path = standard_output.path()})});
  EXPECT_EQ(standard_output.shown().front(), kEscape);
}

}  // namespace
}  // namespace tidings::logging
