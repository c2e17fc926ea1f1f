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

/// A context field of the event: that of this name is the text `value`, or the number or Boolean that
/// `value` spells (`42`, `true`).
struct FieldValue {
  std::string name;
  std::string value;
};

/// Selects unresolved letters of a service that can be delivered again: they have a handler, and their whole
/// payload (docs/at-rest.md). A member that is not set does not restrict.
struct LetterFilter {
  /// These letters, by number.
  std::optional<std::vector<std::int64_t>> ids = {};
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  std::optional<std::string> fingerprint = {};
  std::optional<std::string> correlation_id = {};
  std::optional<EventId> event_id = {};
  /// All of these.
  std::vector<FieldValue> fields = {};
  std::optional<Reason> reason = {};
  /// failed_at: from, inclusive, and up to, exclusive.
  std::optional<Timestamp> since = {};
  std::optional<Timestamp> until = {};
};

/// How letters are delivered again.
struct RedriveOptions {
  /// Deliver this many first, and the others only if all of these succeed; at least 1.
  std::optional<std::uint32_t> canary = {};
  /// Begin at most this many each second; above 0.
  std::optional<double> rate = {};
  /// Stop after this many failures; at least 1. Handlers that run at that moment may add to them.
  std::optional<std::uint32_t> stop_after = {};
  /// Who asks; kept with the request, and in the audit.
  std::string requested_by = "bus.redrive";
};

/// The name of the logger that has a record of each change of letters that somebody asked for.
inline constexpr std::string_view kAuditLogger = "tidings.audit";

/// A recorded request to deliver letters again.
struct RedriveRequest {
  /// 0 if no letter was marked: then there is no request.
  std::int64_t id = 0;
  std::uint64_t letters = 0;
  /// What was given to choose them, as the audit has it: JSON without personal values. Empty without an
  /// audit.
  std::string filter = {};
};

/// A handler that a bus has, for which the sink chooses letters.
struct ServedHandler {
  /// `*` for a handler of all events.
  std::string event_type;
  std::string handler;
  /// Letters of one ordering key wait until all earlier ones are resolved, not only for earlier ones that are
  /// being redriven.
  bool parks = false;
};

/// A bus's request for letters to claim.
struct ClaimRequest {
  std::string_view service;
  /// Identifies the bus among all buses of all processes.
  std::string_view claimant;
  std::span<const ServedHandler> handlers;
  std::size_t most_letters = 0;
  /// A limit on payload bytes. One letter is claimed whatever its size.
  std::size_t most_bytes = 0;
  std::chrono::milliseconds lease{};
  Instant now;
  Timestamp wall;
  /// Requests with a rate that have letters which this bus claimed and has not begun.
  std::span<const std::int64_t> waiting;
};

/// A letter that a bus holds to deliver it again.
struct ClaimedLetter {
  std::int64_t id = 0;
  std::optional<std::int64_t> redrive_id;
  /// The request has a canary, a rate or a limit of failures: the result of the letter must be settled at
  /// once.
  bool limited = false;
  DeadLetter letter;
};

/// A marked letter whose row is not one that tidings wrote. It is no longer marked.
struct UnreadableLetter {
  std::int64_t id = 0;
  std::string problem;
};

struct LetterClaim {
  /// In the order in which they were requested, those of one ordering key in the order of their numbers.
  std::vector<ClaimedLetter> letters;
  std::vector<UnreadableLetter> unreadable;
  /// There may be more to claim at once.
  bool more = false;
  /// When a request's rate lets more be claimed.
  std::optional<Instant> next;
};

/// The result of a claimed letter.
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
  /// Failed: marks of later letters of its ordering key are removed too.
  bool parks = false;
};

/// A request that has ended: none of its letters is marked or claimed any more.
struct RedriveEnd {
  std::int64_t id = 0;
  /// Ended by its canary or by stop_after; otherwise because no letter of it is left.
  bool stopped = false;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
};

