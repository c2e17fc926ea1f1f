#pragma once

#include <tidings/deadletter/reader.hpp>

#include "file/file_system.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace tidings::deadletter {

/// A spill file under its lock. Lines keep their places, since the import counts bytes: an erased line
/// becomes empty lines, which the import skips. Throws Error.
class LockedSpill {
 public:
  /// `path` must outlive it. Waits for the lock until `deadline`. A file that does not exist has no letters.
  LockedSpill(const std::filesystem::path& path, std::chrono::steady_clock::time_point deadline);

  /// Erases the letters that match, synced, and returns how many.
  std::int64_t erase(const Filter& filter);
  [[nodiscard]] std::int64_t count(const Filter& filter) const;

 private:
  /// How many letters match, and where the line of each is.
  std::int64_t visit(const Filter& filter, const std::function<void(off_t, std::size_t)>& visitor) const;
  [[noreturn]] void fail() const;
  void lock(std::chrono::steady_clock::time_point deadline) const;
  /// With its line feed; empty at the end.
  [[nodiscard]] std::string read_line(off_t offset) const;
  void blank(off_t offset, std::size_t size) const;

  const std::filesystem::path& path_;
  Descriptor file_;
};

}  // namespace tidings::deadletter
