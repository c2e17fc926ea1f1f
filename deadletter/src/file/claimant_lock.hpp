#pragma once

#include "file/file_system.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// The proof that a process which claims letters lives: for each claimant a lock of one byte of the owner
/// file, far behind the bytes that an OwnerFile locks, of an open file description (F_OFD_SETLK). The kernel
/// releases it with the process, however that ends, and reports it to every process, whatever that sees of
/// the claimant's boot or pid. A forked child gives up its copy at once. If the lock cannot be had, claims
/// are judged by their lease alone. Not thread-safe, except is_held().
class ClaimantLock {
 public:
  /// `mode` is that of the owner file if there is none yet. Opens nothing yet.
  ClaimantLock(std::filesystem::path owner_file, unsigned mode);
  ClaimantLock(const ClaimantLock&) = delete;
  ClaimantLock& operator=(const ClaimantLock&) = delete;
  ~ClaimantLock();

  /// Holds the lock until the end of this object or the process. Takes it again if somebody has removed the
  /// file.
  void hold(const std::string& claimed_by) noexcept;
  [[nodiscard]] static bool is_held(const std::filesystem::path& owner_file,
                                    std::string_view claimed_by) noexcept;

 private:
  void open();
  void close() noexcept;

  const std::filesystem::path path_;
  const unsigned mode_;
  const pid_t process_;
  Descriptor file_;
};

}  // namespace tidings::deadletter
