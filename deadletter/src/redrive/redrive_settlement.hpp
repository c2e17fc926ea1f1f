#pragma once

#include <tidings/redrive.hpp>

#include "redrive/parked_lanes.hpp"
#include "redrive/redrive_connection.hpp"
#include "redrive/redrive_requests.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::deadletter {

/// Ends claims: at the request of their holders, or because their lease has passed. Must be destroyed before
/// the connection and the requests. Throws SQLite::Exception.
class RedriveSettlement {
 public:
  RedriveSettlement(RedriveConnection& connection, RedriveRequests& requests);

  /// As Redrives::settle.
  [[nodiscard]] std::vector<RedriveEnd> settle(const std::string& claimed_by,
                                               std::span<const RedriveResult> results);

  /// The same for one letter, inside the caller's transaction. Nullopt if the claim was lost.
  [[nodiscard]] std::optional<std::vector<RedriveEnd>> settle_within(const std::string& claimed_by,
                                                                     const RedriveResult& result);

  /// The current time for claims.
  struct LeaseTime {
    std::int64_t now = 0;
    std::int64_t until = 0;
  };
  /// Renews the claims of `claimed_by` on these letters that have lived for a third of their lease, and ends
  /// all that are past it: also its own that it does not know of, because their commit was reported as
  /// failed.
  void tend(const std::string& claimed_by, const std::set<std::int64_t>& held, const LeaseTime& time,
            Timestamp wall, RedriveUpkeep& upkeep);

 private:
  struct HeldLetter {
    std::int64_t id = 0;
    std::string claimed_by;
    bool started = false;
  };
  /// Successes and failures by request.
  using Counts = std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>>;

  /// Returns false if the claim was lost.
  bool settle_one(const std::string& claimed_by, const RedriveResult& result, Counts& counts);
  void fail(const RedriveResult& result);
  void count_all(const Counts& counts, Timestamp wall, std::vector<RedriveEnd>& ended);
  void number_inserted();
  [[nodiscard]] std::vector<HeldLetter> stale();
  void end_stale(const HeldLetter& held, Timestamp wall, Counts& counts, RedriveUpkeep& upkeep);
  [[nodiscard]] RedriveResult crashed(const HeldLetter& held, Timestamp wall);

  RedriveConnection& connection_;
  RedriveRequests& requests_;
  SQLite::Statement request_of_;
  SQLite::Statement resolve_;
  SQLite::Statement fail_;
  SQLite::Statement release_;
  SQLite::Statement withdraw_;
  ParkedLanes parked_;
  SQLite::Statement due_;
  SQLite::Statement renew_;
  SQLite::Statement stale_;
  SQLite::Statement unnumbered_;
  SQLite::Statement letter_;
};

}  // namespace tidings::deadletter
