#pragma once

#include "destinations/descriptor.hpp"

#include <tidings/logging/sink.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace tidings::logging {

/// A file of lines that is opened again when its path names another, and rotated. Not thread-safe.
class FileTarget final : public LineTarget {
 public:
  /// The options are valid. Throws Error(InvalidArgument) when the file cannot be opened.
  explicit FileTarget(FileSinkOptions options);
  FileTarget(const FileTarget&) = delete;
  FileTarget& operator=(const FileTarget&) = delete;
  ~FileTarget() override;

  [[nodiscard]] WrittenLines write(std::string_view lines) noexcept override;
  /// For a path such as /dev/tty.
  [[nodiscard]] bool is_terminal() const noexcept override;
  [[nodiscard]] std::string destination() const override;

 private:
  /// Opens the path, and returns the errno if that fails: then the file that was open stays.
  int open_path() noexcept;
  void look_at_path(Instant now) noexcept;
  [[nodiscard]] bool path_is_open_file() const noexcept;
  /// The lines at the beginning that the file has room for, but at least one.
  [[nodiscard]] std::string_view fitting(std::string_view lines) const noexcept;
  [[nodiscard]] WrittenLines write_to_one_file(std::string_view lines) noexcept;
  [[nodiscard]] std::int64_t period_of(Timestamp time) const noexcept;
  [[nodiscard]] bool is_due(std::size_t bytes) const noexcept;
  void rotate(Instant now) noexcept;
  [[nodiscard]] int rename_files() noexcept;
  void tell(const char* what, int error) noexcept;

  FileSinkOptions options_;  // the path is absolute: the process may change its folder
  const bool rotates_;       // not what a path such as /dev/stdout names, even if it is a file
  int descriptor_ = -1;
  bool regular_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  LineWriter writer_;
  std::uint64_t size_ = 0;
  std::int64_t period_ = 0;  // of the last line
  std::uint32_t reopened_ = 0;
  std::uint64_t generation_ = 0;  // of forks, in which it was opened
  Instant next_look_{};
  std::optional<Instant> no_rotation_until_;
  int told_ = 0;  // the errno that standard error was told of last
};

}  // namespace tidings::logging
