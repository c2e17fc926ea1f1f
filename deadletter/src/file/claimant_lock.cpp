#include "file/claimant_lock.hpp"

#include "file/owner_file.hpp"
#include "file/per_process.hpp"

#include <tidings/journal.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <set>
#include <utility>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

namespace {

/// The files that this process holds such locks of. A forked child closes them: a lock lives as long as
/// anybody has its open file.
struct ClaimantDescriptors {
  std::set<int> descriptors;

  void leave_to_parent() {
    for (const int descriptor : descriptors) ::close(descriptor);
    descriptors.clear();
  }
};
using ClaimantFiles = PerProcess<ClaimantDescriptors>;

/// Two claimants of one byte make each other seem alive for longer, and no more.
struct flock byte_of(std::string_view claimed_by) noexcept {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(OwnerFile::kLockedSize + (crash_slot_hash(claimed_by) >> 3U));
  lock.l_len = 1;
  return lock;
}

}  // namespace

ClaimantLock::ClaimantLock(std::filesystem::path owner_file, unsigned mode)
    : path_(std::move(owner_file)), mode_(mode), process_(::getpid()) {}

ClaimantLock::~ClaimantLock() { close(); }

void ClaimantLock::hold(const std::string& claimed_by) noexcept {
  if (::getpid() != process_) return;
  try {
    if (!file_.is_at(path_)) open();
    struct flock lock = byte_of(claimed_by);
    static_cast<void>(::fcntl(file_.get(), F_OFD_SETLK, &lock));  // once more does no harm
  } catch (const std::exception&) {
    return;
  }
}

bool ClaimantLock::is_held(const std::filesystem::path& owner_file, std::string_view claimed_by) noexcept {
  const Descriptor file(::open(owner_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct flock lock = byte_of(claimed_by);
  return file && ::fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void ClaimantLock::open() {
  close();
  ClaimantFiles& files = ClaimantFiles::instance();
  const MutexLock guard(files.mutex);
  Descriptor opened = OwnerFile::open(path_, mode_);
  files.state.descriptors.insert(opened.get());
  file_ = std::move(opened);
}

void ClaimantLock::close() noexcept {
  if (!file_) return;
  // A forked child has closed it, and may have another file of that number.
  if (::getpid() != process_) return file_.forget();
  ClaimantFiles& files = ClaimantFiles::instance();
  const MutexLock guard(files.mutex);
  files.state.descriptors.erase(file_.get());
  file_ = Descriptor();
}

}  // namespace tidings::deadletter
