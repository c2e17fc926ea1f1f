#pragma once

#include "file/boot_clock.hpp"
#include "file/file_system.hpp"

#include <tidings/journal.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// An attempt recorded in a crash slot: the handler is known by its hash.
struct SlotContent {
  std::int64_t journal_id = 0;
  std::uint64_t handler = 0;
  std::uint64_t thread = 0;
};

/// The file `<database>.owner`: the process that holds its lock owns the journal. It keeps, mapped into
/// memory, the facts that the next owner needs if this one dies: its boot, its process, and which deliveries
/// its threads were running.
///
/// The lock is that of an open file description (F_OFD_SETLK): the kernel releases it with the process, and
/// other code of this process may open and close the file. A forked child gives up its copy at once. A POSIX
/// record lock of the first byte is held beside it, because F_GETLK can name its holder. Earlier versions
/// locked the whole file in that way, and are kept out by either lock. The file is never removed: two
/// processes could then lock two files of one name. If it is removed all the same, OwnerNumber shows which
/// owner has lost the journal.
class OwnerFile {
 public:
  static constexpr std::size_t kSlots = 4096;
  /// The locked bytes; behind them are the locks of claimants.
  static constexpr std::uint64_t kLockedSize = std::uint64_t{1} << 40U;

  /// The facts that the last owner left.
  struct LastOwner {
    /// It ended without release(true), and not by a reboot of the machine: by the boot ids, or, where there
    /// is none, unless the boot-time clock has gone back.
    bool crashed = false;
    /// The attempts that its threads were running then.
    std::vector<SlotContent> slots;
  };

  /// `boot_id` tells a boot of the machine from others; empty if that cannot be determined. `boot_time` is a
  /// clock that begins with each boot. Opens nothing yet.
  OwnerFile(std::filesystem::path path, unsigned mode, std::string boot_id,
            std::function<std::int64_t()> boot_time = boot_time_now);
  OwnerFile(const OwnerFile&) = delete;
  OwnerFile& operator=(const OwnerFile&) = delete;
  /// As release(false).
  ~OwnerFile();

  /// Takes the lock, waiting up to `wait`, and changes nothing in the file. Throws Error: JournalOwned,
  /// naming the owner's process; DatabaseUnusable.
  [[nodiscard]] LastOwner lock(std::chrono::milliseconds wait);
  /// Signs the file and frees all slots. Call it once, after lock().
  void sign() noexcept;
  /// Ends the ownership, if there is one. Without `clean` the next owner assumes that this one crashed, if it
  /// was signed.
  void release(bool clean) noexcept;

  [[nodiscard]] bool owned() const noexcept { return memory_ != nullptr; }
  [[nodiscard]] std::span<CrashSlot> slots() noexcept;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Whether the last owner crashed, as LastOwner says, and nobody owns the file now.
  [[nodiscard]] static bool was_left_unclean(const std::filesystem::path& path,
                                             const std::string& boot_id) noexcept;

  /// Opens an owner file, or makes an empty one with this mode. Throws std::system_error; Error for a file
  /// that others may write to, and for what is no file.
  [[nodiscard]] static Descriptor open(const std::filesystem::path& path, unsigned mode);

 private:
  struct Header;

  [[nodiscard]] static std::filesystem::path database_of(const std::filesystem::path& path);
  [[nodiscard]] bool try_lock();
  void require_free(const Descriptor& file, int problem) const;
  void map(const Descriptor& file);
  void require_ours() const;
  [[nodiscard]] Error owned_by(pid_t process) const;

  const std::filesystem::path path_;
  const unsigned mode_;
  const std::string boot_id_;
  const std::function<std::int64_t()> boot_time_;
  Descriptor file_;
  std::byte* memory_ = nullptr;
  pid_t process_ = 0;
};

/// `<database>.owner`.
[[nodiscard]] std::filesystem::path owner_path(const std::filesystem::path& database);

}  // namespace tidings::deadletter
