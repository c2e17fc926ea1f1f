#include "tools/dead_letters_fixture.hpp"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace tidings::dead_letters {
namespace {

namespace fs = std::filesystem;

/// `dead-letters edit 1` on a terminal of its own, with an editor that says when it runs and then waits.
class EditProcessTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    fs::create_directory(path("tmp"));
    ASSERT_EQ(::mkfifo(path("started").c_str(), 0600), 0);
    ASSERT_EQ(::mkfifo(path("never").c_str(), 0600), 0);
    std::ofstream(path("editor")) << "#!/bin/sh\ncp \"$1\" \"$1~\"\necho > " << path("started")
                                  << "\nexec cat " << path("never") << "\n";
    fs::permissions(path("editor"), fs::perms::owner_all);
  }
  /// Returns when its editor runs.
  void start() {
    child_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ == 0) {
      ::setenv("TMPDIR", path("tmp").c_str(), 1);
      ::setenv("EDITOR", path("editor").c_str(), 1);
      ::unsetenv("VISUAL");
      ::execl(TIDINGS_DEAD_LETTERS, "dead-letters", "--db", database_.c_str(), "edit", "1", nullptr);
      ::_exit(127);
    }
    const int started = ::open(path("started").c_str(), O_RDONLY | O_CLOEXEC);
    char byte = 0;
    ASSERT_EQ(::read(started, &byte, 1), 1);
    ::close(started);
  }
  /// Its status. Whatever waits for `never` is let go.
  int end() {
    int status = 0;
    std::array<char, 512> said{};
    while (::read(terminal_, said.data(), said.size()) > 0) {
    }
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    ::close(terminal_);
    ::close(::open(path("never").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    return status;
  }
  [[nodiscard]] std::vector<fs::path> left() const {
    return {fs::recursive_directory_iterator(path("tmp")), {}};
  }

  pid_t child_ = -1;
  int terminal_ = -1;
};

TEST_F(EditProcessTest, KeepsThePayloadInAFolderThatOnlyThisUserSees) {
  start();
  ASSERT_EQ(left().size(), 3U);  // the folder, the file, and what the editor put beside it
  for (const fs::path& each : left()) {
    if (each.extension() == ".json~") continue;
    EXPECT_EQ(fs::status(each).permissions() & (fs::perms::group_all | fs::perms::others_all),
              fs::perms::none);
  }
  ::kill(child_, SIGTERM);
  static_cast<void>(end());
}

TEST_F(EditProcessTest, LeavesNothingBehindWhenASignalEndsIt) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT}) {
    start();
    ::kill(child_, signal);
    const int status = end();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    EXPECT_TRUE(left().empty()) << signal;
  }
  EXPECT_EQ(unresolved(), 3);
}

TEST_F(EditProcessTest, LeavesNothingBehindWhenCtrlCEndsTheEditor) {
  start();
  ASSERT_EQ(::write(terminal_, "\x03", 1), 1);
  const int status = end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 69) << status;
  EXPECT_TRUE(left().empty());
  EXPECT_EQ(unresolved(), 3);
}

}  // namespace
}  // namespace tidings::dead_letters
