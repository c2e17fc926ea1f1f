#include "spill_file.hpp"

#include "sqlite_error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace tidings::deadletter {
namespace {

[[noreturn]] void throw_errno() { throw std::system_error(errno, std::generic_category()); }

/// Beyond the end and without moving it, so that the size stays the number of bytes that wait.
int set_aside_beyond_end(int descriptor, off_t offset, off_t count) {
  return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, count);
}

/// Holds a lock that ends with this object, not with the descriptor.
class LockRelease {
 public:
  explicit LockRelease(int descriptor) noexcept : descriptor_(descriptor) {}
  LockRelease(const LockRelease&) = delete;
  LockRelease& operator=(const LockRelease&) = delete;
  ~LockRelease() { ::flock(descriptor_, LOCK_UN); }

 private:
  int descriptor_;
};

}  // namespace

FileCalls FileCalls::of_the_system() noexcept {
  return {&::pwrite, &::fsync, &::ftruncate, &set_aside_beyond_end};
}

SpillFile::SpillFile(std::filesystem::path path, Options options)
    : path_(std::move(path)), options_(options) {}

void SpillFile::open() {
  try {
    open_descriptor();
    set_space_aside(end());
  } catch (const std::system_error& error) {
    throw unusable("cannot open the spill file", path_,
                   error.code().message() + "; it needs a folder that this user may write, see spill_path");
  }
}

void SpillFile::open_descriptor() {
  Descriptor opened;
  // Twice, should another process remove the file between the two calls.
  for (int tries = 0; !create_file(path_, options_.mode, &opened); ++tries) {
    opened = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (opened) break;
    if (errno != ENOENT || tries > 0) throw_errno();
  }
  struct stat facts {};
  if (::fstat(opened.get(), &facts) != 0) throw_errno();
  if (!S_ISREG(facts.st_mode)) {
    throw unusable("cannot open the spill file", path_, "it is not a regular file; give another spill_path");
  }
  file_ = std::move(opened);
}

void SpillFile::reopen_if_replaced() {
  struct stat ours {};
  struct stat current {};
  const bool same = file_ && ::fstat(file_.get(), &ours) == 0 && ::stat(path_.c_str(), &current) == 0 &&
                    ours.st_ino == current.st_ino && ours.st_dev == current.st_dev;
  if (!same) open_descriptor();
}

void SpillFile::set_space_aside(off_t end) const noexcept {
  if (options_.reserve == 0) return;
  // A reserve is a kindness, not a promise: not every file system can, and a full disk cannot now.
  static_cast<void>(options_.calls.set_aside(file_.get(), end, static_cast<off_t>(options_.reserve)));
}

off_t SpillFile::end() const {
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw_errno();
  return facts.st_size;
}

bool SpillFile::ends_inside_a_line(off_t end) const {
  char last = '\n';
  if (end > 0 && ::pread(file_.get(), &last, 1, end - 1) < 0) throw_errno();
  return last != '\n';
}

void SpillFile::lock() const {
  const auto deadline = std::chrono::steady_clock::now() + options_.lock_timeout;
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno();
    if (std::chrono::steady_clock::now() >= deadline) {
      throw unusable("cannot append to the spill file", path_, "another process has locked it for too long");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void SpillFile::write_all(const std::string& bytes, off_t offset) const {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = options_.calls.write_at(file_.get(), bytes.data() + written, bytes.size() - written,
                                                  offset + static_cast<off_t>(written));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) throw_errno();
    written += static_cast<std::size_t>(count);
  }
}

std::vector<std::string> SpillFile::append(std::span<const std::string> lines) {
  std::vector<std::string> problems(lines.size());
  if (lines.empty()) return problems;
  try {
    reopen_if_replaced();
    lock();
    const LockRelease release(file_.get());
    append_locked(lines, problems);
  } catch (const std::system_error& error) {
    problems.assign(lines.size(),
                    unusable("cannot append to the spill file", path_, error.code().message()).what());
  } catch (const Error& error) {
    problems.assign(lines.size(), error.what());
  }
  return problems;
}

void SpillFile::append_locked(std::span<const std::string> lines, std::vector<std::string>& problems) {
  const off_t before = end();
  off_t offset = before;
  // A line that another process died in stays, as one line of its own; it was never acknowledged.
  std::string separator = ends_inside_a_line(before) ? "\n" : "";
  bool gave_space_back = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string bytes = separator + lines[i] + "\n";
    try {
      write_all(bytes, offset);
      offset += static_cast<off_t>(bytes.size());
      separator.clear();
    } catch (const std::system_error& error) {
      problems[i] = unusable("cannot append to the spill file", path_, error.code().message()).what();
      if (options_.calls.truncate(file_.get(), offset) != 0) throw_errno();
      gave_space_back = true;
    }
  }
  if (options_.calls.sync(file_.get()) != 0) {
    const std::system_error error(errno, std::generic_category());
    static_cast<void>(options_.calls.truncate(file_.get(), before));
    throw std::system_error(error);
  }
  if (gave_space_back) set_space_aside(offset);
}

}  // namespace tidings::deadletter
