#include "redrive/redrive_requests.hpp"

#include "letters/query.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/process_identity.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kBatch = 500;

constexpr const char* kCountClaimed =
    ", (SELECT count(*) FROM dead_letters INDEXED BY dead_letters_claimed"
    "  WHERE claimed_by IS NOT NULL AND redrive_id = tidings_redrives.id), ";
constexpr const char* kOfMoment =
    "SELECT count(*) FROM (SELECT 1 FROM tidings_redrives WHERE requested_at = ? LIMIT 2)";
constexpr const char* kReopen =
    "UPDATE tidings_redrives SET state = 'open', finished_at = NULL WHERE id = ? AND state = 'finished'";
constexpr const char* kCount =
    "UPDATE tidings_redrives SET succeeded = succeeded + ?, failed = failed + ? WHERE id = ?";
constexpr const char* kEnd = "UPDATE tidings_redrives SET state = ?, finished_at = ? WHERE id = ?";
constexpr const char* kInsertRequest =
    "INSERT INTO tidings_redrives (requested_at, requested_by, canary, rate, stop_after, letters, succeeded,"
    " failed, state) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 'open')";
constexpr const char* kMark =
    "UPDATE dead_letters SET redrive_requested_at = ?, redrive_id = ? WHERE id = ? AND service = ?"
    " AND reprocessed_at IS NULL AND redrive_requested_at IS NULL AND claimed_by IS NULL AND handler <> ''"
    " AND data_encoding NOT IN ('none', 'masked')";
constexpr const char* kAddLetters = "UPDATE tidings_redrives SET letters = letters + ? WHERE id = ?";
constexpr const char* kMarked =
    "SELECT DISTINCT redrive_id FROM dead_letters INDEXED BY dead_letters_marked"
    " WHERE redrive_requested_at IS NOT NULL AND redrive_id IS NOT NULL";
constexpr const char* kOpen = "SELECT id FROM tidings_redrives WHERE state = 'open'";
constexpr const char* kUnmark =
    "UPDATE dead_letters SET redrive_requested_at = NULL, redrive_id = NULL WHERE id IN"
    " (SELECT id FROM dead_letters INDEXED BY dead_letters_marked"
    "  WHERE redrive_requested_at IS NOT NULL AND redrive_id = ? AND claimed_by IS NULL LIMIT ?)";

std::vector<std::int64_t> integers_now(SQLite::Statement& kept) {
  const StatementUse use(kept);
  return integers_of(kept);
}

template <class Limit>
void drop_unless_positive(std::optional<Limit>& limit) {
  if (limit && !(*limit > 0)) limit.reset();
}

Filter unresolved_of(std::string_view service, const LetterFilter& filter) {
  Filter result;
  result.service = std::string(service);
  result.event_type = filter.event_type;
  result.handler = filter.handler;
  result.fingerprint = filter.fingerprint;
  result.correlation_id = filter.correlation_id;
  result.event_id = filter.event_id;
  result.fields = filter.fields;
  result.reason = filter.reason;
  result.resolved = false;
  result.since = filter.since;
  result.until = filter.until;
  return result;
}

bool only_names(const LetterFilter& filter) {
  return filter.ids && !filter.event_type && !filter.handler && !filter.fingerprint &&
         !filter.correlation_id && !filter.event_id && filter.fields.empty() && !filter.reason &&
         !filter.since && !filter.until;
}

/// Those that the filter names, of those that match it otherwise, a page at a time. Whether they are
/// unresolved and of the service is for the mark to find out.
class MatchingLetters {
 public:
  MatchingLetters(SQLite::Database& database, std::string_view service, const LetterFilter& filter)
      : database_(database),
        named_(filter.ids),
        only_named_(only_names(filter)),
        filter_(unresolved_of(service, filter)) {
    if (named_) std::sort(named_->begin(), named_->end());
  }

  /// Empty at the end.
  [[nodiscard]] std::vector<std::int64_t> next() { return only_named_ ? next_named() : next_found(); }

