#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// The facts about the place of a database besides its path.
struct Placement {
  /// The file itself is mounted there (a single file that is bound into a container). Its -wal and -shm files
  /// would be beside it, in another file system: other processes that have the file open would not see the
  /// commits, which would be lost with the container.
  bool is_mount_point = false;
  /// The name of its file system, if it may be shared with other machines, so that SQLite's locks and its
  /// shared memory do not work; else empty.
  std::string network = {};
};

/// The placement of a file, or of the folder in which it would be. Facts that cannot be determined are
/// assumed to be fine.
[[nodiscard]] Placement placement_of(const std::filesystem::path& path) noexcept;

/// Whether a line of the kernel's list of mounts (proc(5), /proc/self/mountinfo) is of this mount point.
[[nodiscard]] bool is_in_mounts(std::string_view mountinfo, const std::filesystem::path& path);

/// Throws Error(DatabaseUnusable) for a file that is a mount point.
void require_placement(const std::string& what_failed, const std::filesystem::path& path,
                       const Placement& placement);

}  // namespace tidings::deadletter
