#include "dead_letters/editor.hpp"

#include "dead_letters/exit_status.hpp"
#include "text/printable.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace tidings::dead_letters {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  return value == nullptr ? std::string() : std::string(value);
}

/// A file in a folder of its own, both accessible to this user alone. This object deletes them, and whatever
/// editors leave beside the file.
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& text) {
    const std::string place = environment("TMPDIR");
    folder_ = (place.empty() ? std::string("/tmp") : place) + "/dead-letter-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) fail("make a folder for the editor in", folder_);
    path_ = folder_ + "/payload.json";
    try {
      write(text);
    } catch (...) {
      remove();
      throw;
    }
  }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;
  ~PrivateFile() { remove(); }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// By name: editors save by replacing the file.
  [[nodiscard]] std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    if (!file)
      throw Refusal(ExitStatus::InputOutput, "the editor left no file " + path_ + "; nothing was edited");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  [[noreturn]] static void fail(const std::string& what, const std::string& path) {
    throw Refusal(ExitStatus::CannotCreate, "cannot " + what + " " + tools::printable(path) + ": " +
                                                std::generic_category().message(errno) +
                                                "; set TMPDIR to a folder of yours");
  }
  void write(const std::string& text) const {
    const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) fail("make", path_);
    const std::string line = text + "\n";
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t written = ::write(descriptor, line.data() + done, line.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      done += static_cast<std::size_t>(written);
    }
    ::close(descriptor);
    if (done < line.size()) fail("write", path_);
  }
  void remove() const noexcept {
    std::error_code nobody_to_tell;
    std::filesystem::remove_all(folder_, nobody_to_tell);
  }

  std::string folder_;
  std::string path_;
};

/// While it lives, signals that would end this process are collected instead: the file must be deleted first.
/// Those that are ignored (nohup) stay ignored.
class HeldSignals {
 public:
  HeldSignals() {
    ::sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
      struct sigaction now {};
      ::sigaction(signal, nullptr, &now);
      if (now.sa_handler != SIG_IGN) ::sigaddset(&held_, signal);
    }
    ::sigaddset(&held_, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { release(); }

  void release() const noexcept { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  [[nodiscard]] siginfo_t await() const noexcept {
    siginfo_t info{};
    while (::sigwaitinfo(&held_, &info) < 0) {
    }
    return info;
  }
  /// False if none has come in that time.
  [[nodiscard]] bool await_for(std::time_t seconds) const noexcept {
    const timespec limit{seconds, 0};
    siginfo_t info{};
    return ::sigtimedwait(&held_, &info, &limit) >= 0;
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
};

/// How an editor ended, or which signal ended the wait before.
struct EditorEnd {
  int status = -1;
  std::optional<int> signal;
};

/// By the shell, so that EDITOR may hold arguments (`code --wait`); the path is an argument, not part of it.
pid_t start_editor(const std::string& editor, const std::string& path, const HeldSignals& signals) {
  const std::string script = editor + " \"$1\"";
  const pid_t child = ::fork();
  if (child != 0) return child;
  signals.release();
  ::execl("/bin/sh", "sh", "-c", script.c_str(), "sh", path.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

void end_editor(pid_t child, const HeldSignals& signals) {
  constexpr std::time_t kTimeToEnd = 2;
  ::kill(child, SIGTERM);
  ::kill(child, SIGCONT);
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (signals.await_for(kTimeToEnd)) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return;
  }
}

EditorEnd run_editor(const std::string& editor, const std::string& path, const HeldSignals& signals) {
  const pid_t child = start_editor(editor, path, signals);
  if (child < 0) return {};
  EditorEnd end;
  while (::waitpid(child, &end.status, WNOHANG) == 0) {
    const siginfo_t info = signals.await();
    const bool typed = info.si_code == SI_KERNEL && (info.si_signo == SIGINT || info.si_signo == SIGQUIT);
    if (info.si_signo == SIGCHLD || typed) continue;  // what is typed is for the editor, which has it too
    end_editor(child, signals);
    end.signal = info.si_signo;
    return end;
  }
  return end;
}

[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::_Exit(128 + signal);
}

}  // namespace

std::string edit_in_editor(const std::string& text) {
  std::string editor = environment("VISUAL");
  if (editor.empty()) editor = environment("EDITOR");
  if (editor.empty()) editor = "vi";
  EditorEnd end;
  std::string saved;
  {
    const HeldSignals signals;
    const PrivateFile file(text);
    end = run_editor(editor, file.path(), signals);
    if (!end.signal && WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0) saved = file.read();
  }
  if (end.signal) end_by(*end.signal);
  if (!WIFEXITED(end.status) || WEXITSTATUS(end.status) != 0) {
    throw Refusal(ExitStatus::Unavailable,
                  "the editor (" + tools::printable(editor, 80) +
                      ") did not end well; nothing was edited. Set EDITOR, or use --set or --file");
  }
  return saved;
}

}  // namespace tidings::dead_letters
