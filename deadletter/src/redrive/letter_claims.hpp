#pragma once

#include <tidings/detail/redrive_pace.hpp>
#include <tidings/redrive.hpp>

#include "redrive/parked_lanes.hpp"
#include "redrive/redrive_connection.hpp"
#include "redrive/redrive_requests.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tidings::deadletter {

/// SQL of a page of marked letters from a position on: of the same moment, which all letters of a request
/// have, and of later ones. Not one statement with `(redrive_requested_at, id) > (?, ?)`: SQLite seeks by the
/// first of the two only, as the index names the primary key, and so would read all letters of a request up
/// to the position for each page of it.
inline constexpr const char* kMarkedThen =
    "SELECT redrive_requested_at, id, redrive_id, event_type, handler, ordering_key FROM dead_letters"
    " INDEXED BY dead_letters_marked WHERE service = ? AND redrive_requested_at IS NOT NULL"
    " AND redrive_requested_at = ? AND id > ?"
    " AND (redrive_id IS NULL OR redrive_id NOT IN (SELECT value FROM json_each(?)))"
    " AND claimed_by IS NULL AND reprocessed_at IS NULL ORDER BY id LIMIT ?";
inline constexpr const char* kMarkedLater =
    "SELECT redrive_requested_at, id, redrive_id, event_type, handler, ordering_key FROM dead_letters"
    " INDEXED BY dead_letters_marked WHERE service = ? AND redrive_requested_at IS NOT NULL"
    " AND redrive_requested_at > ?"
    " AND (redrive_id IS NULL OR redrive_id NOT IN (SELECT value FROM json_each(?)))"
    " AND claimed_by IS NULL AND reprocessed_at IS NULL ORDER BY redrive_requested_at, id LIMIT ?";

/// Claims marked letters, and those with the reason `shutdown`, for a bus. Must be destroyed before the
/// connection and the requests. Throws SQLite::Exception.
class LetterClaims {
 public:
  LetterClaims(RedriveConnection& connection, RedriveRequests& requests);

  /// As Redrives::claim. `claimed_by` and `claimed_until` are what the rows say from then on.
  [[nodiscard]] LetterClaim claim(const ClaimRequest& wanted, const std::string& claimed_by,
                                  std::int64_t claimed_until);
  [[nodiscard]] bool begin(const std::string& claimed_by, std::int64_t id, Timestamp wall);

 private:
  struct Candidate {
    /// Nullopt if it is not marked.
    std::optional<std::int64_t> requested_at;
    std::int64_t id = 0;
    std::optional<std::int64_t> redrive_id;
    std::string event_type;
    std::string handler;
    std::optional<std::string> ordering_key;
  };
  /// The state of one call.
  struct Round {
    const ClaimRequest& wanted;
    const std::string& claimed_by;
    std::int64_t claimed_until;
    LetterClaim claim = {};
    std::size_t bytes = 0;
    bool failed = false;
    std::map<std::int64_t, RequestRow> requests = {};
    std::map<std::int64_t, std::size_t> budgets = {};
    /// Requests from which no more can be claimed now.
    std::set<std::int64_t> spent = {};
    /// The last letter that was claimed of a handler and key: earlier ones need no second check.
    std::map<std::string, std::int64_t> claimed_of_key = {};
  };

  [[nodiscard]] std::vector<Candidate> resumable(const Round& round, std::int64_t after);
  [[nodiscard]] std::vector<Candidate> marked(const Round& round);
  using ServedCandidates = std::vector<std::pair<const Candidate*, const ServedHandler*>>;
  void pass_spent(const Round& round, const Candidate& last);
  void claim_pages(Round& round);
  void claim_all(Round& round, const std::vector<Candidate>& candidates);
  void claim_served(Round& round, const ServedCandidates& served);
  [[nodiscard]] bool full(Round& round) const;
  [[nodiscard]] bool may_claim(Round& round, const Candidate& candidate);
  [[nodiscard]] std::size_t budget(Round& round, const RequestRow& row);
  void claim_one(Round& round, const Candidate& candidate, bool parks);
  void advance_to(const Candidate& candidate);
  void set_aside(Round& round, const Candidate& candidate, bool parks, const std::string& problem);

  RedriveConnection& connection_;
  RedriveRequests& requests_;
  tidings::detail::RedrivePace pace_;
  /// Marked letters up to here were read since the last time that the end was reached.
  struct Position {
    std::int64_t requested_at = std::numeric_limits<std::int64_t>::min();
    std::int64_t id = 0;
  };
  Position position_;
  SQLite::Statement resumable_;
  SQLite::Statement marked_then_;
  SQLite::Statement marked_later_;
  SQLite::Statement claim_;
  SQLite::Statement begin_;
  ParkedLanes parked_;
  SQLite::Statement set_aside_;
};

}  // namespace tidings::deadletter
