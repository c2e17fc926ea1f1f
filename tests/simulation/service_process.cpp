#include "simulation/service_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace tidings::simulation {
namespace {

/// A process that is silent for longer is stuck.
constexpr std::chrono::seconds kLongest{70};

std::array<int, 2> new_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return ends;
}

/// This program again, as `--service DATABASE LIFE` with its commands and its history as the descriptors 3
/// and 4.
pid_t started(const std::filesystem::path& database, const Step& life, int commands, int history) {
  std::array<std::string, 4> texts{"simulation_tests", "--service", database.native(), to_text(life)};
  std::array<char*, 5> arguments{texts[0].data(), texts[1].data(), texts[2].data(), texts[3].data(), nullptr};
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, commands, 3);
  posix_spawn_file_actions_adddup2(&actions, history, 4);
  pid_t process = -1;
  const int failure = ::posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw std::runtime_error("no process");
  return process;
}

}  // namespace

ServiceProcess::ServiceProcess(const std::filesystem::path& database, const Step& life) {
  const auto commands = new_pipe();
  const auto history = new_pipe();
  // Out of the way of 3 and 4, which the child gets.
  const int command_end = ::fcntl(commands[0], F_DUPFD_CLOEXEC, 10);
  const int history_end = ::fcntl(history[1], F_DUPFD_CLOEXEC, 10);
  process_ = started(database, life, command_end, history_end);
  for (const int end : {commands[0], history[1], command_end, history_end}) ::close(end);
  commands_ = commands[1];
  history_ = history[0];
  reader_ = std::thread([this] { read_all(); });
}

ServiceProcess::~ServiceProcess() {
  if (!waited_) {
    kill();
    wait();
  }
  ::close(commands_);
  ::close(history_);
}

void ServiceProcess::read_all() {
  std::string text;
  std::array<char, 65'536> buffer{};
  for (ssize_t count = 0; (count = ::read(history_, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
    const std::lock_guard lock(mutex_);
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      lines_.push_back(text.substr(0, end));
      if (lines_.back().starts_with("reply ")) replies_.push_back(lines_.back().substr(6));
      text.erase(0, end + 1);
    }
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void ServiceProcess::send(const Step& step) {
  const std::string line = to_text(step) + '\n';
  // It may have been killed: then there is no reply.
  static_cast<void>(!::write(commands_, line.data(), line.size()));
}

std::optional<std::string> ServiceProcess::reply() {
  std::unique_lock lock(mutex_);
  while (!has_reply() && !ended_ && !stuck_) {
    const std::size_t seen = lines_.size();
    stuck_ =
        !changed_.wait_for(lock, kLongest, [&] { return has_reply() || ended_ || lines_.size() > seen; });
  }
  if (!has_reply()) return std::nullopt;
  return replies_[next_reply_++];
}

void ServiceProcess::await_lines(std::size_t count) {
  std::unique_lock lock(mutex_);
  const std::size_t enough = lines_.size() + count;
  changed_.wait_for(lock, kLongest, [&] { return has_reply() || ended_ || lines_.size() >= enough; });
}

std::vector<std::string> ServiceProcess::lines_since(std::size_t first) {
  const std::lock_guard lock(mutex_);
  return {lines_.begin() + static_cast<std::ptrdiff_t>(first), lines_.end()};
}

void ServiceProcess::kill() { static_cast<void>(::kill(process_, SIGKILL)); }

int ServiceProcess::wait() {
  int status = 0;
  ::waitpid(process_, &status, 0);
  waited_ = true;
  reader_.join();
  return status;
}

}  // namespace tidings::simulation
