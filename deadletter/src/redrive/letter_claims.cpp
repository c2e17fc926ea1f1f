#include "redrive/letter_claims.hpp"

#include "letters/letter_row.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/error.hpp>
#include <tidings/process_identity.hpp>

#include <SQLiteCpp/Exception.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kPage = 512;
/// Marked letters that one call reads, most of which may belong to other buses or have to wait: about 20 ms.
constexpr std::size_t kMostLookedAt = 20'000;

constexpr const char* kResumable =
    "SELECT NULL, id, NULL, event_type, handler, ordering_key FROM dead_letters"
    " INDEXED BY dead_letters_shutdown WHERE service = ? AND reason = 'shutdown' AND reprocessed_at IS NULL"
    " AND id > ? AND claimed_by IS NULL AND redrive_requested_at IS NULL ORDER BY id LIMIT ?";
/// Only if the letter is marked by the request whose canary, rate and stop_after were looked at: another may
/// have marked it since. An earlier letter of the same handler and key must be delivered first, unless this
/// claimant holds it: then it keeps the order.
constexpr const char* kClaim =
    "UPDATE dead_letters SET claimed_by = ?1, claimed_until = ?2, redrive_started_at = NULL,"
    " redrive_requested_at = coalesce(redrive_requested_at, ?3),"
    " redrive_id = iif(redrive_requested_at IS NULL, NULL, redrive_id)"
    " WHERE id = ?4 AND claimed_by IS NULL AND reprocessed_at IS NULL"
    " AND iif(redrive_requested_at IS NULL, 0, coalesce(redrive_id, 0)) = ?7"
    " AND (redrive_requested_at IS NOT NULL OR reason = 'shutdown') AND NOT EXISTS"
    " (SELECT 1 FROM dead_letters AS earlier INDEXED BY dead_letters_unresolved_keys"
    "  WHERE earlier.service = dead_letters.service AND earlier.event_type = dead_letters.event_type"
    "  AND earlier.handler = dead_letters.handler AND earlier.ordering_key = dead_letters.ordering_key"
    "  AND earlier.ordering_key IS NOT NULL AND earlier.reprocessed_at IS NULL"
    "  AND earlier.id > ?5 AND earlier.id < dead_letters.id AND earlier.claimed_by IS NOT ?1"
    "  AND (?6 OR earlier.redrive_requested_at IS NOT NULL OR earlier.claimed_by IS NOT NULL"
    "       OR earlier.reason = 'shutdown'))"
    " RETURNING ";
constexpr const char* kBegin =
    "UPDATE dead_letters SET redrive_started_at = ?1 WHERE id = ?2 AND claimed_by = ?3 AND reprocessed_at IS"
    " NULL AND NOT EXISTS (SELECT 1 FROM tidings_redrives WHERE id = redrive_id AND ";
constexpr const char* kSetAside =
    "UPDATE dead_letters SET redrive_requested_at = NULL, claimed_by = NULL,"
    " claimed_until = NULL, redrive_started_at = NULL, reason = 'undecodable', failed_at = ?1,"
    " error_type = ?2, error_message = ?3, error_fingerprint = ?4, host = nullif(?6, ''), pid = ?7,"
    " release = nullif(?8, ''), span_id = NULL, attempts = iif(json_valid(attempts),"
    " json_insert(attempts, '$[#]', json_object('at', ?1, 'duration_us', 0, 'error_type', ?2,"
    " 'error_message', ?3)), attempts) WHERE id = ?5";

/// The type's own handler of that name, or the one of all events.
const ServedHandler* handler_of(std::span<const ServedHandler> handlers, std::string_view event_type,
                                std::string_view name) {
  const ServedHandler* of_all = nullptr;
  for (const ServedHandler& handler : handlers) {
    if (handler.handler != name) continue;
    if (handler.event_type == event_type) return &handler;
    if (handler.event_type == "*") of_all = &handler;
  }
  return of_all;
}

}  // namespace

LetterClaims::LetterClaims(RedriveConnection& connection, RedriveRequests& requests)
    : connection_(connection),
      requests_(requests),
      resumable_(connection.database(), kResumable),
      marked_then_(connection.database(), kMarkedThen),
      marked_later_(connection.database(), kMarkedLater),
      claim_(connection.database(), kClaim + letter_columns(connection.database()) + ", redrive_id"),
      begin_(connection.database(), std::string(kBegin) + kHasFailed + ")"),
      parked_(connection),
      set_aside_(connection.database(), kSetAside) {}

