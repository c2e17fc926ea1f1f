#pragma once

#include "file_system.hpp"
#include "journal_reader.hpp"

#include <tidings/journal.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// The file `<database>.owner`: whoever holds its lock owns the journal. It keeps, mapped into memory, what
/// the next owner must know if this one dies: its boot, its process, and which deliveries its threads were
/// running.
///
/// The lock is a POSIX record lock: the kernel ends it with the process, a forked child does not have it, and
/// F_GETLK names its holder. Closing any descriptor of a file ends all such locks of a process on it, so
/// nothing else may open this file, and this class opens it only while the process's register of owned files
/// says that it is not owned here. The file is never removed: two processes could then lock two files of one
/// name.
class OwnerFile {
 public:
  static constexpr std::size_t kSlots = 4096;

  /// What the last owner left.
  struct LastOwner {
    /// It ended without release(true), on this boot of the machine.
    bool crashed = false;
    /// What its threads were running then.
    std::vector<SlotContent> slots;
  };

  /// `boot_id` tells a boot of the machine from others; empty if that cannot be told. Opens nothing yet.
  OwnerFile(std::filesystem::path path, unsigned mode, std::string boot_id);
  OwnerFile(const OwnerFile&) = delete;
  OwnerFile& operator=(const OwnerFile&) = delete;
  /// As release(false).
  ~OwnerFile();

  /// Takes the lock, waiting up to `wait`, and changes nothing in the file. Throws Error: JournalOwned,
  /// naming the owner's process; DatabaseUnusable.
  [[nodiscard]] LastOwner lock(std::chrono::milliseconds wait);
  /// Signs the file and frees all slots. Call it once, after lock().
  void sign() noexcept;
  /// Ends the ownership, if there is one. Without `clean` the next owner takes this one for crashed, if it
  /// was signed.
  void release(bool clean) noexcept;

  [[nodiscard]] bool owned() const noexcept { return memory_ != nullptr; }
  [[nodiscard]] std::span<CrashSlot> slots() noexcept;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Whether the last owner ended without release(true) on this boot, and nobody owns the file now. False
  /// when that cannot be told.
  [[nodiscard]] static bool was_left_unclean(const std::filesystem::path& path,
                                             const std::string& boot_id) noexcept;

 private:
  struct Header;

  [[nodiscard]] bool try_lock();
  [[nodiscard]] Descriptor open_file() const;
  void map(const Descriptor& file);
  void require_ours() const;
  [[nodiscard]] Error owned_by(pid_t process) const;

  const std::filesystem::path path_;
  const unsigned mode_;
  const std::string boot_id_;
  Descriptor file_;
  std::byte* memory_ = nullptr;
  pid_t process_ = 0;
};

/// `<database>.owner`.
[[nodiscard]] std::filesystem::path owner_path(const std::filesystem::path& database);

}  // namespace tidings::deadletter
