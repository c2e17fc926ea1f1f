#include "store/store_redrives.hpp"

#include "file/owner_file.hpp"
#include "redrive/letter_claims.hpp"
#include "redrive/redrive_connection.hpp"
#include "redrive/redrive_requests.hpp"
#include "redrive/redrive_settlement.hpp"
#include "redrive/retention.hpp"
#include "store/opening.hpp"
#include "store/store_transaction.hpp"

#include <tidings/detail/patiently.hpp>

#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <utility>

namespace tidings::deadletter {
using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotRedrive = "cannot redrive letters of";
/// Looking for what is left of requests reads every mark: it takes a twentieth of the time at most.
constexpr std::int64_t kTidyShare = 20;
constexpr std::int64_t kRetentionPause = 60'000'000;

/// The first letter of each key says whether the key is on its way.
constexpr const char* kParkingKeys =
    "SELECT ordering_key, min(id), redrive_requested_at IS NOT NULL OR claimed_by IS NOT NULL"
    " OR reason = 'shutdown' FROM dead_letters INDEXED BY dead_letters_unresolved_keys"
    " WHERE service = ? AND event_type = ? AND handler = ? AND reprocessed_at IS NULL"
    " AND ordering_key IS NOT NULL GROUP BY ordering_key";
constexpr const char* kResumingKeys =
    "SELECT DISTINCT ordering_key, 0, 1 FROM dead_letters INDEXED BY dead_letters_shutdown"
    " WHERE service = ? AND event_type = ? AND handler = ? AND reason = 'shutdown' AND reprocessed_at IS NULL"
    " AND ordering_key IS NOT NULL";

}  // namespace

struct StoreRedrives::Parts {
  explicit Parts(const StoreSettings& settings)
      : redrive_connection(settings.path, writing_options(settings), claim_judge(settings)),
        requests(redrive_connection),
        claims(redrive_connection, requests),
        settlement(redrive_connection, requests),
        retention(redrive_connection),
        parking_keys(redrive_connection.database(), kParkingKeys),
        resuming_keys(redrive_connection.database(), kResumingKeys) {}

  [[nodiscard]] RedriveConnection& connection() noexcept { return redrive_connection; }

  RedriveConnection redrive_connection;
  RedriveRequests requests;
  LetterClaims claims;
  RedriveSettlement settlement;
  Retention retention;
  SQLite::Statement parking_keys;
  SQLite::Statement resuming_keys;
};

StoreRedrives::StoreRedrives(const StoreSettings& settings)
    : settings_(settings),
      lock_(owner_path(settings.path), settings.options.file_mode),
      parts_({.file = *settings.internals.file,
              .path = settings.path,
              .what_failed = kCannotRedrive,
              .connect = [this] { return connect_parts(); }}) {}

StoreRedrives::~StoreRedrives() = default;

Opened<StoreRedrives::Parts> StoreRedrives::connect_parts() {
  auto parts = connect<Parts>(settings_, kCannotRedrive, settings_);
  untidy_ = true;
  return parts;
}

template <class Work>
auto StoreRedrives::in_database(Work work) {
  settings_.process.require_this("store");
  const MutexLock lock(mutex_);
  return parts_.use([&](Parts& parts) {
    parts.connection().wait_from_now();
    return work(parts);
  });
}

std::string StoreRedrives::claimed_by(std::string_view claimant) const {
  return settings_.internals.boot_id + "/" + std::to_string(settings_.process.id()) + "/" +
         std::string(claimant);
}

RedriveRequest StoreRedrives::mark(std::string_view service, const LetterFilter& filter,
                                   const RedriveOptions& options, Timestamp wall) {
  return in_database([&](Parts& parts) {
    untidy_ = true;
    return parts.requests.mark(service, filter, options, wall);
  });
}

bool StoreRedrives::changed() {
  return in_database([&](Parts& parts) {
    const bool changed = parts.connection().changed();
    if (changed) untidy_ = true;
    return changed;
  });
}

