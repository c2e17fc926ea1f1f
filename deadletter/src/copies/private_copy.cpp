#include "copies/private_copy.hpp"

#include "copies/database_image.hpp"
#include "copies/vfs_file.hpp"
#include "copies/write_ahead_log.hpp"
#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kPieceCopied = 1024UL * 1024;
constexpr std::size_t kHeader = 100;
constexpr const char* kCannotMakeFolder = "cannot make the folder";

void write_at(const ScratchFile& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = ::pwrite(file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_errno(file.path());
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void set_size(const ScratchFile& file, std::uint64_t size) {
  if (::ftruncate(file.descriptor(), static_cast<off_t>(size)) != 0) throw_errno(file.path());
}

std::uint64_t size_of(const ScratchFile& file) {
  struct stat facts {};
  if (::fstat(file.descriptor(), &facts) != 0) throw_errno(file.path());
  return static_cast<std::uint64_t>(facts.st_size);
}

void copy_bytes(const VfsFile& from, const ScratchFile& to) {
  std::vector<std::byte> buffer(kPieceCopied);
  const std::uint64_t size = from.size();
  for (std::uint64_t at = 0; at < size; at += buffer.size()) {
    const std::span<std::byte> part(
        buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(kPieceCopied, size - at)));
    from.read(at, part);
    write_at(to, at, part);
  }
}

void put_number(std::array<std::byte, kHeader>& header, std::size_t at, std::uint32_t number) {
  for (std::size_t i = 0; i < 4; ++i) header[at + i] = static_cast<std::byte>(number >> (24 - 8 * i) & 0xffU);
}

std::uint32_t take_number(const std::array<std::byte, kHeader>& header, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8U | std::to_integer<std::uint32_t>(header[at + i]);
  return number;
}

/// Corrects the values that SQLite requires in a header. Returns true if one was wrong.
bool mend_header(std::array<std::byte, kHeader>& header, std::uint32_t page_size) {
  constexpr std::string_view kHeaderMagic("SQLite format 3\0", 16);
  const auto before = header;
  std::transform(kHeaderMagic.begin(), kHeaderMagic.end(), header.begin(),
                 [](char c) { return std::byte(c); });
  const std::uint32_t said = page_size == 65'536 ? 1 : page_size;
  header[16] = static_cast<std::byte>(said >> 8U);
  header[17] = static_cast<std::byte>(said & 0xffU);
  if (!std::equal(before.begin(), before.begin() + 18, header.begin())) header[20] = std::byte(0);
  header[21] = std::byte(64);
  header[22] = std::byte(32);
  header[23] = std::byte(32);
  if (take_number(header, 44) < 1 || take_number(header, 44) > 4) put_number(header, 44, 4);
  if (take_number(header, 56) < 1 || take_number(header, 56) > 3) put_number(header, 56, 1);
  return header != before;
}

/// Also sets the values that make it readable without a -wal file, and its length.
bool write_header(const ScratchFile& copy, std::uint32_t page_size, std::uint64_t pages) {
  std::array<std::byte, kHeader> header{};
  if (::pread(copy.descriptor(), header.data(), header.size(), 0) < 0) throw_errno(copy.path());
  const bool mended = mend_header(header, page_size);
  header[18] = header[19] = std::byte(1);
  put_number(header, 28, static_cast<std::uint32_t>(pages));
  put_number(header, 92, take_number(header, 24));
  write_at(copy, 0, header);
  return mended;
}

/// Nullopt if there is no such file.
WriteAheadLog take_over_log(const std::filesystem::path& wal, const ScratchFile& copy) {
  struct stat facts {};
  if (::stat(wal.c_str(), &facts) != 0 || facts.st_size == 0) return {};
  const MappedFile file(wal);
  WriteAheadLog log = read_write_ahead_log(file.bytes());
  if (log.pages.empty()) return {};
  // A log cannot lengthen a database by more than its own pages.
  const std::uint64_t longest = size_of(copy) / log.page_size + 1 + log.pages.size();
  if (log.database_pages > longest) return {};
  for (const auto& page : log.pages) {
    if (page.number <= log.database_pages)
      write_at(copy, (std::uint64_t{page.number} - 1) * log.page_size, page.content);
  }
  set_size(copy, std::uint64_t{log.database_pages} * log.page_size);
  return log;
}

}  // namespace

