#include "operations/bulk_change.hpp"

#include "file/claim_life.hpp"
#include "letters/query.hpp"
#include "sqlite/stored_time.hpp"
#include "sqlite/write_transaction.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kFoundAtOnce = 5'000;
/// This many letters are changed in a moment.
constexpr std::size_t kSyncedAtOnce = 200;

/// How long a transaction goes on taking letters. Its commit adds to that, and takes long on a busy machine
/// or a slow disk: the next transactions are shorter then, since services wait for both.
class BatchTime {
 public:
  [[nodiscard]] steady_clock::duration next() const noexcept { return next_; }
  void took(steady_clock::duration whole) noexcept {
    next_ = whole > 2 * kLongest ? std::max(next_ / 2, kShortest) : std::min(next_ * 2, kLongest);
  }

 private:
  static constexpr steady_clock::duration kLongest = std::chrono::milliseconds(20);
  static constexpr steady_clock::duration kShortest = std::chrono::milliseconds(2);
  steady_clock::duration next_ = kLongest;
};

/// Batches that are not synced one by one, since a disk that is slow to sync would keep services from the
/// write lock; all of them are synced at the end, without it. Until then a power cut undoes the last batches
/// as if the change had been stopped before them, with their part of the audit.
class SyncAtTheEnd {
 public:
  explicit SyncAtTheEnd(Connection& connection) : connection_(connection) {
    connection_.execute("PRAGMA synchronous = NORMAL");
  }
  SyncAtTheEnd(const SyncAtTheEnd&) = delete;
  SyncAtTheEnd& operator=(const SyncAtTheEnd&) = delete;
  /// Only after `sync` or a failure, whose error is more useful than one from here.
  ~SyncAtTheEnd() { static_cast<void>(connection_.database().tryExec("PRAGMA synchronous = FULL")); }

  /// A synced commit syncs the whole -wal file. A checkpoint before it, which needs no write lock, does most
  /// of that work in advance.
  void sync() {
    static_cast<void>(connection_.integer("PRAGMA wal_checkpoint(PASSIVE)"));
    connection_.execute("PRAGMA synchronous = FULL");
    connection_.execute("UPDATE tidings_meta SET value = value WHERE key = 'schema_version'");
  }

 private:
  Connection& connection_;
};

struct Found {
  std::vector<std::int64_t> ids;
  std::optional<Page::Cursor> last;
};

Found find_letters(Connection& connection, const Filter& filter, const std::optional<Page::Cursor>& after) {
  auto row =
      Query(filter, after, ListOrder::OldestFirst)
          .prepare(connection.database(), "id, failed_at",
                   std::string(order_by(ListOrder::OldestFirst)) + "LIMIT " + std::to_string(kFoundAtOnce));
  Found found;
  while (row.executeStep()) {
    found.ids.push_back(row.getColumn(0).getInt64());
    found.last = {time_of(row.getColumn(1).getInt64()), found.ids.back()};
  }
  return found;
}

/// Nullopt if the watch stopped the search.
std::optional<Found> search(Connection& connection, const Filter& filter,
                            const std::optional<Page::Cursor>& after, const Watch& watch) {
  if (watch.stop && watch.stop()) return std::nullopt;
  const InterruptibleSearch interruptible(connection, watch);
  try {
    return find_letters(connection, filter, after);
  } catch (const SQLite::Exception& error) {
    if (error.getErrorCode() == SQLITE_INTERRUPT) return std::nullopt;
    throw;
  }
}

