#pragma once

#include <tidings/redrive.hpp>

#include "file/claimant_lock.hpp"
#include "store/open_store.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// The redrives of a Store: connects when it is first asked, and anew after a failure. Thread-safe.
class StoreRedrives final : public Redrives {
 public:
  /// `path` is absolute.
  StoreRedrives(std::filesystem::path path, const StoreOptions& options, StoreInternals internals);
  ~StoreRedrives() override;

  [[nodiscard]] RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                    const tidings::RedriveOptions& options, Timestamp wall) override;
  [[nodiscard]] bool changed() override;
  [[nodiscard]] LetterClaim claim(const ClaimRequest& request) override;
  [[nodiscard]] bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) override;
  std::vector<RedriveEnd> settle(std::string_view claimant, std::span<const RedriveResult> results) override;
  [[nodiscard]] std::optional<std::vector<RedriveEnd>> settle_in(JournalTransaction& transaction,
                                                                 std::string_view claimant,
                                                                 const RedriveResult& result) override;
  [[nodiscard]] RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease,
                                   Timestamp wall) override;
  [[nodiscard]] std::vector<LetterKey> keys(std::string_view service, const ServedHandler& handler) override;

 private:
  struct Parts;

  template <class Work>
  auto in_database(Work work);
  [[nodiscard]] Parts& sound_parts();
  [[nodiscard]] std::string claimed_by(std::string_view claimant) const;
  void forget_held(std::string_view claimant, std::span<const RedriveResult> results);
  void tidy(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep);
  void forget(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep);

  // Constant after construction.
  const pid_t process_;
  const std::filesystem::path path_;
  const StoreOptions options_;
  const StoreInternals internals_;

  std::mutex mutex_;
  ClaimantLock lock_;             // guarded by mutex_
  std::unique_ptr<Parts> parts_;  // this and what follows: guarded by mutex_
  bool suspect_ = false;
  std::atomic<bool> untidy_{true};
  std::int64_t next_tidy_ = 0;
  std::int64_t next_retention_ = 0;

  // Handlers' transactions settle while whoever has the other mutex may be waiting for them.
  std::mutex held_mutex_;
  /// What each claimant has claimed here and not settled. Guarded by held_mutex_.
  std::map<std::string, std::set<std::int64_t>, std::less<>> held_;
};

}  // namespace tidings::deadletter
