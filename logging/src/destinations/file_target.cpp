#include "destinations/file_target.hpp"

#include "destinations/notice.hpp"

#include <tidings/detail/fork_generation.hpp>
#include <tidings/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

namespace tidings::logging {

namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::chrono::seconds kRotateAgainAfter{60};

std::atomic<std::uint32_t> reopen_requests{0};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "a signal handler writes it");

// O_NONBLOCK refuses a FIFO that nobody reads, instead of waiting for a reader.
int open_for_lines(const char* path, mode_t mode) noexcept {
  const int descriptor =
      ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFL, O_APPEND);
  return descriptor;
}

/// Whether a file ends within a line. One that may only be written is taken for whole.
bool ends_within_line(const char* path, std::uint64_t size) noexcept {
  if (size == 0) return false;
  const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return false;
  char last = '\n';
  const ssize_t count = ::pread(descriptor, &last, 1, static_cast<off_t>(size - 1));
  ::close(descriptor);
  return count == 1 && last != '\n';
}

FileSinkOptions with_absolute_path(FileSinkOptions options) {
  std::error_code no_current_folder;
  auto path = std::filesystem::absolute(options.path, no_current_folder);
  if (!no_current_folder) options.path = std::move(path);
  return options;
}

bool is_name_of_stream(const std::string& path) noexcept {
  return path.starts_with("/dev/std") || path.starts_with("/dev/fd/") || path.starts_with("/proc/");
}

