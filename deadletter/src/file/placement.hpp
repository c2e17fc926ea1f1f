#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// What there is to know of the place of a database besides its path.
struct Placement {
  /// The file itself is mounted there (a single file that is bound into a container). Its -wal and -shm files
  /// would be beside it, in another file system: others who have the file would not see what is committed,
  /// and it is lost with the container.
  bool is_mount_point = false;
  /// The name of its file system, when that may be shared with other machines, on which SQLite's locks and
  /// its shared memory do not work; else empty.
  std::string network = {};
};

/// Of a file, or of the folder in which it would be. What cannot be told is taken for right.
[[nodiscard]] Placement placement_of(const std::filesystem::path& path) noexcept;

/// Whether a line of the kernel's list of mounts (proc(5), /proc/self/mountinfo) is of this mount point.
[[nodiscard]] bool is_in_mounts(std::string_view mountinfo, const std::filesystem::path& path);

/// Throws Error(DatabaseUnusable) for a file that is a mount point.
void require_placement(const std::string& what_failed, const std::filesystem::path& path,
                       const Placement& placement);

}  // namespace tidings::deadletter
