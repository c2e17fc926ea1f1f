#include "file/placement.hpp"

#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iterator>
#include <utility>

namespace tidings::deadletter {
namespace {

/// The numbers are those of statfs(2), and of the kernel's sources where linux/magic.h lacks them.
std::string network_of(const std::filesystem::path& path) {
  using Kind = std::pair<std::uint32_t, const char*>;
  static constexpr std::array kKinds = {
      Kind(NFS_SUPER_MAGIC, "nfs"), Kind(SMB_SUPER_MAGIC, "smb"), Kind(0xff534d42U, "cifs"),
      Kind(0xfe534d42U, "smb3"),    Kind(V9FS_MAGIC, "9p"),       Kind(0x65735546U, "fuse"),
      Kind(0x00c36400U, "ceph"),    Kind(0x0bd00bd0U, "lustre"),  Kind(0x01161970U, "gfs2"),
      Kind(0x7461636fU, "ocfs2"),   Kind(0x786f4256U, "vboxsf"),  Kind(0xbacbacbcU, "vmhgfs"),
      Kind(AFS_SUPER_MAGIC, "afs"), Kind(AFS_FS_MAGIC, "afs"),    Kind(CODA_SUPER_MAGIC, "coda"),
  };
  struct statfs facts {};
  if (::statfs(path.c_str(), &facts) != 0 && ::statfs(path.parent_path().c_str(), &facts) != 0) return {};
  for (const auto& [kind, name] : kKinds) {
    if (static_cast<std::uint32_t>(facts.f_type) == kind) return name;
  }
  return {};
}

/// Kernels before 5.8 do not say it of a file.
bool is_mounted_itself(const std::filesystem::path& path) {
  struct statx facts {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &facts) != 0) return false;
  if ((facts.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
    return (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  std::ifstream mounts("/proc/self/mountinfo");
  return is_in_mounts(std::string(std::istreambuf_iterator<char>(mounts), {}), path);
}

/// As the kernel writes paths there.
std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) {
    switch (c) {
      case ' ':
        text += "\\040";
        break;
      case '\t':
        text += "\\011";
        break;
      case '\n':
        text += "\\012";
        break;
      case '\\':
        text += "\\134";
        break;
      default:
        text += c;
    }
  }
  return text;
}

}  // namespace

bool is_in_mounts(std::string_view mountinfo, const std::filesystem::path& path) {
  constexpr int kFieldsBefore = 4;
  const std::string wanted = escaped(path.native());
  while (!mountinfo.empty()) {
    std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    for (int i = 0; i < kFieldsBefore; ++i) {
      const auto space = line.find(' ');
      line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    }
    if (!line.empty() && line.substr(0, line.find(' ')) == wanted) return true;
  }
  return false;
}

Placement placement_of(const std::filesystem::path& path) noexcept {
  try {
    return {is_mounted_itself(path), network_of(path)};
  } catch (const std::exception&) {
    return {};
  }
}

void require_placement(const std::string& what_failed, const std::filesystem::path& path,
                       const Placement& placement) {
  if (!placement.is_mount_point) return;
  throw unusable(
      what_failed, path,
      "the file itself is a mount point (a single file that is bound into a container), so that its "
      "-wal and -shm files would stay beside it in this container, and be lost with it; mount its "
      "directory instead, with the database in it");
}

}  // namespace tidings::deadletter
