#include "file/owner_file.hpp"

#include "file/companions.hpp"
#include "file/per_process.hpp"
#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotOwn = "cannot own the journal: its owner file";
/// "tidings\n", read as a number on the machines that tidings runs on.
constexpr std::uint64_t kMagic = 0x0a73676e69646974ULL;
constexpr std::uint32_t kFormat = 1;
constexpr std::string_view kSuffix = ".owner";
/// A page, so that slots keep their alignment and the header shares no cache line with them.
constexpr std::size_t kHeaderSize = 4096;
constexpr std::size_t kFileSize = kHeaderSize + OwnerFile::kSlots * sizeof(CrashSlot);
/// How often a wait checks again: the kernel does not notify a process when another one ends.
constexpr std::chrono::milliseconds kBetweenLooks{5};

static_assert(sizeof(CrashSlot) == 64);
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

/// The owner files that this process owns. Held while such a file is opened and until it is locked, so that
/// no descriptor is closed that shares its file with another's lock.
struct OwnedFiles {
  using File = std::pair<dev_t, ino_t>;
  struct Owned {
    int descriptor = -1;
    std::byte* memory = nullptr;
  };
  std::map<File, Owned> owned;

  [[nodiscard]] bool has(const struct stat& facts) const {
    return owned.contains({facts.st_dev, facts.st_ino});
  }

  /// The locks are the parent's as long as nobody else has its open files: neither descriptors nor mappings
  /// of them stay. Writes to the memory have no effect.
  void leave_to_parent() {
    for (const auto& [file, mine] : owned) {
      ::close(mine.descriptor);
      static_cast<void>(::mmap(mine.memory, kFileSize, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    }
    owned.clear();
  }
};
using Register = PerProcess<OwnedFiles>;

struct flock part_of_file(short type, off_t start, off_t length) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

constexpr auto kEndOfLocks = static_cast<off_t>(OwnerFile::kLockedSize);

/// The byte whose lock names its holder, and the others, whose lock is the ownership.
struct flock name_lock(short type) noexcept {
  return part_of_file(type, 0, 1);
}
struct flock owner_lock(short type) noexcept {
  return part_of_file(type, 1, kEndOfLocks - 1);
}
struct flock both_locks(short type) noexcept {
  return part_of_file(type, 0, kEndOfLocks);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
  throw unusable(kCannotOwn, path, why);
}

}  // namespace

struct OwnerFile::Header {
  std::uint64_t magic;
  std::uint32_t format;
  std::uint32_t clean;
  std::int64_t process;
  std::array<char, 64> boot_id;
  std::int64_t boot_time;  // when it was signed

  [[nodiscard]] bool is_blank() const noexcept { return magic == 0; }
  [[nodiscard]] bool is_ours() const noexcept { return magic == kMagic; }
  /// Not if the machine was rebooted since: a boot id shows that, or, if there is none, a clock that started
  /// again.
  [[nodiscard]] bool crashed_on(const std::string& boot, std::int64_t now) const noexcept {
    if (!is_ours() || format != kFormat || clean != 0) return false;
    const std::string_view signed_on(boot_id.data(), ::strnlen(boot_id.data(), boot_id.size()));
    return boot.empty() || signed_on.empty() ? boot_time <= now : boot == signed_on;
  }
};

OwnerFile::OwnerFile(std::filesystem::path path, unsigned mode, std::string boot_id,
                     std::function<std::int64_t()> boot_time)
    : path_(std::move(path)), mode_(mode), boot_id_(std::move(boot_id)), boot_time_(std::move(boot_time)) {}

OwnerFile::~OwnerFile() { release(false); }

OwnerFile::LastOwner OwnerFile::lock(std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    try {
      if (try_lock()) break;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::JournalOwned || std::chrono::steady_clock::now() >= deadline) throw;
    } catch (const std::system_error& error) {
      fail(path_, error.code().message() + "; check its mode, its folder and the disk");
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  try {
    require_ours();
    LastOwner last;
    Header header{};
    std::memcpy(&header, memory_, sizeof header);
    last.crashed = header.crashed_on(boot_id_, boot_time_());
    for (std::size_t i = 0; last.crashed && i < kSlots; ++i) {
      std::array<std::int64_t, 3> slot{};
      std::memcpy(slot.data(), memory_ + kHeaderSize + i * sizeof(CrashSlot), sizeof slot);
      if (slot[0] == 0) continue;
      last.slots.push_back(
          {slot[0], static_cast<std::uint64_t>(slot[1]), static_cast<std::uint64_t>(slot[2])});
    }
    return last;
  } catch (...) {
    release(false);
    throw;
  }
}

/// Returns true if it is locked, false if the file was replaced meanwhile. Throws Error(JournalOwned) if
/// another process owns it, std::system_error.
bool OwnerFile::try_lock() {
  Register& files = Register::instance();
  const MutexLock guard(files.mutex);
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) == 0 && files.state.has(facts)) throw owned_by(::getpid());
  Descriptor file = open(path_, mode_);
  struct flock owner = owner_lock(F_WRLCK);
  struct flock name = name_lock(F_WRLCK);
  if (::fcntl(file.get(), F_OFD_SETLK, &owner) != 0 || ::fcntl(file.get(), F_SETLK, &name) != 0) {
    require_free(file, errno);
    return false;
  }
  if (::fstat(file.get(), &facts) != 0 || !file.is_at(path_)) return false;
  // The entry comes first: if there is no memory for it, there is nothing to undo.
  const auto entry = files.state.owned.try_emplace({facts.st_dev, facts.st_ino}).first;
  try {
    map(file);
  } catch (...) {
    files.state.owned.erase(entry);
    throw;
  }
  file_ = std::move(file);
  process_ = ::getpid();
  entry->second = {file_.get(), memory_};
  return true;
}