/// The result of `Redrives::tend`.
struct RedriveUpkeep {
  std::vector<RedriveEnd> ended;
  /// Letters whose claimant died while their handler ran, as they are now, but without payload. They have
  /// that attempt (`Failed`) and are not marked. Of a letter whose row cannot be read only the number is
  /// known (`Withdrawn`).
  std::vector<RedriveResult> crashed;
  /// Expired claims of others on letters whose handler had not been run.
  std::size_t returned = 0;
  /// Resolved letters that were deleted because they were older than the sink's retention.
  std::size_t deleted = 0;
  /// There is more to do: call again soon.
  bool more = false;
};

class JournalTransaction;

/// An ordering key under which a handler has unresolved letters.
struct LetterKey {
  std::string key;
  /// Its letters will reach the handler without further action: they are marked, claimed, or have the reason
  /// `shutdown`. Later deliveries of the key wait for them. If false, the key is dead.
  bool coming = false;
};

/// The port through which a bus finds letters to deliver again, for LetterSinks that support it. A letter is
/// marked by `mark` or by a tool in another process, then claimed by one bus among all, begun, and settled.
///
/// Letters with the reason `shutdown` need no mark: they are claimed without one. A letter of an ordering key
/// is not claimed before an earlier one of its handler and key that is unresolved and parks it, is marked, or
/// has the reason `shutdown`, except together with it by one bus.
///
/// A claim ends with its lease, unless `tend` renews it; then any bus's `tend` cleans it up. Thread-safe.
/// Every member throws Error(DatabaseBusy) or Error(DatabaseUnusable), and then the transaction that failed
/// had no effect.
class Redrives {
 public:
  Redrives() = default;
  Redrives(const Redrives&) = delete;
  Redrives& operator=(const Redrives&) = delete;
  virtual ~Redrives() = default;

  /// Marks the unresolved letters of `service` that match, are not marked and not claimed, in batches.
  [[nodiscard]] virtual RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                            const RedriveOptions& options, Timestamp wall) = 0;
  /// Whether anything may have changed since the last call, also by the caller's own `tend`. Very cheap.
  [[nodiscard]] virtual bool changed() = 0;
  /// Claims letters, in one transaction.
  [[nodiscard]] virtual LetterClaim claim(const ClaimRequest& request) = 0;
  /// Records that the letter's handler runs from now on, so that a death of the process counts as an attempt.
  /// Returns false if the claim was lost or the request has stopped: the handler must not be run then.
  [[nodiscard]] virtual bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) = 0;
  /// Records the results of letters, in one synced transaction, and ends their claims. Letters whose claim
  /// was lost meanwhile are not changed.
  virtual std::vector<RedriveEnd> settle(std::string_view claimant,
                                         std::span<const RedriveResult> results) = 0;
  /// The same for one letter, in a transaction of the sink's journal, which the caller commits; if it does
  /// not, it calls `settle` afterwards. Returns nullopt if the claim was lost, and then nothing was written.
  [[nodiscard]] virtual std::optional<std::vector<RedriveEnd>> settle_in(JournalTransaction& /*transaction*/,
                                                                         std::string_view /*claimant*/,
                                                                         const RedriveResult& /*result*/) {
    return std::nullopt;
  }
  /// Renews the claimant's claims, ends claims whose lease has passed, removes the marks of stopped requests,
  /// ends requests that have no letters left, and deletes resolved letters that are past the retention; each
  /// a bounded number at a time.
  [[nodiscard]] virtual RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease,
                                           Timestamp wall) = 0;
  /// The ordering keys under which a handler has unresolved letters; for a handler that does not park, only
  /// those that are coming because of a `shutdown`.
  [[nodiscard]] virtual std::vector<LetterKey> keys(std::string_view service,
                                                    const ServedHandler& handler) = 0;
};

}  // namespace tidings
