#pragma once

#include "file_system.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tidings::deadletter {

class VfsFile;

/// A file that is made new (mode 0600), and removed when its use is over.
class ScratchFile {
 public:
  /// Throws Error(InvalidArgument) when there is something of that name, std::system_error.
  explicit ScratchFile(std::filesystem::path path);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  /// Removes it, with what SQLite may have put beside it.
  ~ScratchFile();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }
  /// From now on SQLite may open it: no descriptor of ours is closed any more while it does.
  void close() noexcept { file_ = Descriptor(); }

 private:
  void remove_beside() const noexcept;

  std::filesystem::path path_;
  Descriptor file_;
};

/// A file's bytes, mapped into memory; read-only. Throws std::system_error.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// What a copy of a damaged database had to be given.
struct CopyFacts {
  std::uint32_t page_size = 0;
  std::int64_t pages_from_wal = 0;
  bool header_was_damaged = false;
};

/// Makes of `copy` one file that SQLite opens as far as it can: the bytes of `database`, over which go the
/// committed pages of its -wal file, whole pages, and a header that says so. Throws SQLite::Exception,
/// std::system_error.
[[nodiscard]] CopyFacts copy_damaged(const VfsFile& database, const std::filesystem::path& wal,
                                     const ScratchFile& copy);

}  // namespace tidings::deadletter