namespace {

template <class Candidate>
std::vector<Candidate> read_candidates(SQLite::Statement& row) {
  std::vector<Candidate> candidates;
  while (row.executeStep()) {
    Candidate candidate;
    if (!row.getColumn(0).isNull()) candidate.requested_at = row.getColumn(0).getInt64();
    candidate.id = row.getColumn(1).getInt64();
    if (!row.getColumn(2).isNull()) candidate.redrive_id = row.getColumn(2).getInt64();
    candidate.event_type = row.getColumn(3).getString();
    candidate.handler = row.getColumn(4).getString();
    if (!row.getColumn(5).isNull()) candidate.ordering_key = row.getColumn(5).getString();
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

}  // namespace

std::vector<LetterClaims::Candidate> LetterClaims::resumable(const Round& round, std::int64_t after) {
  const StatementUse use(resumable_);
  bind_all(resumable_, std::string(round.wanted.service), after, static_cast<std::int64_t>(kPage));
  return read_candidates<Candidate>(resumable_);
}

std::vector<LetterClaims::Candidate> LetterClaims::marked(const Round& round) {
  const std::string service(round.wanted.service);
  const std::string spent = Json(round.spent).dump();
  std::vector<Candidate> page;
  {
    const StatementUse use(marked_then_);
    bind_all(marked_then_, service, position_.requested_at, position_.id, spent,
             static_cast<std::int64_t>(kPage));
    page = read_candidates<Candidate>(marked_then_);
  }
  if (page.size() == kPage) return page;
  const StatementUse use(marked_later_);
  bind_all(marked_later_, service, position_.requested_at, spent,
           static_cast<std::int64_t>(kPage - page.size()));
  auto later = read_candidates<Candidate>(marked_later_);
  page.insert(page.end(), std::make_move_iterator(later.begin()), std::make_move_iterator(later.end()));
  return page;
}

/// Candidates are searched without the write lock, and checked again with it. A call continues where the last
/// one ended, so that letters of handlers that this bus does not serve are not read again before the others.
LetterClaim LetterClaims::claim(const ClaimRequest& wanted, const std::string& claimed_by,
                                std::int64_t claimed_until) {
  Round round{.wanted = wanted, .claimed_by = claimed_by, .claimed_until = claimed_until};
  try {
    claim_pages(round);
  } catch (const std::bad_alloc&) {
    if (round.claim.letters.empty()) throw;
    round.failed = true;  // what was claimed before is the caller's all the same
  }
  for (const auto& [id, row] : round.requests) {
    const Instant next = row.rate ? pace_.next(id) : Instant{};
    if (next > wanted.now) round.claim.next = std::min(round.claim.next.value_or(next), next);
  }
  return std::move(round.claim);
}

void LetterClaims::claim_pages(Round& round) {
  for (auto page = resumable(round, 0); !page.empty() && !full(round);
       page = resumable(round, page.back().id)) {
    claim_all(round, page);
  }
  for (std::size_t looked_at = 0; !full(round); looked_at += kPage) {
    if (looked_at >= kMostLookedAt) {
      round.claim.more = true;
      break;
    }
    const auto page = marked(round);
    claim_all(round, page);
    if (full(round)) break;
    if (page.size() < kPage) {
      position_ = {};
      break;
    }
    pass_spent(round, page.back());
  }
}

bool LetterClaims::full(Round& round) const {
  const bool is_full = round.failed || round.claim.letters.size() >= round.wanted.most_letters ||
                       round.bytes >= round.wanted.most_bytes;
  round.claim.more = round.claim.more || is_full;
  return is_full;
}

/// The other letters of a request from which no more can be claimed: they may be hundreds of thousands.
void LetterClaims::pass_spent(const Round& round, const Candidate& last) {
  if (!last.redrive_id || !round.spent.contains(*last.redrive_id)) return;
  if (requests_.is_only_one_of(*last.requested_at)) position_.id = std::numeric_limits<std::int64_t>::max();
}

void LetterClaims::claim_all(Round& round, const std::vector<Candidate>& candidates) {
  ServedCandidates served;
  for (const Candidate& candidate : candidates) {
    if (const auto* const handler =
            handler_of(round.wanted.handlers, candidate.event_type, candidate.handler))
      served.emplace_back(&candidate, handler);
  }
  if (!served.empty()) claim_served(round, served);
  if (!candidates.empty() && !full(round)) advance_to(candidates.back());
}

/// Letters claimed by the transaction of an earlier page belong to the caller, whatever happens to this one.
void LetterClaims::claim_served(Round& round, const ServedCandidates& served) {
  const std::size_t letters = round.claim.letters.size();
  const std::size_t unreadable = round.claim.unreadable.size();
  try {
    connection_.transact(Sync::Never, [&] {
      for (const auto& [candidate, handler] : served) {
        if (full(round)) return;
        if (may_claim(round, *candidate)) claim_one(round, *candidate, handler->parks);
        advance_to(*candidate);
      }
    });
  } catch (...) {
    round.claim.letters.resize(letters);
    round.claim.unreadable.resize(unreadable);
    if (letters == 0) throw;
    round.failed = true;
  }
}

void LetterClaims::advance_to(const Candidate& candidate) {
  if (candidate.requested_at) position_ = {*candidate.requested_at, candidate.id};
}

/// Whether the letter's request lets one more be claimed.
bool LetterClaims::may_claim(Round& round, const Candidate& candidate) {
  if (!candidate.redrive_id) return true;
  const std::int64_t id = *candidate.redrive_id;
  if (round.spent.contains(id)) return false;
  if (!round.requests.contains(id)) {
    RequestRow row = requests_.find(id).value_or(RequestRow{});
    row.id = id;
    round.budgets[id] = budget(round, row);
    round.requests.emplace(id, std::move(row));
  }
  if (round.budgets[id] > 0) return true;
  round.spent.insert(id);
  return false;
}

std::size_t LetterClaims::budget(Round& round, const RequestRow& row) {
  if (row.has_failed) return 0;
  std::size_t letters = std::numeric_limits<std::size_t>::max();
  const std::int64_t begun = row.succeeded + row.failed + row.claimed;
  if (row.canary && row.succeeded < *row.canary)
    letters = static_cast<std::size_t>(std::max<std::int64_t>(*row.canary - begun, 0));
  if (!row.rate) return letters;
  const auto& waiting = round.wanted.waiting;
  if (std::find(waiting.begin(), waiting.end(), row.id) != waiting.end()) return 0;
  return std::min(letters,
                  pace_.allowed(row.id, *row.rate, static_cast<std::uint64_t>(begun), round.wanted.now));
}

void LetterClaims::claim_one(Round& round, const Candidate& candidate, bool parks) {
  std::int64_t* const last_of_key =
      candidate.ordering_key ? &round.claimed_of_key[candidate.event_type + '\n' + candidate.handler + '\n' +
                                                     *candidate.ordering_key]
                             : nullptr;
  const StatementUse use(claim_);
  bind_all(claim_, round.claimed_by, round.claimed_until, microseconds(round.wanted.wall), candidate.id,
           last_of_key != nullptr ? *last_of_key : 0, std::int64_t{parks}, candidate.redrive_id.value_or(0));
  if (!claim_.executeStep()) return;
  // Not before: another bus may have ended the last letter, and the request, since this one was looked for.
  if (candidate.redrive_id) requests_.reopen(*candidate.redrive_id);
  ClaimedLetter claimed;
  claimed.id = candidate.id;
  claimed.redrive_id = candidate.redrive_id;
  try {
    claimed.letter = read_letter(claim_, connection_.database()).letter;
  } catch (const Error& error) {
    return set_aside(round, candidate, parks, error.what());
  }
  if (candidate.redrive_id) {
    const RequestRow& row = round.requests.at(*candidate.redrive_id);
    claimed.limited = row.limited();
    --round.budgets[row.id];
    if (row.rate) pace_.claimed(row.id, *row.rate, 1, round.wanted.now);
  }
  if (last_of_key != nullptr) {
    *last_of_key = std::max(*last_of_key, candidate.id);
    parked_.note(candidate.id, parks);
  }
  round.bytes += claimed.letter.data.bytes.size();
  round.claim.letters.push_back(std::move(claimed));
}

/// A row that was not written by tidings, or a damaged one. Values that cannot be read are not changed.
void LetterClaims::set_aside(Round& round, const Candidate& candidate, bool parks,
                             const std::string& problem) {
  const std::string type = "tidings::Error";
  run(set_aside_, microseconds(round.wanted.wall), type, problem,
      error_fingerprint(candidate.handler, type, problem), candidate.id, process_identity().host,
      process_id(), process_identity().release);
  if (parks) parked_.withdraw_behind(candidate.id, "");
  if (candidate.redrive_id)
    static_cast<void>(requests_.count(*candidate.redrive_id, 0, 1, round.wanted.wall));
  round.claim.unreadable.push_back({candidate.id, problem});
}

bool LetterClaims::begin(const std::string& claimed_by, std::int64_t id, Timestamp wall) {
  bool begun = false;
  connection_.transact_unseen(Sync::Never,
                              [&] { begun = run(begin_, microseconds(wall), id, claimed_by) == 1; });
  return begun;
}

}  // namespace tidings::deadletter
