#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace tidings::logging {
namespace {

/// Makes standard error a (pseudo-)terminal for the time of a test.
class TerminalTest : public testing::Test {
 protected:
  TerminalTest() : original_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::openpty(&master_, &terminal_, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(::dup2(terminal_, STDERR_FILENO), STDERR_FILENO);
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
    ::unsetenv("TIDINGS_LOG_FORMAT");
  }
  TerminalTest(const TerminalTest&) = delete;
  TerminalTest& operator=(const TerminalTest&) = delete;
  ~TerminalTest() override {
    ::dup2(original_, STDERR_FILENO);
    for (const int descriptor : {original_, terminal_, master_}) ::close(descriptor);
    ::unsetenv("NO_COLOR");
  }

  [[nodiscard]] std::string shown() const {
    std::array<char, 4096> text{};
    const auto size = ::read(master_, text.data(), text.size());
    return {text.data(), size < 0 ? 0U : static_cast<std::size_t>(size)};
  }

 private:
  int original_;
  int master_ = -1;
  int terminal_ = -1;
};

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

}  // namespace
}  // namespace tidings::logging