LetterClaim StoreRedrives::claim(const ClaimRequest& request) {
  return in_database([&](Parts& parts) {
    mutex_.assert_held();
    const std::chrono::microseconds lease = request.lease;
    const std::string by = claimed_by(request.claimant);
    lock_.hold(by);
    auto claim = parts.claims.claim(request, by, settings_.internals.boot_time() + lease.count());
    const MutexLock lock(held_mutex_);
    // Patiently: they are claimed, so that no other bus would deliver them if the caller did not get them.
    for (const ClaimedLetter& letter : claim.letters) {
      tidings::detail::patiently([&] {
        held_mutex_.assert_held();
        held_[std::string(request.claimant)].insert(letter.id);
      });
    }
    return claim;
  });
}

bool StoreRedrives::begin(std::string_view claimant, std::int64_t id, Timestamp wall) {
  return in_database([&](Parts& parts) { return parts.claims.begin(claimed_by(claimant), id, wall); });
}

std::vector<RedriveEnd> StoreRedrives::settle(std::string_view claimant,
                                              std::span<const RedriveResult> results) {
  return in_database([&](Parts& parts) {
    untidy_ = true;
    auto ended = parts.settlement.settle(claimed_by(claimant), results);
    forget_held(claimant, results);
    return ended;
  });
}

void StoreRedrives::forget_held(std::string_view claimant, std::span<const RedriveResult> results) {
  const MutexLock lock(held_mutex_);
  const auto held = held_.find(claimant);
  if (held == held_.end()) return;
  for (const RedriveResult& result : results) held->second.erase(result.id);
  if (held->second.empty()) held_.erase(held);
}

std::optional<std::vector<RedriveEnd>> StoreRedrives::settle_in(JournalTransaction& transaction,
                                                                std::string_view claimant,
                                                                const RedriveResult& result) {
  auto* const own = dynamic_cast<StoreTransaction*>(&transaction);
  if (own == nullptr) return std::nullopt;
  auto ended = own->settle(claimed_by(claimant), result);
  untidy_ = true;
  forget_held(claimant, {&result, 1});
  return ended;
}

RedriveUpkeep StoreRedrives::tend(std::string_view claimant, std::chrono::milliseconds lease,
                                  Timestamp wall) {
  return in_database([&](Parts& parts) {
    mutex_.assert_held();
    RedriveUpkeep upkeep;
    const std::int64_t now = settings_.internals.boot_time();
    std::set<std::int64_t> mine;
    {
      const MutexLock lock(held_mutex_);
      const auto held = held_.find(claimant);
      if (held != held_.end()) mine = held->second;
    }
    parts.settlement.tend(claimed_by(claimant), mine, {now, now + std::chrono::microseconds(lease).count()},
                          wall, upkeep);
    if (untidy_ && now >= next_tidy_) tidy(parts, wall, upkeep);
    if (now >= next_retention_) apply_retention(parts, wall, upkeep);
    return upkeep;
  });
}

void StoreRedrives::tidy(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) {
  const auto began = std::chrono::steady_clock::now();
  auto tidied = parts.requests.tidy(wall);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  next_tidy_ = settings_.internals.boot_time() + kTidyShare * took.count();
  untidy_ = tidied.more;
  upkeep.more = upkeep.more || tidied.more;
  upkeep.ended.insert(upkeep.ended.end(), tidied.ended.begin(), tidied.ended.end());
}

void StoreRedrives::apply_retention(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) {
  const StoreOptions& options = settings_.options;
  if (options.retention.count() > 0) upkeep.deleted = parts.retention.delete_before(wall - options.retention);
  bool more = upkeep.deleted == Retention::kBatch;
  if (options.audit_retention.count() > 0)
    more = parts.retention.delete_audit_before(wall - options.audit_retention) || more;
  if (!more) next_retention_ = settings_.internals.boot_time() + kRetentionPause;
  upkeep.more = upkeep.more || more;
}

std::vector<LetterKey> StoreRedrives::keys(std::string_view service, const ServedHandler& handler) {
  return in_database([&](Parts& parts) {
    SQLite::Statement& row = handler.parks ? parts.parking_keys : parts.resuming_keys;
    const StatementUse use(row);
    bind_all(row, std::string(service), handler.event_type, handler.handler);
    std::vector<LetterKey> keys;
    while (row.executeStep()) keys.push_back({row.getColumn(0).getString(), row.getColumn(2).getInt() != 0});
    return keys;
  });
}

}  // namespace tidings::deadletter
