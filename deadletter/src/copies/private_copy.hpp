#pragma once

#include "file/file_system.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/opened_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tidings::deadletter {

class VfsFile;

/// A file for SQLite to fill, made new in a folder of its own (both accessible to this user alone, whatever
/// the umask), and removed after use. So even in a folder that others may write, nobody has it open or can
/// put a journal beside it. The folder is locked for as long as this object lives. A folder that was left by
/// a process that died is emptied and used again.
class ScratchFile {
 public:
  /// Throws Error: DatabaseBusy when another process uses the folder; InvalidArgument when something else is
  /// there; std::system_error.
  explicit ScratchFile(std::filesystem::path folder);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }
  /// From now on SQLite may open it: no descriptor of this process is closed while it does.
  void close() noexcept { file_ = Descriptor(); }
  /// Throws Error(DatabaseUnusable) unless the connection is to this file: a user who may rename the folder
  /// could have put another in its place.
  void require_same(const Connection& connection) const;

 private:
  [[nodiscard]] bool own_folder();
  void empty_folder() const;

  std::filesystem::path folder_;
  std::filesystem::path path_;
  Descriptor lock_;
  Descriptor file_;
  FileIdentity identity_;
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

/// The parts that a copy of a damaged database was completed with.
struct CopyFacts {
  std::uint32_t page_size = 0;
  std::int64_t pages_from_wal = 0;
  bool header_was_damaged = false;
};

/// Turns `copy` into one file that SQLite can open as far as possible: the bytes of `database`, overwritten
/// with the committed pages of its -wal file, padded to whole pages, and a header that matches. Throws
/// SQLite::Exception, std::system_error.
[[nodiscard]] CopyFacts copy_damaged(const VfsFile& database, const std::filesystem::path& wal,
                                     const ScratchFile& copy);

}  // namespace tidings::deadletter