 private:
  std::vector<std::int64_t> next_named() {
    const auto first = named_->begin();
    const auto last = first + std::min(std::ssize(*named_), static_cast<std::ptrdiff_t>(kBatch));
    std::vector<std::int64_t> page(first, last);
    named_->erase(first, last);
    return page;
  }

  std::vector<std::int64_t> next_found() {
    std::vector<std::int64_t> page;
    while (page.empty() && !done_) {
      auto row = Query(filter_, after_)
                     .prepare(database_, "failed_at, id",
                              "ORDER BY failed_at DESC, id DESC LIMIT " + std::to_string(kBatch));
      std::size_t rows = 0;
      while (row.executeStep()) {
        ++rows;
        after_ = {time_of(row.getColumn(0).getInt64()), row.getColumn(1).getInt64()};
        if (!named_ || std::binary_search(named_->begin(), named_->end(), after_->id))
          page.push_back(after_->id);
      }
      done_ = rows < kBatch;
    }
    return page;
  }

  SQLite::Database& database_;
  std::optional<std::vector<std::int64_t>> named_;
  const bool only_named_;
  const Filter filter_;
  std::optional<Page::Cursor> after_;
  bool done_ = false;
};

}  // namespace

RedriveRequests::RedriveRequests(RedriveConnection& connection)
    : connection_(connection),
      find_(connection.database(), std::string("SELECT ") + kRedriveColumns + kCountClaimed + kHasFailed +
                                       " FROM tidings_redrives WHERE id = ?"),
      of_moment_(connection.database(), kOfMoment),
      reopen_(connection.database(), kReopen),
      count_(connection.database(), kCount),
      end_(connection.database(), kEnd),
      mark_(connection.database(), kMark),
      add_letters_(connection.database(), kAddLetters),
      marked_(connection.database(), kMarked),
      open_(connection.database(), kOpen),
      unmark_(connection.database(), kUnmark) {}

std::optional<RequestRow> RedriveRequests::find(std::int64_t id) {
  const StatementUse use(find_);
  find_.bind(1, id);
  if (!find_.executeStep()) return std::nullopt;
  RequestRow row{read_redrive(find_)};
  drop_unless_positive(row.canary);
  drop_unless_positive(row.rate);
  drop_unless_positive(row.stop_after);
  row.claimed = find_.getColumn(10).getInt64();
  row.has_failed = find_.getColumn(11).getInt() != 0;
  return row;
}

bool RedriveRequests::is_only_one_of(std::int64_t requested_at) {
  const StatementUse use(of_moment_);
  of_moment_.bind(1, requested_at);
  return of_moment_.executeStep() && of_moment_.getColumn(0).getInt() == 1;
}

void RedriveRequests::reopen(std::int64_t id) { run(reopen_, id); }

RedriveEnd RedriveRequests::end(const RequestRow& row, bool stopped, Timestamp wall) {
  run(end_, std::string(stopped ? "stopped" : "finished"), microseconds(wall), row.id);
  return {row.id, stopped, row.succeeded, row.failed};
}

/// Unmarks, then reports: whoever reads that it has stopped finds none of its letters marked. Those that are
/// claimed are given back or end first.
RedriveRequests::Stop RedriveRequests::stop(const RequestRow& row, Timestamp wall) {
  Stop result;
  result.more = run(unmark_, row.id, static_cast<std::int64_t>(kBatch)) == static_cast<int>(kBatch);
  if (row.state == "open" && row.claimed == 0 && !result.more) result.end = end(row, true, wall);
  return result;
}

std::optional<RedriveEnd> RedriveRequests::count(std::int64_t id, std::int64_t succeeded, std::int64_t failed,
                                                 Timestamp wall) {
  run(count_, succeeded, failed, id);
  const auto row = find(id);
  if (!row || row->state != "open") return std::nullopt;
  if (row->has_failed) return stop(*row, wall).end;
  if (row->succeeded + row->failed >= row->letters) return end(*row, false, wall);
  return std::nullopt;
}

