#include "destinations/descriptor.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace tidings::logging {

namespace {

// Until the pipe, socket or terminal takes more; for a descriptor that somebody made non-blocking.
void wait_for_room(int descriptor) noexcept {
  pollfd wanted{descriptor, POLLOUT, 0};
  static_cast<void>(::poll(&wanted, 1, -1));
}

struct Progress {
  std::size_t bytes = 0;
  int error = 0;
};

Progress write_all(int descriptor, std::string_view text) noexcept {
  Progress progress;
  while (progress.bytes < text.size()) {
    const ssize_t written = ::write(descriptor, text.data() + progress.bytes, text.size() - progress.bytes);
    if (written > 0) {
      progress.bytes += static_cast<std::size_t>(written);
    } else if (written == 0) {
      progress.error = ENOSPC;
      break;
    } else if (errno == EAGAIN) {
      wait_for_room(descriptor);
    } else if (errno != EINTR) {
      progress.error = errno;
      break;
    }
  }
  return progress;
}

/// Takes the last `bytes` of a file back, unless somebody has written behind them. False if they stay.
bool take_back(int descriptor, std::size_t bytes) noexcept {
  const off_t end = ::lseek(descriptor, 0, SEEK_CUR);  // where this descriptor wrote last
  struct stat facts {};
  if (end < 0 || ::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size != end)
    return false;
  const off_t whole = end - static_cast<off_t>(bytes);
  // The next line goes there also where the descriptor does not append: a shell's `> file`.
  return ::ftruncate(descriptor, whole) == 0 && ::lseek(descriptor, whole, SEEK_SET) == whole;
}

std::uint64_t count_lines(std::string_view text) noexcept {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

WrittenLines LineWriter::write(int descriptor, std::string_view lines) noexcept {
  if (cut_) {
    const Progress ended = write_all(descriptor, "\n");
    if (ended.error != 0) return {count_lines(lines), ended.error};
    cut_ = false;
  }
  const Progress progress = write_all(descriptor, lines);
  if (progress.error == 0) return {};
  const std::size_t last_end = lines.substr(0, progress.bytes).rfind('\n');
  const std::size_t whole = last_end == std::string_view::npos ? 0 : last_end + 1;
  cut_ = progress.bytes > whole && !take_back(descriptor, progress.bytes - whole);
  return {count_lines(lines.substr(whole)), progress.error};
}

bool StreamTarget::is_terminal() const noexcept { return ::isatty(descriptor_) == 1; }

std::string StreamTarget::destination() const { return descriptor_ == STDOUT_FILENO ? "stdout" : "stderr"; }

}  // namespace tidings::logging