/// Throws the error that the failure of a lock means; returns if the other owner has gone meanwhile.
void OwnerFile::require_free(const Descriptor& file, int problem) const {
  if (problem != EACCES && problem != EAGAIN) throw std::system_error(problem, std::generic_category());
  struct flock held = both_locks(F_WRLCK);
  if (::fcntl(file.get(), F_GETLK, &held) != 0 || held.l_type == F_UNLCK) return;
  struct flock name = name_lock(F_WRLCK);
  if (::fcntl(file.get(), F_GETLK, &name) == 0 && name.l_type != F_UNLCK && name.l_pid >= 0)
    throw owned_by(name.l_pid);
  // It has lost that lock: other code in its process opened and closed the file.
  Header header{};
  const auto size = static_cast<ssize_t>(sizeof header);
  const bool signed_by = ::pread(file.get(), &header, sizeof header, 0) == size && header.is_ours();
  throw owned_by(signed_by ? static_cast<pid_t>(header.process) : 0);
}

/// The disk space is allocated before anything is mapped: a store to a page without disk space would kill the
/// process.
void OwnerFile::map(const Descriptor& file) {
  const int problem = ::posix_fallocate(file.get(), 0, static_cast<off_t>(kFileSize));
  if (problem != 0) throw std::system_error(problem, std::generic_category());
  void* const memory = ::mmap(nullptr, kFileSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) throw_errno();
  memory_ = static_cast<std::byte*>(memory);
}

void OwnerFile::require_ours() const {
  Header header{};
  std::memcpy(&header, memory_, sizeof header);
  if (header.is_blank()) return;
  if (!header.is_ours()) {
    fail(path_, "it is damaged, or not tidings'; look what it is, and remove it while no service runs");
  }
  if (header.format > kFormat) fail(path_, "it was written by a newer tidings; run that, or remove it");
}

void OwnerFile::sign() noexcept {
  Header header{kMagic, kFormat, 0, process_, {}, boot_time_()};
  boot_id_.copy(header.boot_id.data(), header.boot_id.size() - 1);
  for (std::size_t i = 0; i < kSlots; ++i) {
    new (memory_ + kHeaderSize + i * sizeof(CrashSlot)) CrashSlot();
  }
  // The mark is written last, in one store: a process that dies here leaves a blank file or a signed one.
  std::memcpy(memory_ + sizeof kMagic, reinterpret_cast<const std::byte*>(&header) + sizeof kMagic,
              sizeof header - sizeof kMagic);
  std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(memory_)).store(kMagic);
}

std::span<CrashSlot> OwnerFile::slots() noexcept {
  return {std::launder(reinterpret_cast<CrashSlot*>(memory_ + kHeaderSize)), kSlots};
}

void OwnerFile::release(bool clean) noexcept {
  if (memory_ == nullptr) return;
  const bool ours = ::getpid() == process_;
  if (ours && clean) {
    Header header{};
    std::memcpy(&header, memory_, sizeof header);
    header.clean = 1;
    std::memcpy(memory_, &header, sizeof header);
  }
  ::munmap(std::exchange(memory_, nullptr), kFileSize);
  Register& files = Register::instance();
  // A forked child has closed it, and may have another file of that number.
  if (!ours) return file_.forget();
  const MutexLock guard(files.mutex);
  struct stat facts {};
  if (::fstat(file_.get(), &facts) == 0) files.state.owned.erase({facts.st_dev, facts.st_ino});
  file_ = Descriptor();
}

Error OwnerFile::owned_by(pid_t process) const {
  // In another PID namespace (a container) the kernel does not name it.
  const std::string whose = process == ::getpid() ? "another bus of this process"
                            : process > 0         ? "process " + std::to_string(process)
                                                  : std::string("a process of another container");
  return {ErrorCode::JournalOwned, "the journal " + printable(path_.native()) + " is owned by " + whose};
}

bool OwnerFile::was_left_unclean(const std::filesystem::path& path, const std::string& boot_id) noexcept {
  Register& files = Register::instance();
  const MutexLock guard(files.mutex);
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode) || files.state.has(facts)) return false;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct flock lock = both_locks(F_WRLCK);
  if (!file || ::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK) return false;
  Header header{};
  const auto size = static_cast<ssize_t>(sizeof header);
  return ::pread(file.get(), &header, sizeof header, 0) == size &&
         header.crashed_on(boot_id, boot_time_now());
}

Descriptor OwnerFile::open(const std::filesystem::path& path, unsigned mode) {
  for (int tries = 0;; ++tries) {
    Descriptor file;
    if (create_file(path, mode, &file)) return file;
    file = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && (errno != ENOENT || tries > 0)) throw_errno();
    if (!file) continue;
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) throw_errno();
    if (!S_ISREG(facts.st_mode)) fail(path, "it is not a regular file; remove it");
    require_guarded(kCannotOwn, path, facts, database_of(path));
    return file;
  }
}

std::filesystem::path OwnerFile::database_of(const std::filesystem::path& path) {
  const std::string& name = path.native();
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : std::string();
}

std::filesystem::path owner_path(const std::filesystem::path& database) {
  return database.native() + std::string(kSuffix);
}

}  // namespace tidings::deadletter
