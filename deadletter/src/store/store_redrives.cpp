#include "store/store_redrives.hpp"

#include "file/claim_life.hpp"
#include "file/owner_file.hpp"
#include "file/sqlite_error.hpp"
#include "redrive/letter_claims.hpp"
#include "redrive/redrive_connection.hpp"
#include "redrive/redrive_requests.hpp"
#include "redrive/redrive_settlement.hpp"
#include "redrive/retention.hpp"
#include "store/opening.hpp"
#include "store/store_transaction.hpp"

#include <tidings/detail/patiently.hpp>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <unistd.h>

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
  Parts(const std::filesystem::path& path, const StoreOptions& options, const StoreInternals& internals)
      : connection(path, {internals.vfs, options.busy_timeout, 0, internals.turn},
                   ClaimJudge(path, internals.boot_id, internals.boot_time)),
        requests(connection),
        claims(connection, requests),
        settlement(connection, requests),
        retention(connection),
        parking_keys(connection.database(), kParkingKeys),
        resuming_keys(connection.database(), kResumingKeys) {}

  RedriveConnection connection;
  RedriveRequests requests;
  LetterClaims claims;
  RedriveSettlement settlement;
  Retention retention;
  SQLite::Statement parking_keys;
  SQLite::Statement resuming_keys;
};

StoreRedrives::StoreRedrives(std::filesystem::path path, const StoreOptions& options,
                             StoreInternals internals)
    : process_(::getpid()),
      path_(std::move(path)),
      options_(options),
      internals_(std::move(internals)),
      lock_(owner_path(path_), options_.file_mode) {}

/// SQLite forbids a child even to close what its parent opened.
StoreRedrives::~StoreRedrives() {
  if (::getpid() != process_) static_cast<void>(parts_.release());
}

StoreRedrives::Parts& StoreRedrives::sound_parts() {
  internals_.file->require_in_place(kCannotRedrive, OpenedFile::Look::Database);
  if (!parts_ || suspect_) {
    require_current(path_, options_, internals_);
    auto parts = std::make_unique<Parts>(path_, options_, internals_);
    internals_.file->admit(parts->connection, path_, kCannotRedrive);
    parts_ = std::move(parts);
    untidy_ = true;
  }
  suspect_ = false;
  return *parts_;
}

template <class Work>
auto StoreRedrives::in_database(Work work) {
  if (::getpid() != process_) {
    throw Error(ErrorCode::ForkedChild,
                "this store was opened by the parent process; a forked child must open one of its own");
  }
  const MutexLock lock(mutex_);
  try {
    Parts& parts = sound_parts();
    parts.connection.wait_from_now();
    auto result = work(parts);
    internals_.file->require_in_place(kCannotRedrive, OpenedFile::Look::Committed);
    return result;
  } catch (const SQLite::Exception& error) {
    suspect_ = failure_kind(error.getErrorCode()) == FailureKind::Database;
    throw unusable(kCannotRedrive, path_, error);
  }
}

std::string StoreRedrives::claimed_by(std::string_view claimant) const {
  return internals_.boot_id + "/" + std::to_string(process_) + "/" + std::string(claimant);
}

RedriveRequest StoreRedrives::mark(std::string_view service, const LetterFilter& filter,
                                   const tidings::RedriveOptions& options, Timestamp wall) {
  return in_database([&](Parts& parts) {
    untidy_ = true;
    return parts.requests.mark(service, filter, options, wall);
  });
}

bool StoreRedrives::changed() {
  return in_database([&](Parts& parts) {
    const bool changed = parts.connection.changed();
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
    auto claim = parts.claims.claim(request, by, internals_.boot_time() + lease.count());
    const MutexLock lock(held_mutex_);
    // Patiently: they are claimed, and whoever does not get them keeps them from all.
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
    const std::int64_t now = internals_.boot_time();
    std::set<std::int64_t> mine;
    {
      const MutexLock lock(held_mutex_);
      const auto held = held_.find(claimant);
      if (held != held_.end()) mine = held->second;
    }
    parts.settlement.tend(claimed_by(claimant), mine, {now, now + std::chrono::microseconds(lease).count()},
                          wall, upkeep);
    if (untidy_ && now >= next_tidy_) tidy(parts, wall, upkeep);
    if (options_.retention.count() > 0 && now >= next_retention_) forget(parts, wall, upkeep);
    return upkeep;
  });
}

void StoreRedrives::tidy(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) {
  const auto began = std::chrono::steady_clock::now();
  auto tidied = parts.requests.tidy(wall);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  next_tidy_ = internals_.boot_time() + kTidyShare * took.count();
  untidy_ = tidied.more;
  upkeep.more = upkeep.more || tidied.more;
  upkeep.ended.insert(upkeep.ended.end(), tidied.ended.begin(), tidied.ended.end());
}

void StoreRedrives::forget(Parts& parts, Timestamp wall, RedriveUpkeep& upkeep) {
  upkeep.deleted = parts.retention.delete_before(wall - options_.retention);
  const bool more = upkeep.deleted == Retention::kBatch;
  if (!more) next_retention_ = internals_.boot_time() + kRetentionPause;
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
