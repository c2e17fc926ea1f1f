#include "file/file_system.hpp"

#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>

namespace tidings::deadletter {
namespace {

/// Looks into the kernel's list of all locks, one a line, with the kind and `MAJOR:MINOR:INODE` of the file
/// (proc(5), /proc/locks).
bool has_lock(const std::filesystem::path& path, const char* kind, const char* range = "") {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return false;
  std::array<char, 64> file{};
  std::snprintf(file.data(), file.size(), " %02x:%02x:%llu ", major(facts.st_dev), minor(facts.st_dev),
                static_cast<unsigned long long>(facts.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.find(file.data()) != std::string::npos && line.find(kind) != std::string::npos &&
        line.find(range) != std::string::npos)
      return true;
  }
  return false;
}

}  // namespace

// Asks for nothing else than the inode: from Linux 6.13 on, a file whose times were asked for gets finer ones
// with the next write, and each synced commit to a -wal file that is looked at before took 70 us more.
std::optional<FileIdentity> FileIdentity::of(const std::filesystem::path& path) noexcept {
  struct statx facts {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_SYNC_AS_STAT, STATX_INO, &facts) != 0) return std::nullopt;
  return FileIdentity{::makedev(facts.stx_dev_major, facts.stx_dev_minor), facts.stx_ino};
}

Descriptor::Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Descriptor::~Descriptor() {
  // Data is synced before it counts, so close has nothing left to report.
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Descriptor::is_at(const std::filesystem::path& path) const noexcept {
  struct stat facts {};
  return descriptor_ >= 0 && ::fstat(descriptor_, &facts) == 0 &&
         FileIdentity::of(path) == FileIdentity{facts.st_dev, facts.st_ino};
}

std::string errno_text(int error_number) { return std::generic_category().message(error_number); }

void throw_errno() { throw std::system_error(errno, std::generic_category()); }

void throw_errno(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), printable(path.native()));
}

bool create_file(const std::filesystem::path& path, unsigned mode, Descriptor* opened) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  Descriptor file(::open(path.c_str(), flags, static_cast<mode_t>(mode)));
  if (!file) {
    if (errno == EEXIST) return false;
    throw_errno(path);
  }
  if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) throw_errno(path);
  sync_folder(path.parent_path());
  if (opened != nullptr) *opened = std::move(file);
  return true;
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor) {
    // A folder may be writable but not readable; then there is no way to sync it.
    if (errno == EACCES) return;
    throw_errno(folder);
  }
  // Some file systems cannot sync folders and say so with EINVAL.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) throw_errno(folder);
}

bool is_locked_by_anyone(const std::filesystem::path& path) { return has_lock(path, ""); }

/// The bytes of SQLite's shared lock (SHARED_FIRST and SHARED_SIZE in its os.h). Locks of flock(2) and leases
/// are no connection's.
bool is_shared_by_anyone(const std::filesystem::path& path) {
  return has_lock(path, " READ ", " 1073741826 1073742335");
}

std::filesystem::path resolve_path(const std::filesystem::path& path, const std::string& what) {
  if (path.empty())
    throw Error(ErrorCode::InvalidArgument, "the path of the " + what + " is empty; give a file name");
  if (path.native().find('\0') != std::string::npos) {
    throw unusable("the path of the " + what, path, "it holds a NUL character; give a file name without",
                   ErrorCode::InvalidArgument);
  }
  std::error_code problem;
  auto absolute = std::filesystem::absolute(path, problem);
  if (!problem) absolute = std::filesystem::weakly_canonical(absolute, problem);
  if (problem) {
    const bool forbidden = problem == std::errc::permission_denied;
    throw unusable(
        "cannot find the " + what, path,
        problem.message() + (forbidden ? "; run as the service's user or group" : "; check the path"));
  }
  return absolute;
}

}  // namespace tidings::deadletter
