#include "copies/vfs_file.hpp"

#include <SQLiteCpp/Exception.h>

namespace tidings::deadletter {
namespace {

void require_ok(int result) {
  if (result != SQLITE_OK) throw SQLite::Exception(sqlite3_errstr(result), result);
}

}  // namespace

VfsFile::VfsFile(const std::filesystem::path& path, const std::string& vfs)
    // SQLite looks for parameters of a URI behind the name's end.
    : name_(path.native() + std::string(3, '\0')) {
  sqlite3_vfs* const files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (files == nullptr) throw SQLite::Exception("no such VFS", SQLITE_ERROR);
  memory_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(files->szOsFile));
  file_ = reinterpret_cast<sqlite3_file*>(memory_.get());
  int flags = 0;
  // SQLite opens it read-only if this user may not write.
  const int result =
      files->xOpen(files, name_.c_str(), file_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, &flags);
  if (result != SQLITE_OK && file_->pMethods != nullptr) file_->pMethods->xClose(file_);
  require_ok(result);
  writable_ = (flags & SQLITE_OPEN_READONLY) == 0;
}

VfsFile::~VfsFile() {
  file_->pMethods->xUnlock(file_, SQLITE_LOCK_NONE);
  file_->pMethods->xClose(file_);
}

std::uint64_t VfsFile::size() const {
  sqlite3_int64 size = 0;
  require_ok(file_->pMethods->xFileSize(file_, &size));
  return static_cast<std::uint64_t>(size);
}

void VfsFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  require_ok(file_->pMethods->xRead(file_, bytes.data(), static_cast<int>(bytes.size()),
                                    static_cast<sqlite3_int64>(offset)));
}

bool VfsFile::lock() {
  if (!writable_) return true;
  for (const int level : {SQLITE_LOCK_SHARED, SQLITE_LOCK_EXCLUSIVE}) {
    const int result = file_->pMethods->xLock(file_, level);
    if ((result & 0xff) == SQLITE_BUSY) return false;
    require_ok(result);
  }
  return true;
}

}  // namespace tidings::deadletter
