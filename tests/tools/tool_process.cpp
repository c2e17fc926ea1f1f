#include "tools/tool_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace tidings::check_dead_letters {
namespace {

constexpr unsigned kNobody = 65'534;
constexpr int kNotStarted = 126;

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

void redirect_output(const Circumstances& circumstances, const Pipe& out) {
  switch (circumstances.output) {
    case Output::Captured:
    case Output::PipeNobodyReads:
      ::dup2(out.ends[1], STDOUT_FILENO);
      return;
    case Output::FullDevice:
      ::dup2(::open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
      return;
    case Output::Closed:
      ::close(STDOUT_FILENO);
      return;
  }
}

void drop_privileges() {
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(kNotStarted);
}

/// The program is opened before privileges go, as its folder may be closed to others.
[[noreturn]] void become_tool(std::vector<char*>& arguments, const Circumstances& circumstances,
                              const Pipe& out, const Pipe& err) {
  const int program = ::open(circumstances.program.c_str(), O_RDONLY | O_CLOEXEC);
  ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  ::dup2(err.ends[1], STDERR_FILENO);
  redirect_output(circumstances, out);
  if (circumstances.tidings_db) {
    ::setenv("TIDINGS_DB", circumstances.tidings_db->c_str(), 1);
  } else {
    ::unsetenv("TIDINGS_DB");
  }
  if (::chdir(circumstances.working_folder.c_str()) != 0) ::_exit(kNotStarted);
  if (circumstances.unprivileged) drop_privileges();
  ::fexecve(program, arguments.data(), environ);
  ::_exit(kNotStarted);
}

/// False at the end of the pipe.
bool read_some(int pipe, std::string& text) {
  std::array<char, 4'096> buffer{};
  const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

void read_both(Pipe& out, Pipe& err, ToolRun& run) {
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    std::array<pollfd, 2> polled{pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}};
    ::poll(polled.data(), polled.size(), -1);
    if (polled[0].revents != 0 && !read_some(out.ends[0], run.out)) out.close_end(0);
    if (polled[1].revents != 0 && !read_some(err.ends[0], run.err)) err.close_end(0);
  }
}

}  // namespace

ToolRun run_tool(const std::vector<std::string>& arguments, const Circumstances& circumstances) {
  Pipe out;
  Pipe err;
  std::vector<std::string> texts{circumstances.program};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  if (circumstances.output == Output::PipeNobodyReads) out.close_end(0);
  const pid_t child = ::fork();
  if (child == 0) become_tool(pointers, circumstances, out, err);
  out.close_end(1);
  err.close_end(1);
  ToolRun run;
  read_both(out, err, run);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) throw std::runtime_error("no process");
  run.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return run;
}

}  // namespace tidings::check_dead_letters
