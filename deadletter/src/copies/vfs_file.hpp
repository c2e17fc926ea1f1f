#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace tidings::deadletter {

/// A database file that is read as plain bytes: opened and closed by SQLite's own file layer, since closing
/// another descriptor of the file would end the locks that this process has on it. Members throw
/// SQLite::Exception.
class VfsFile {
 public:
  VfsFile(const std::filesystem::path& path, const std::string& vfs);
  VfsFile(const VfsFile&) = delete;
  VfsFile& operator=(const VfsFile&) = delete;
  ~VfsFile();

  [[nodiscard]] std::uint64_t size() const;
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;
  /// Takes SQLite's exclusive lock, kept as long as this object lives. Returns false if a process has the
  /// database open; true, without a lock, if this user may not write the file.
  [[nodiscard]] bool lock();

 private:
  std::string name_;
  std::unique_ptr<std::byte[]> memory_;
  sqlite3_file* file_ = nullptr;
  bool writable_ = false;
};

}  // namespace tidings::deadletter
