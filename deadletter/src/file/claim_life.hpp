#pragma once

#include "file/boot_clock.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tidings::deadletter {

/// The state of a claim, `<boot id>/<pid>/<bus>` until a time of the boot-time clock. SQL has the numbers.
enum class ClaimLife : std::uint8_t {
  Over = 0,    ///< Its lease is over, and nobody holds its lock.
  Lapsed = 1,  ///< Its process lives, but has not renewed it in time: another bus may take the letter.
  Alive = 2,   ///< Its lease runs, or nobody can tell that it does not.
};

/// SQL of "the handler of this row is running, as far as can be determined".
inline constexpr const char* kIsRunning =
    "(redrive_started_at IS NOT NULL AND tidings_claim_life(claimed_by, claimed_until) > 0)";
/// SQL of "another bus may take this row over", of rows that are claimed.
inline constexpr const char* kMayBeTakenOver = "tidings_claim_life(claimed_by, claimed_until) < 2";

/// The one place that decides whether a claim holds. Changes of letters skip every claim that is not Over; a
/// bus takes letters over from every claim that is not Alive.
///
/// A lease is measured by the boot-time clock, which all processes of one kernel share, whatever boot id they
/// see: where /proc is hidden there is none, and a sandbox may show one of its own. So a boot id that
/// differs, or is missing, proves nothing. The length of leases decides then: a lease that runs for longer
/// than any lease may was measured by another clock, that of an earlier boot. The lock of the claimant, which
/// the kernel releases with its process, proves that it lives (see ClaimantLock); a missing lock proves
/// nothing.
class ClaimJudge {
 public:
  /// No lease is longer; the bus passes this one to Redrives::claim.
  static constexpr std::int64_t kLongestLease = 30'000'000;  // microseconds

  explicit ClaimJudge(const std::filesystem::path& database, std::string boot_id = deadletter::boot_id(),
                      std::function<std::int64_t()> boot_time = boot_time_now);

  [[nodiscard]] ClaimLife judge(std::string_view claimed_by, std::int64_t claimed_until) const noexcept;

  /// Makes `tidings_claim_life(claimed_by, claimed_until)` a function of this connection; NULL is no claim:
  /// 0. Replaces an earlier one. Throws SQLite::Exception.
  static void define_on(SQLite::Database& connection, ClaimJudge judge);

 private:
  std::filesystem::path owner_file_;
  std::string boot_id_;
  std::function<std::int64_t()> boot_time_;
};

}  // namespace tidings::deadletter
