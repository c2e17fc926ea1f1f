#pragma once

#include <tidings/deadletter/examination.hpp>
#include <tidings/redrive.hpp>

#include "letters/audit.hpp"
#include "redrive/redrive_connection.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// SQL of a condition on a row of tidings_redrives: its canary failed, or it had too many failures. No more
/// of it is begun, and it is stopped when nothing of it is claimed or marked. As long as the canary's letters
/// are all that was delivered, one failure is the canary's.
inline constexpr const char* kHasFailed =
    "(state = 'stopped' OR coalesce((canary > 0 AND failed > 0 AND succeeded + failed <= canary)"
    " OR (stop_after > 0 AND failed >= stop_after), 0))";

/// The columns that `read_redrive` reads, in its order, for a SELECT from tidings_redrives.
inline constexpr const char* kRedriveColumns =
    "id, requested_at, requested_by, canary, rate, stop_after, letters, succeeded, failed, state";
[[nodiscard]] RedriveState read_redrive(SQLite::Statement& row);

/// A row of tidings_redrives, and how many of its letters are claimed now. Limits that are not above 0 are
/// none.
struct RequestRow : RedriveState {
  std::int64_t claimed = 0;
  bool has_failed = false;

  [[nodiscard]] bool limited() const noexcept { return canary || rate || stop_after; }
};

/// Makes a row of tidings_redrives without letters, inside the transaction that marks the first of them.
/// Returns its id. Throws SQLite::Exception.
[[nodiscard]] std::int64_t insert_request(SQLite::Database& database, const RedriveOptions& options,
                                          const std::string& requested_by, std::int64_t requested_at);

/// The requests for redrives: rows of tidings_redrives, and the marks that refer to them. Must be destroyed
/// before the connection. Throws SQLite::Exception.
class RedriveRequests {
 public:
  explicit RedriveRequests(RedriveConnection& connection);

  [[nodiscard]] std::optional<RequestRow> find(std::int64_t id);
  /// Whether exactly one request was made at that moment, so that all its marks are of that one.
  [[nodiscard]] bool is_only_one_of(std::int64_t requested_at);
  /// A request whose letters are being claimed is open, though all that were marked earlier are done: its
  /// maker may still be marking.
  void reopen(std::int64_t id);
  /// Adds to the counters, takes back marks if the request has failed, and stops or finishes it if nothing of
  /// it is left then.
  [[nodiscard]] std::optional<RedriveEnd> count(std::int64_t id, std::int64_t succeeded, std::int64_t failed,
                                                Timestamp wall);

  /// See Redrives::mark.
  [[nodiscard]] RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                    const RedriveOptions& options, Timestamp wall);
  struct Tidied {
    std::vector<RedriveEnd> ended;
    bool more = false;
  };
  /// Finishes open requests of which nothing is marked, and takes back marks of stopped ones.
  [[nodiscard]] Tidied tidy(Timestamp wall);

 private:
  /// Returns nullopt if the request has failed already.
  [[nodiscard]] std::optional<std::int64_t> mark_batch(const std::vector<std::int64_t>& ids,
                                                       std::string_view service,
                                                       const RedriveOptions& options, Timestamp wall,
                                                       std::int64_t& request, Audit& audit);
  [[nodiscard]] RedriveEnd end(const RequestRow& row, bool stopped, Timestamp wall);
  struct Stop {
    std::optional<RedriveEnd> end;
    bool more = false;
  };
  [[nodiscard]] Stop stop(const RequestRow& row, Timestamp wall);

  RedriveConnection& connection_;
  SQLite::Statement find_;
  SQLite::Statement of_moment_;
  SQLite::Statement reopen_;
  SQLite::Statement count_;
  SQLite::Statement end_;
  SQLite::Statement mark_;
  SQLite::Statement add_letters_;
  SQLite::Statement marked_;
  SQLite::Statement open_;
  SQLite::Statement unmark_;
};

}  // namespace tidings::deadletter
