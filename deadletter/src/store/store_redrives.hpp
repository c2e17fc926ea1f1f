#pragma once

#include <tidings/detail/mutex.hpp>
#include <tidings/redrive.hpp>

#include "file/claimant_lock.hpp"
#include "sqlite/reconnecting.hpp"
#include "store/open_store.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// The redrives of a Store: connects when it is first asked, and again after a failure. Thread-safe.
class StoreRedrives final : public Redrives {
 public:
  explicit StoreRedrives(const StoreSettings& settings);
  ~StoreRedrives() override;

  [[nodiscard]] RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                    const RedriveOptions& options, Timestamp wall) override;
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
  [[nodiscard]] Opened<Parts> connect_parts();
  [[nodiscard]] std::string claimed_by(std::string_view claimant) const;
  void forget_held(std::string_view claimant, std::span<const RedriveResult> results);
  void tidy(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) TIDINGS_REQUIRES(mutex_);
  void apply_retention(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) TIDINGS_REQUIRES(mutex_);

  const StoreSettings& settings_;

  tidings::detail::Mutex mutex_;
  ClaimantLock lock_ TIDINGS_GUARDED_BY(mutex_);
  Reconnecting<Parts> parts_ TIDINGS_GUARDED_BY(mutex_);
  std::int64_t next_tidy_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::int64_t next_retention_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> untidy_{true};

  // Handlers' transactions settle while whoever has the other mutex may be waiting for them.
  tidings::detail::Mutex held_mutex_;
  /// What each claimant has claimed here and not settled.
  std::map<std::string, std::set<std::int64_t>, std::less<>> held_ TIDINGS_GUARDED_BY(held_mutex_);
};

}  // namespace tidings::deadletter