ScratchFile::ScratchFile(std::filesystem::path folder) : folder_(std::move(folder)), path_(folder_ / "copy") {
  // Another may finish, and remove the folder, between any two calls.
  for (int tries = 0; !own_folder(); ++tries) {
    if (tries >= 10) {
      throw unusable(kCannotMakeFolder, folder_, "others begin and end there all the time; try again",
                     ErrorCode::DatabaseBusy);
    }
  }
  empty_folder();
  if (!create_file(path_, 0600, &file_)) throw_errno(path_);
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw_errno(path_);
  identity_ = {facts.st_dev, facts.st_ino};
}

/// Returns false if it has gone meanwhile.
bool ScratchFile::own_folder() {
  constexpr mode_t kOwnOnly = 0700;
  constexpr mode_t kOthers = 0077;
  const bool made = ::mkdir(folder_.c_str(), kOwnOnly) == 0;
  if (!made && errno != EEXIST) throw_errno(folder_);
  lock_ = Descriptor(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock_ && errno == ENOENT) return false;
  struct stat facts {};
  const bool own = lock_ && ::fstat(lock_.get(), &facts) == 0 && facts.st_uid == ::geteuid() &&
                   (facts.st_mode & kOthers) == 0;
  if (!own) {
    throw unusable(kCannotMakeFolder, folder_,
                   "something is there that is not a folder of this user alone; look who made it, and remove "
                   "it, or give a path in a folder where nobody else may write",
                   ErrorCode::InvalidArgument);
  }
  if (::fchmod(lock_.get(), kOwnOnly) != 0) throw_errno(folder_);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno(folder_);
    throw unusable(kCannotMakeFolder, folder_, "another process writes to the same place; wait for it",
                   ErrorCode::DatabaseBusy);
  }
  return FileIdentity::of(folder_) == FileIdentity{facts.st_dev, facts.st_ino};
}

void ScratchFile::empty_folder() const {
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    std::filesystem::remove(entry.path());
}

ScratchFile::~ScratchFile() {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    static_cast<void>(::unlink((path_.native() + suffix).c_str()));
  static_cast<void>(::rmdir(folder_.c_str()));
}

void ScratchFile::require_same(const Connection& connection) const {
  if (identity_of(connection, path_) == identity_) return;
  throw unusable(kCannotMakeFolder, folder_,
                 "somebody has put another file in its place; give a path in a folder where nobody else may "
                 "write");
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) throw_errno(path);
  if (facts.st_size == 0 || !S_ISREG(facts.st_mode)) return;
  size_ = static_cast<std::size_t>(facts.st_size);
  memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory_ == MAP_FAILED) throw_errno(path);
}

MappedFile::~MappedFile() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

std::span<const std::byte> MappedFile::bytes() const noexcept {
  return {static_cast<const std::byte*>(memory_), size_};
}

CopyFacts copy_damaged(const VfsFile& database, const std::filesystem::path& wal, const ScratchFile& copy) {
  copy_bytes(database, copy);
  CopyFacts facts;
  const WriteAheadLog log = take_over_log(wal, copy);
  facts.pages_from_wal = static_cast<std::int64_t>(log.pages.size());
  facts.page_size =
      log.pages.empty() ? DatabaseImage::page_size_of(MappedFile(copy.path()).bytes()) : log.page_size;
  // A file that was cut off may end within a page.
  const std::uint64_t pages =
      std::max<std::uint64_t>(1, (size_of(copy) + facts.page_size - 1) / facts.page_size);
  set_size(copy, pages * facts.page_size);
  facts.header_was_damaged = write_header(copy, facts.page_size, pages);
  return facts;
}

}  // namespace tidings::deadletter
