#pragma once

#include "file/file_system.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// The system calls whose failure a spill file must survive; tests replace them.
struct FileCalls {
  ssize_t (*write_at)(int descriptor, const void* bytes, std::size_t count, off_t offset);
  int (*sync)(int descriptor);
  int (*truncate)(int descriptor, off_t size);
  int (*set_aside)(int descriptor, off_t offset, off_t count);

  [[nodiscard]] static FileCalls of_the_system() noexcept;
};

/// The line that a spill file begins with: `{"tidings_spill":1,"token":"<uuid>"}` and a line feed. The token
/// is new whenever the file starts again from empty, so that the import record of one content is not taken
/// for another's.
struct SpillHeader {
  static constexpr std::size_t kSize = 67;

  std::string token;

  [[nodiscard]] static SpillHeader make();
  /// Returns nullopt unless `begin`, the file's first bytes, begins with a header. Throws
  /// Error(DatabaseUnusable) for the header of a newer tidings.
  [[nodiscard]] static std::optional<SpillHeader> parse(std::string_view begin);
  [[nodiscard]] std::string line() const;
  /// The header of the file at the path; nullopt if it has none or cannot be read.
  [[nodiscard]] static std::optional<SpillHeader> peek(const std::filesystem::path& path) noexcept;
};

/// The file that takes letters, one a line, while the database cannot. If it fails too, standard error is the
/// last resort.
///
/// Any number of processes may append to the same file and import from it, each under the file's lock. Not
/// thread-safe.
class SpillFile {
 public:
  struct Options {
    unsigned mode = 0600;
    /// Disk space reserved for future letters, beyond the end of the file.
    std::uint64_t reserve = 0;
    /// How long an append waits for that of another process.
    std::chrono::milliseconds lock_timeout = std::chrono::seconds(5);
    FileCalls calls = FileCalls::of_the_system();
    /// The database whose letters it takes: a user who may not write the database must not be able to write
    /// the file.
    std::filesystem::path database = {};
  };

  /// Holds the lock of the file that is at the path. Must be destroyed before its SpillFile.
  class Lock {
   public:
    explicit Lock(const Descriptor& file) noexcept : file_(file) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock();

   private:
    const Descriptor& file_;
  };

  /// Opens nothing yet.
  SpillFile(std::filesystem::path path, Options options);

  /// Opens or creates the file and reserves space. Throws Error(DatabaseUnusable) with what to do about it,
  /// also if others may write the file.
  void open();

  /// Appends each line with a line feed, then syncs. Returns for each line why it was not saved, empty if it
  /// was. If a line fails, the file ends as it did before that line. Throws only std::bad_alloc.
  [[nodiscard]] std::vector<std::string> append(std::span<const std::string> lines);

  // For the import. These throw Error and std::system_error.

  /// Takes the lock, waiting for it up to `timeout`. Throws Error(DatabaseBusy) if other processes keep it.
  [[nodiscard]] Lock lock(std::chrono::milliseconds timeout);
  // Under the lock:
  [[nodiscard]] std::uint64_t size() const;
  /// The header's token. A file without header is replaced by a copy with one.
  [[nodiscard]] std::string token();
  /// Up to `count` bytes from `offset`.
  void read(std::uint64_t offset, std::size_t count, std::string& bytes) const;
  /// Appends lines to the file at rejects_path(), and syncs it.
  void set_aside(std::span<const std::string_view> lines) const;
  /// Empties the file and reserves space again.
  void clear();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// `<path>.rejected.jsonl`.
  [[nodiscard]] std::filesystem::path rejects_path() const;

 private:
  void open_descriptor();
  [[nodiscard]] Descriptor open_or_create(const std::filesystem::path& path, unsigned mode) const;
  void set_space_aside(off_t end) const noexcept;
  void append_locked(std::span<const std::string> lines, std::vector<std::string>& problems);
  void append_rejects(std::span<const std::string_view> lines) const;
  void add_header();
  void copy_to(const Descriptor& target, off_t offset) const;
  void write_all(const Descriptor& file, std::string_view bytes, off_t offset) const;
  void sync(const Descriptor& file) const;

  std::filesystem::path path_;
  Options options_;
  Descriptor file_;
};

}  // namespace tidings::deadletter