std::int64_t microseconds_of(const timespec& time) noexcept {
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace

void reopen_log_files() noexcept { reopen_requests.fetch_add(1, std::memory_order_relaxed); }

FileTarget::FileTarget(FileSinkOptions options)
    : options_(with_absolute_path(std::move(options))), rotates_(!is_name_of_stream(options_.path.native())) {
  tidings::detail::watch_forks();
  if (const int error = open_path(); error != 0) {
    throw Error(ErrorCode::InvalidArgument, "cannot open the log file '" + options_.path.string() +
                                                "': " + std::generic_category().message(error) +
                                                "; its folder must exist, and the service must be allowed to "
                                                "write there");
  }
}

FileTarget::~FileTarget() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileTarget::is_terminal() const noexcept { return ::isatty(descriptor_) == 1; }

std::string FileTarget::destination() const {
  std::string text = options_.path.string();
  if (!rotates_) return text;
  if (options_.max_bytes > 0) text += " max_bytes=" + std::to_string(options_.max_bytes);
  if (options_.max_age.count() > 0) text += " max_age_s=" + std::to_string(options_.max_age.count());
  const bool by_itself = options_.max_bytes > 0 || options_.max_age.count() > 0;
  return by_itself ? text + " keep=" + std::to_string(options_.keep) : text;
}

int FileTarget::open_path() noexcept {
  reopened_ = reopen_requests.load(std::memory_order_relaxed);
  generation_ = tidings::detail::fork_generation();
  next_look_ = options_.clock->monotonic_now() + kLookEvery;
  const int opened = open_for_lines(options_.path.c_str(), static_cast<mode_t>(options_.mode));
  if (opened < 0) return errno;
  struct stat facts {};
  if (::fstat(opened, &facts) != 0) {
    const int error = errno;
    ::close(opened);
    return error;
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  told_ = 0;
  descriptor_ = opened;
  regular_ = S_ISREG(facts.st_mode);
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
  size_ = regular_ ? static_cast<std::uint64_t>(facts.st_size) : 0;
  writer_ = LineWriter(regular_ && ends_within_line(options_.path.c_str(), size_));
  period_ = period_of(Timestamp(std::chrono::microseconds(microseconds_of(facts.st_mtim))));
  return 0;
}

WrittenLines FileTarget::write(std::string_view lines) noexcept {
  WrittenLines all;
  while (!lines.empty()) {
    const std::string_view part = fitting(lines);
    lines.remove_prefix(part.size());
    const WrittenLines written = write_to_one_file(part);
    all.lost += written.lost;
    if (written.error != 0) all.error = written.error;
  }
  return all;
}

std::string_view FileTarget::fitting(std::string_view lines) const noexcept {
  if (!rotates_ || !regular_ || options_.max_bytes == 0) return lines;
  const std::uint64_t room = options_.max_bytes - std::min(size_, options_.max_bytes);
  if (lines.size() <= room) return lines;
  const std::size_t last = lines.substr(0, room).rfind('\n');
  return lines.substr(0, (last == std::string_view::npos ? lines.find('\n') : last) + 1);
}

WrittenLines FileTarget::write_to_one_file(std::string_view lines) noexcept {
  const Instant now = options_.clock->monotonic_now();
  look_at_path(now);
  if (is_due(lines.size()) && now >= no_rotation_until_.value_or(now)) rotate(now);
  const WrittenLines written = writer_.write(descriptor_, lines);
  if (written.lost == 0) size_ += lines.size();
  if (options_.max_age.count() > 0) period_ = period_of(options_.clock->now());
  return written;
}

void FileTarget::look_at_path(Instant now) noexcept {
  // A forked child opens a description of its own: the lock of a rotation and the place of the last line are
  // those of the description.
  const bool asked = reopened_ != reopen_requests.load(std::memory_order_relaxed) ||
                     generation_ != tidings::detail::fork_generation();
  if (!asked && now < next_look_) return;
  next_look_ = now + kLookEvery;
  if (asked || !path_is_open_file()) {
    if (const int error = open_path(); error != 0) tell("opened again", error);
    return;
  }
  struct stat facts {};
  if (regular_ && ::fstat(descriptor_, &facts) == 0) size_ = static_cast<std::uint64_t>(facts.st_size);
}

bool FileTarget::path_is_open_file() const noexcept {
  struct stat facts {};
  return ::stat(options_.path.c_str(), &facts) == 0 && facts.st_dev == device_ && facts.st_ino == inode_;
}

std::int64_t FileTarget::period_of(Timestamp time) const noexcept {
  if (options_.max_age.count() <= 0) return 0;
  const auto since_1970 = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch();
  const std::int64_t periods = since_1970 / options_.max_age;
  return since_1970 < periods * options_.max_age ? periods - 1 : periods;
}

bool FileTarget::is_due(std::size_t bytes) const noexcept {
  if (!rotates_ || !regular_ || size_ == 0) return false;
  const bool too_large = options_.max_bytes > 0 && size_ + bytes > options_.max_bytes;
  return too_large || (options_.max_age.count() > 0 && period_of(options_.clock->now()) > period_);
}

// Under the file's own lock, so that of several processes one renames it, and the others find another file.
void FileTarget::rotate(Instant now) noexcept {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) return;
  int error = path_is_open_file() ? rename_files() : 0;
  if (error == 0) error = open_path();
  if (error == 0) return;
  ::flock(descriptor_, LOCK_UN);
  no_rotation_until_ = now + kRotateAgainAfter;
  tell("rotated", error);
}

// Where the path is a symbolic link, the file that it names: the link may be there to have it elsewhere.
int FileTarget::rename_files() noexcept {
  try {
    std::error_code unresolved;
    const std::string path = std::filesystem::canonical(options_.path, unresolved).string();
    if (unresolved) return unresolved.value();
    const auto numbered = [&](unsigned number) { return path + "." + std::to_string(number); };
    for (unsigned number = options_.keep; number > 1; --number) {
      const int renamed = ::rename(numbered(number - 1).c_str(), numbered(number).c_str());
      if (renamed != 0 && errno != ENOENT) return errno;
    }
    return ::rename(path.c_str(), numbered(1).c_str()) == 0 ? 0 : errno;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

void FileTarget::tell(const char* what, int error) noexcept {
  if (std::exchange(told_, error) == error) return;
  std::array<char, 480> text{};
  std::array<char, 128> reason{};
  static_cast<void>(std::snprintf(
      text.data(), text.size(), "the log file %s cannot be %s: %s; lines go to the one that is open",
      options_.path.c_str(), what, ::strerror_r(error, reason.data(), reason.size())));
  write_notice(text.data());
}

}  // namespace tidings::logging
