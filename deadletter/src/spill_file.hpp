#pragma once

#include "file_system.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
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

/// The file of last but one resort: takes letters, one a line, while the database cannot.
///
/// Any number of processes may append to the same file: each append holds its lock. Not thread-safe.
class SpillFile {
 public:
  struct Options {
    unsigned mode = 0600;
    /// Disk space kept for what is to come, beyond the end of the file.
    std::uint64_t reserve = 0;
    /// How long an append waits for another process's.
    std::chrono::milliseconds lock_timeout = std::chrono::seconds(5);
    FileCalls calls = FileCalls::of_the_system();
  };

  /// Opens nothing yet.
  SpillFile(std::filesystem::path path, Options options);

  /// Opens or creates the file and sets space aside. Throws Error(DatabaseUnusable) with what to do about it.
  void open();

  /// Appends each line with a line feed, then syncs. Gives for each line why it was not saved, empty when it
  /// was. Where a line fails the file ends as it did before that line. Throws only std::bad_alloc.
  [[nodiscard]] std::vector<std::string> append(std::span<const std::string> lines);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void open_descriptor();
  void reopen_if_replaced();
  void lock() const;
  void set_space_aside(off_t end) const noexcept;
  void append_locked(std::span<const std::string> lines, std::vector<std::string>& problems);
  [[nodiscard]] off_t end() const;
  [[nodiscard]] bool ends_inside_a_line(off_t end) const;
  void write_all(const std::string& bytes, off_t offset) const;

  std::filesystem::path path_;
  Options options_;
  Descriptor file_;
};

}  // namespace tidings::deadletter