RedriveState read_redrive(SQLite::Statement& row) {
  RedriveState state;
  state.id = row.getColumn(0).getInt64();
  state.requested_at = time_of(row.getColumn(1).getInt64());
  state.requested_by = row.getColumn(2).getString();
  if (!row.getColumn(3).isNull()) state.canary = row.getColumn(3).getInt64();
  if (!row.getColumn(4).isNull()) state.rate = row.getColumn(4).getDouble();
  if (!row.getColumn(5).isNull()) state.stop_after = row.getColumn(5).getInt64();
  state.letters = row.getColumn(6).getInt64();
  state.succeeded = row.getColumn(7).getInt64();
  state.failed = row.getColumn(8).getInt64();
  state.state = row.getColumn(9).getString();
  return state;
}

std::int64_t insert_request(SQLite::Database& database, const RedriveOptions& options,
                            const std::string& requested_by, std::int64_t requested_at) {
  run(database, kInsertRequest, requested_at, requested_by, options.canary, options.rate, options.stop_after);
  return database.getLastInsertRowid();
}

/// The request is made together with its first marks, so that none is seen without letters.
std::optional<std::int64_t> RedriveRequests::mark_batch(const std::vector<std::int64_t>& ids,
                                                        std::string_view service,
                                                        const RedriveOptions& options, Timestamp wall,
                                                        std::int64_t& request, Audit& audit) {
  const std::string owner(service);
  std::optional<std::int64_t> marked;
  connection_.transact(Sync::Always, [&] {
    const auto row = request != 0 ? find(request) : std::nullopt;
    if (row && row->has_failed) return;
    const std::int64_t id = request != 0 ? request
                                         : insert_request(connection_.database(), options,
                                                          options.requested_by, microseconds(wall));
    marked = 0;
    for (const std::int64_t letter : ids) *marked += run(mark_, microseconds(wall), id, letter, owner);
    run(add_letters_, *marked, id);
    if (*marked > 0) audit.add(connection_.database(), *marked);
    request = id;
  });
  return marked;
}

RedriveRequest RedriveRequests::mark(std::string_view service, const LetterFilter& filter,
                                     const RedriveOptions& options, Timestamp wall) {
  RedriveRequest request;
  Filter described = unresolved_of(service, filter);
  described.ids = filter.ids;
  Audit audit({options.requested_by, process_identity().host}, "retry", describe_filter(described));
  MatchingLetters letters(connection_.database(), service, filter);
  for (auto ids = letters.next(); !ids.empty(); ids = letters.next()) {
    const auto marked = mark_batch(ids, service, options, wall, request.id, audit);
    if (!marked) break;
    request.letters += static_cast<std::uint64_t>(*marked);
  }
  request.filter = audit.filter();
  if (request.letters > 0 || request.id == 0) return request;
  // Others have taken them all between the look and the mark.
  if (const auto row = find(request.id)) {
    connection_.transact(Sync::Always, [&] { static_cast<void>(end(*row, false, wall)); });
  }
  return {};
}

RedriveRequests::Tidied RedriveRequests::tidy(Timestamp wall) {
  Tidied tidied;
  const auto marked = integers_now(marked_);
  for (const std::int64_t id : integers_now(open_)) {
    if (std::find(marked.begin(), marked.end(), id) != marked.end()) continue;
    connection_.transact(Sync::Never, [&] {
      // Looked at again: its maker may have marked more meanwhile.
      const auto row = find(id);
      const auto now_marked = integers_now(marked_);
      const bool nothing_left = std::find(now_marked.begin(), now_marked.end(), id) == now_marked.end();
      if (row && row->state == "open" && nothing_left)
        tidied.ended.push_back(end(*row, row->has_failed, wall));
    });
  }
  for (const std::int64_t id : marked) {
    if (const auto row = find(id); !row || !row->has_failed) continue;
    connection_.transact(Sync::Never, [&] {
      const auto row = find(id);
      if (!row) return;
      const Stop stopped = stop(*row, wall);
      tidied.more = tidied.more || stopped.more;
      if (stopped.end) tidied.ended.push_back(*stopped.end);
    });
  }
  return tidied;
}

}  // namespace tidings::deadletter