/// Changes letters from `next` on, until the time of a transaction is up. Returns false if the change ends
/// here.
bool change_batch(Connection& connection, const std::vector<std::int64_t>& ids, std::size_t& next,
                  const LetterChange& change, BatchTime& time, Progress& progress) {
  WriteTransaction transaction(connection);
  const auto begin = steady_clock::now();
  Progress after = progress;
  do {
    const auto outcome = change.apply(ids[next++]);
    if (outcome == LetterChange::Outcome::Changed) ++after.changed;
    if (outcome == LetterChange::Outcome::Running) ++after.running;
  } while (next < ids.size() && steady_clock::now() - begin < time.next());
  const auto changed = after.changed - progress.changed;
  if (changed > 0 && !change.finish_batch(changed)) return false;
  transaction.commit();
  time.took(steady_clock::now() - begin);
  progress = after;
  return true;
}

/// Uses as many transactions as necessary. Returns false if the change ends here.
bool change_found(Connection& connection, const Found& found, std::chrono::milliseconds busy_timeout,
                  const LetterChange& change, const Watch& watch, BatchTime& time, Progress& progress) {
  for (std::size_t next = 0; next < found.ids.size();) {
    if (watch.stop && watch.stop()) return false;
    connection.wait_until(steady_clock::now() + busy_timeout);
    if (!change_batch(connection, found.ids, next, change, time, progress)) return false;
    if (watch.progress) watch.progress(progress);
    if (next < found.ids.size()) std::this_thread::sleep_for(kPauseBetweenWrites);
  }
  return true;
}

}  // namespace

Progress change_letters(Connection& connection, Filter filter, std::chrono::milliseconds busy_timeout,
                        const LetterChange& change, const Watch& watch) {
  connection.wait_until(steady_clock::now() + busy_timeout);
  if (!filter.up_to_id) filter.up_to_id = connection.integer("SELECT max(id) FROM dead_letters");
  Progress progress;
  BatchTime time;
  std::optional<SyncAtTheEnd> synced_at_the_end;
  std::optional<Page::Cursor> after;
  for (;;) {
    connection.wait_until(steady_clock::now() + busy_timeout);
    const auto found = search(connection, filter, after, watch);
    if (!found) break;
    if (found->ids.size() > kSyncedAtOnce && !synced_at_the_end) synced_at_the_end.emplace(connection);
    if (!change_found(connection, *found, busy_timeout, change, watch, time, progress)) break;
    progress.complete = found->ids.size() < kFoundAtOnce;
    if (progress.complete) break;
    after = found->last;
    std::this_thread::sleep_for(kPauseBetweenWrites);
  }
  if (synced_at_the_end) synced_at_the_end->sync();
  return progress;
}

InterruptibleSearch::InterruptibleSearch(Connection& connection, const Watch& watch)
    : handle_(connection.database().getHandle()) {
  constexpr int kInstructionsBetweenQuestions = 5'000;
  if (!watch.stop) return;
  sqlite3_progress_handler(
      handle_, kInstructionsBetweenQuestions,
      [](void* asked) { return static_cast<const Watch*>(asked)->stop() ? 1 : 0; },
      const_cast<Watch*>(&watch));  // SQLite's signature; it is only called
}

InterruptibleSearch::~InterruptibleSearch() { sqlite3_progress_handler(handle_, 0, nullptr, nullptr); }

RunningQuestion::RunningQuestion(Connection& connection)
    : statement_(connection.database(),
                 std::string("SELECT ") + kIsRunning + " FROM dead_letters WHERE id = ?") {}

bool RunningQuestion::ask(std::int64_t id) {
  const StatementUse use(statement_);
  statement_.bind(1, id);
  return statement_.executeStep() && statement_.getColumn(0).getInt() != 0;
}

GuardedStatement::GuardedStatement(Connection& connection, const std::string& sql)
    : database_(connection.database()), statement_(database_, sql), is_running_(connection) {}

LetterChange::Outcome GuardedStatement::apply(std::int64_t id) {
  const StatementUse use(statement_);
  statement_.bind(":id", id);
  statement_.exec();
  if (database_.getChanges() > 0) return LetterChange::Outcome::Changed;
  return is_running_.ask(id) ? LetterChange::Outcome::Running : LetterChange::Outcome::Unfitting;
}

}  // namespace tidings::deadletter
