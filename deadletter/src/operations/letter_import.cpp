#include "operations/letter_import.hpp"

#include "file/sqlite_error.hpp"
#include "letters/audit.hpp"
#include "letters/letter_insert.hpp"
#include "operations/key_set.hpp"
#include "sqlite/stored_time.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/detail/parse_json.hpp>

#include <SQLiteCpp/Exception.h>

#include <string>
#include <thread>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBatchTime(30);
constexpr std::size_t kLettersAtOnce = 500;

/// One row that is deeper fails SQLite's JSON functions for the whole table.
std::optional<ImportOutcome> refuse_deep(const DeadLetter& letter) {
  if (!tidings::detail::nests_too_deeply(letter.data)) return std::nullopt;
  return ImportOutcome{ImportOutcome::Place::Refused, 0,
                       "its payload nests deeper than " + std::to_string(kMaxJsonDepth) + " levels"};
}

bool is_shown_by_dates(Timestamp time) { return parse_rfc3339(to_rfc3339(time)) == time; }

/// Ages are computed from its times, and its times are shown as dates.
std::optional<ImportOutcome> refuse_undated(const StoredLetter& stored) {
  const DeadLetter& letter = stored.letter;
  bool shown = is_shown_by_dates(letter.failed_at) && is_shown_by_dates(letter.metadata.published_at) &&
               (!stored.reprocessed_at || is_shown_by_dates(*stored.reprocessed_at));
  for (const Attempt& attempt : letter.attempts) shown = shown && is_shown_by_dates(attempt.at);
  if (shown) return std::nullopt;
  return ImportOutcome{ImportOutcome::Place::Refused, 0, "one of its times is not in the years 0 to 9999"};
}

/// Keeps its statements prepared.
class Importer {
 public:
  explicit Importer(Connection& connection)
      : connection_(connection),
        insert_(connection.database()),
        resolve_(connection.database(),
                 "UPDATE dead_letters SET reprocessed_at = ?, resolution = ?, edited_from = ?,"
                 " resolution_note = nullif(?, '') WHERE id = ?") {}

  /// Inside a transaction.
  ImportOutcome take(const StoredLetter& stored) {
    if (auto refused = refuse_deep(stored.letter)) return *std::move(refused);
    if (auto refused = refuse_undated(stored)) return *std::move(refused);
    try {
      const auto inserted = insert_.insert(stored.letter);
      if (!inserted.inserted) return {ImportOutcome::Place::Duplicate, inserted.id};
      add_resolution(inserted.id, stored);
      return {ImportOutcome::Place::Imported, inserted.id};
    } catch (const SQLite::Exception& error) {
      const bool letter_is_wrong =
          failure_kind(error.getErrorCode()) == FailureKind::Letter && connection_.in_transaction();
      if (!letter_is_wrong) throw;
      return {ImportOutcome::Place::Refused, 0, explain(error.getErrorCode(), error.what())};
    }
  }

 private:
  void add_resolution(std::int64_t id, const StoredLetter& stored) {
    if (!stored.reprocessed_at && !stored.edited_from) return;
    std::optional<std::int64_t> at;
    std::optional<std::string> resolution;
    std::optional<std::string> original;
    if (stored.reprocessed_at) at = microseconds(*stored.reprocessed_at);
    if (stored.resolution) resolution = to_string(*stored.resolution);
    if (stored.edited_from) original = stored.edited_from->to_string();
    run(resolve_, at, resolution, original, stored.resolution_note, id);
  }

  Connection& connection_;
  LetterInsert insert_;
  SQLite::Statement resolve_;
};

/// Read before the lock is taken: the source may be slow.
std::vector<StoredLetter> take_some(const std::function<std::optional<StoredLetter>()>& next) {
  std::vector<StoredLetter> letters;
  while (letters.size() < kLettersAtOnce) {
    auto letter = next();
    if (!letter) break;
    letters.push_back(*std::move(letter));
  }
  return letters;
}

std::vector<ImportOutcome> import_batch(Connection& connection, Importer& importer, Audit& audit,
                                        const std::vector<StoredLetter>& letters, std::size_t first) {
  WriteTransaction transaction(connection);
  const auto end = steady_clock::now() + kBatchTime;
  std::vector<ImportOutcome> outcomes;
  std::int64_t imported = 0;
  for (std::size_t i = first; i < letters.size() && (i == first || steady_clock::now() < end); ++i) {
    outcomes.push_back(importer.take(letters[i]));
    if (outcomes.back().place == ImportOutcome::Place::Imported) ++imported;
  }
  if (imported > 0) audit.add(connection.database(), imported);
  transaction.commit();
  return outcomes;
}

/// What an Importer would do with letters. They have no numbers yet, and only one of each delivery gets one.
class Rehearsal {
 public:
  explicit Rehearsal(Connection& connection) : stored_(connection.database()) {}

  ImportOutcome take(const StoredLetter& stored) {
    const DeadLetter& letter = stored.letter;
    if (auto refused = refuse_deep(letter)) return *std::move(refused);
    if (auto refused = refuse_undated(stored)) return *std::move(refused);
    if (const auto id = stored_.find(letter); id != 0) return {ImportOutcome::Place::Duplicate, id};
    if (!taken_.insert(delivery_of(letter))) return {ImportOutcome::Place::Duplicate};
    return {ImportOutcome::Place::Imported};
  }

 private:
  /// Begins with what grows from letter to letter, so that the next key is near the last.
  static std::string delivery_of(const DeadLetter& letter) {
    return letter.metadata.event_id.to_string() + std::to_string(letter.service.size()) + ' ' +
           letter.service + letter.handler;
  }

  LetterInsert stored_;
  KeySet taken_;
};

}  // namespace

Progress rehearse_letters(Connection& connection, std::chrono::milliseconds busy_timeout,
                          const std::function<std::optional<StoredLetter>()>& next,
                          const std::function<void(const ImportOutcome&)>& tell, const Watch& watch) {
  Rehearsal rehearsal(connection);
  Progress progress;
  while (const auto stored = next()) {
    if (watch.stop && watch.stop()) return progress;
    connection.wait_until(steady_clock::now() + busy_timeout);
    const auto outcome = rehearsal.take(*stored);
    if (outcome.place == ImportOutcome::Place::Imported) ++progress.changed;
    tell(outcome);
    if (watch.progress) watch.progress(progress);
  }
  progress.complete = true;
  return progress;
}

Progress import_letters(Connection& connection, Audit& audit, std::chrono::milliseconds busy_timeout,
                        const std::function<std::optional<StoredLetter>()>& next,
                        const std::function<void(const ImportOutcome&)>& tell, const Watch& watch) {
  Importer importer(connection);
  Progress progress;
  for (;;) {
    const auto letters = take_some(next);
    for (std::size_t first = 0; first < letters.size();) {
      if (watch.stop && watch.stop()) return progress;
      connection.wait_until(steady_clock::now() + busy_timeout);
      const auto outcomes = import_batch(connection, importer, audit, letters, first);
      first += outcomes.size();
      for (const auto& outcome : outcomes) {
        if (outcome.place == ImportOutcome::Place::Imported) ++progress.changed;
        tell(outcome);
      }
      if (watch.progress) watch.progress(progress);
      std::this_thread::sleep_for(kPauseBetweenWrites);
    }
    if (letters.size() < kLettersAtOnce) break;
  }
  progress.complete = true;
  return progress;
}

}  // namespace tidings::deadletter
