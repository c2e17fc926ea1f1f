#include "check_dead_letters/standard_output.hpp"

#include "check_dead_letters/time_left.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <system_error>

namespace tidings::check_dead_letters {
namespace {

/// Whether a write of up to PIPE_BUF bytes will not block.
bool wait_until_writable(int descriptor, std::chrono::steady_clock::time_point deadline) {
  while (true) {
    pollfd polled{.fd = descriptor, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(time_left(deadline).count()));
    if (ready < 0 && errno == EINTR) continue;
    return ready != 0;  // errors show in the write itself
  }
}

}  // namespace

std::optional<std::string> write_and_close(int descriptor, std::string_view text,
                                           std::chrono::steady_clock::time_point deadline) {
  while (!text.empty()) {
    if (!wait_until_writable(descriptor, deadline)) return "nobody reads it";
    const ssize_t written = ::write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) return std::generic_category().message(errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(descriptor) != 0 && errno != EINTR) return std::generic_category().message(errno);
  return std::nullopt;
}

void secure_standard_streams() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is an error of its write
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number is this stream's: all below are open by now.
    static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

}  // namespace tidings::check_dead_letters
