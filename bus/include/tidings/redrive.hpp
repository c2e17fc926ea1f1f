#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/ids.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

/// Which unresolved letters of a service are meant; what is not set does not restrict.
struct LetterFilter {
  /// These letters, by number.
  std::optional<std::vector<std::int64_t>> ids = {};
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> fingerprint = {};
  std::optional<std::string> correlation_id = {};
  std::optional<EventId> event_id = {};
  std::optional<Reason> reason = {};
  /// failed_at: from, inclusive, and up to, exclusive.
  std::optional<Timestamp> since = {};
  std::optional<Timestamp> until = {};
};

/// How letters are to be delivered again.
struct RedriveOptions {
  /// Deliver that many first, and the others only if all of these succeed; at least 1.
  std::optional<std::uint32_t> canary = {};
  /// At most that many are begun each second; above 0.
  std::optional<double> rate = {};
  /// Give up after that many failures; at least 1. Handlers that run at that moment may add to them.
  std::optional<std::uint32_t> stop_after = {};
  /// Kept with the request.
  std::string requested_by = "bus.redrive";
};

/// A request to deliver letters again, as it was written down.
struct RedriveRequest {
  /// 0 when no letter was marked: then there is no request.
  std::int64_t id = 0;
  std::uint64_t letters = 0;
};

/// A handler that a bus has, as the sink is to choose letters for it.
struct ServedHandler {
  /// `*` for a handler of all events.
  std::string event_type;
  std::string handler;
  /// Letters of one ordering key wait for earlier ones to be resolved, not only for their turn.
  bool parks = false;
};

/// What a bus wants to claim.
struct ClaimRequest {
  std::string_view service;
  /// Names the bus, among all of all processes.
  std::string_view claimant;
  std::span<const ServedHandler> handlers;
  std::size_t most_letters = 0;
  /// Of payloads. One letter is claimed whatever its size.
  std::size_t most_bytes = 0;
  std::chrono::milliseconds lease{};
  Instant now;
  Timestamp wall;
  /// Requests with a rate of which letters that were claimed still wait for their turn.
  std::span<const std::int64_t> waiting;
};

/// A letter that a bus holds to deliver it again.
struct ClaimedLetter {
  std::int64_t id = 0;
  std::optional<std::int64_t> redrive_id;
  /// The request has a canary, a rate or a limit of failures: what becomes of the letter is to be told at
  /// once.
  bool limited = false;
  DeadLetter letter;
};

/// A letter that was marked but is not one that tidings wrote. It is no longer marked.
struct UnreadableLetter {
  std::int64_t id = 0;
  std::string problem;
};

struct LetterClaim {
  /// In the order in which they were asked for, those of one ordering key in the order of their numbers.
  std::vector<ClaimedLetter> letters;
  std::vector<UnreadableLetter> unreadable;
  /// There may be more to claim at once.
  bool more = false;
  /// When a request's rate lets more be claimed.
  std::optional<Instant> next;
};

/// What became of a claimed letter.
struct RedriveResult {
  enum class End : std::uint8_t {
    Reprocessed,  ///< The handler returned: the letter is resolved.
    Failed,       ///< The attempt is in the letter's history; it is unresolved and no longer marked.
    Returned,     ///< Its handler was not run: it can be claimed again.
    Withdrawn,    ///< Not run either, and no longer marked: an earlier one of its ordering key failed again.
  };
  std::int64_t id = 0;
  End end = End::Returned;
  Timestamp at;
  /// Failed: with its reason, error, failed_at, retry_count and history as they are now.
  DeadLetter letter;
  /// Failed: marks of later letters of its ordering key are taken back too.
  bool parks = false;
};

/// A request that has come to its end: none of its letters is marked or claimed any more.
struct RedriveEnd {
  std::int64_t id = 0;
  /// By its canary or by stop_after; otherwise nothing of it is left.
  bool stopped = false;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
};

/// What a look at the claims and the past has found.
struct RedriveUpkeep {
  std::vector<RedriveEnd> ended;
  /// Letters whose claimant died while their handler ran. They have that attempt and are not marked.
  std::vector<std::int64_t> crashed;
  /// Claims of others that had come to their end, on letters whose handler had not been run.
  std::size_t returned = 0;
  /// Resolved letters that were deleted since they are older than the sink keeps them.
  std::size_t deleted = 0;
  /// There is more to do: call again soon.
  bool more = false;
};

class JournalTransaction;

/// An ordering key under which a handler has unresolved letters.
struct LetterKey {
  std::string key;
  /// Its letters are on their way to the handler without anybody's doing: they are marked, claimed, or have
  /// the reason `shutdown`. What follows them waits; otherwise the key is dead.
  bool coming = false;
};

/// The port through which a bus finds letters to deliver again, for LetterSinks that can tell. A letter is
/// marked by `mark` or by a tool in another process, then claimed by one bus among all, begun, and settled.
///
/// Letters with the reason `shutdown` need no mark: they are claimed by themselves. A letter of an ordering
/// key is not claimed before an earlier one of its handler and key that is unresolved and parks it, is
/// marked, or has the reason `shutdown`, except together with it by one bus.
///
/// A claim ends with its lease, unless `tend` renews it; then any bus's `tend` cleans it up. Thread-safe.
/// Every member throws Error(DatabaseBusy) or Error(DatabaseUnusable), and then has done nothing of what it
/// was to do in one transaction.
class Redrives {
 public:
  Redrives() = default;
  Redrives(const Redrives&) = delete;
  Redrives& operator=(const Redrives&) = delete;
  virtual ~Redrives() = default;

  /// Marks the unresolved letters of `service` that match, are not marked and not claimed, in batches.
  [[nodiscard]] virtual RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                            const RedriveOptions& options, Timestamp wall) = 0;
  /// Whether anything may have changed since it was last asked, also by the caller's own `tend`. Costs next
  /// to nothing.
  [[nodiscard]] virtual bool changed() = 0;
  /// Claims letters, in one transaction.
  [[nodiscard]] virtual LetterClaim claim(const ClaimRequest& request) = 0;
  /// Writes down that the letter's handler runs from now on, so that a death of the process counts as an
  /// attempt. False: the claim was lost, or the request has stopped: the handler must not be run.
  [[nodiscard]] virtual bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) = 0;
  /// Writes down what became of letters, in one synced transaction, and ends their claims; those that were
  /// lost meanwhile are left alone.
  virtual std::vector<RedriveEnd> settle(std::string_view claimant,
                                         std::span<const RedriveResult> results) = 0;
  /// The same for one letter, in a transaction of the sink's journal, which the caller commits; when it does
  /// not, `settle` follows. Nothing: the claim was lost, and nothing was written.
  [[nodiscard]] virtual std::optional<std::vector<RedriveEnd>> settle_in(JournalTransaction& /*transaction*/,
                                                                         std::string_view /*claimant*/,
                                                                         const RedriveResult& /*result*/) {
    return std::nullopt;
  }
  /// Renews the claimant's claims, ends those whose lease has passed, takes back the marks of stopped
  /// requests, ends requests of which nothing is left, and deletes what is old enough; each a bounded number
  /// at a time.
  [[nodiscard]] virtual RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease,
                                           Timestamp wall) = 0;
  /// The ordering keys of a handler that has unresolved letters; of one that does not park, only those that
  /// are coming because of a `shutdown`.
  [[nodiscard]] virtual std::vector<LetterKey> keys(std::string_view service,
                                                    const ServedHandler& handler) = 0;
};

}  // namespace tidings
