#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

namespace tidings::deadletter {

/// A file descriptor, closed on destruction.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  /// Without closing it.
  void forget() noexcept { descriptor_ = -1; }
  explicit operator bool() const noexcept { return descriptor_ >= 0; }
  /// Whether the path leads to this file.
  [[nodiscard]] bool is_at(const std::filesystem::path& path) const noexcept;

 private:
  int descriptor_ = -1;
};

/// A file, whatever its path: a path may lead to another one tomorrow.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  /// Nullopt if there is no file, or if it cannot be seen: errno says which.
  [[nodiscard]] static std::optional<FileIdentity> of(const std::filesystem::path& path) noexcept;

  friend bool operator==(const FileIdentity& left, const FileIdentity& right) noexcept {
    return left.device == right.device && left.inode == right.inode;
  }
};

/// The message of errno.
[[nodiscard]] std::string errno_text(int error_number);

/// Throws errno as std::system_error, with the path if one is given.
[[noreturn]] void throw_errno();
[[noreturn]] void throw_errno(const std::filesystem::path& path);

/// Creates an empty file with exactly this mode, whatever the umask, and makes its name durable. Returns
/// false if there is a file (or link) of that name. Throws std::system_error.
[[nodiscard]] bool create_file(const std::filesystem::path& path, unsigned mode,
                               Descriptor* opened = nullptr);

/// Makes the names in a folder durable. Throws std::system_error.
void sync_folder(const std::filesystem::path& folder);

/// Whether any process has a lock on the file, as far as the kernel reports: locks of other containers may be
/// hidden.
[[nodiscard]] bool is_locked_by_anyone(const std::filesystem::path& path);
/// Whether any process has a lock that it shares with others, as each connection of SQLite that has read
/// something in WAL mode has on its database.
[[nodiscard]] bool is_shared_by_anyone(const std::filesystem::path& path);

/// An absolute path of the same file, with links resolved, which a change of the working directory does not
/// affect. Throws Error(InvalidArgument) when it is empty or holds a NUL, Error(DatabaseUnusable) when it
/// cannot be resolved.
[[nodiscard]] std::filesystem::path resolve_path(const std::filesystem::path& path, const std::string& what);

}  // namespace tidings::deadletter
