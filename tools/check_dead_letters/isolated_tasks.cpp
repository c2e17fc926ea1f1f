#include "check_dead_letters/isolated_tasks.hpp"

#include "check_dead_letters/time_left.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string_view>
#include <system_error>

namespace tidings::check_dead_letters {
namespace {

constexpr int kUncaught = 70;

/// A hanging child must not keep the caller's output open: a reader of it waits for its end.
void drop_standard_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null < 0) {
      ::close(stream);
    } else {
      ::dup2(null, stream);
    }
  }
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

[[noreturn]] void run_in_child(const std::function<std::string()>& work, int pipe, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kUncaught);
  drop_standard_streams();
  int status = kUncaught;
  try {
    if (write_all(pipe, work())) status = 0;
  } catch (...) {  // the parent sees the status
  }
  ::_exit(status);
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* const name = ::sigdescr_np(signal);
    return "killed by signal " + std::to_string(signal) +
           (name == nullptr ? "" : " (" + std::string(name) + ")");
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

IsolatedTasks::~IsolatedTasks() {
  for (Task& task : tasks_) {
    if (task.pipe >= 0) abandon(task);
  }
}

void IsolatedTasks::start(const std::function<std::string()>& work) {
  Task& task = tasks_.emplace_back();
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    task.outcome.text = "could not make a pipe: " + std::generic_category().message(errno);
    return;
  }
  const pid_t parent = ::getpid();
  task.process = ::fork();
  if (task.process == 0) run_in_child(work, ends[1], parent);
  const int fork_error = errno;
  ::close(ends[1]);
  if (task.process < 0) {
    ::close(ends[0]);
    task.outcome.text = "could not start a process: " + std::generic_category().message(fork_error);
    return;
  }
  task.pipe = ends[0];
}

std::vector<IsolatedTasks::Outcome> IsolatedTasks::finish(std::chrono::steady_clock::time_point deadline) {
  const auto running = [](const Task& task) { return task.pipe >= 0; };
  while (std::any_of(tasks_.begin(), tasks_.end(), running)) {
    const auto left = time_left(deadline);
    wait_for_output(left);
    if (left.count() == 0) break;
  }
  std::vector<Outcome> outcomes;
  for (Task& task : tasks_) {
    if (task.pipe >= 0) abandon(task);
    outcomes.push_back(std::move(task.outcome));
  }
  tasks_.clear();
  return outcomes;
}

void IsolatedTasks::wait_for_output(std::chrono::milliseconds timeout) {
  std::vector<pollfd> polled;
  for (const Task& task : tasks_) polled.push_back({.fd = task.pipe, .events = POLLIN, .revents = 0});
  if (::poll(polled.data(), polled.size(), static_cast<int>(timeout.count())) <= 0) return;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) read_some(tasks_[i]);
  }
}

void IsolatedTasks::read_some(Task& task) {
  std::array<char, 65'536> buffer{};
  const ssize_t count = ::read(task.pipe, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return;
  if (count > 0) {
    task.outcome.text.append(buffer.data(), static_cast<std::size_t>(count));
  } else {
    reap(task);
  }
}

/// The pipe's end means that the child is exiting, so this does not wait.
void IsolatedTasks::reap(Task& task) {
  ::close(task.pipe);
  task.pipe = -1;
  int status = 0;
  while (::waitpid(task.process, &status, 0) < 0) {
    if (errno == EINTR) continue;
    task.outcome = {Outcome::End::Crashed,
                    "could not be waited for: " + std::generic_category().message(errno)};
    return;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    task.outcome.end = Outcome::End::Finished;
  } else {
    task.outcome = {Outcome::End::Crashed, describe_end(status)};
  }
}

/// Not waited for: a process that hangs in the kernel dies only when the kernel lets go of it.
void IsolatedTasks::abandon(Task& task) {
  ::close(task.pipe);
  task.pipe = -1;
  ::kill(task.process, SIGKILL);
  ::waitpid(task.process, nullptr, WNOHANG);
  task.outcome = {Outcome::End::TimedOut, {}};
}

}  // namespace tidings::check_dead_letters
