#include "operations/erasure.hpp"

#include "file/claim_life.hpp"
#include "letters/audit.hpp"
#include "letters/field_condition.hpp"
#include "letters/payload_value.hpp"
#include "letters/query.hpp"
#include "operations/bulk_change.hpp"
#include "operations/key_set.hpp"
#include "schema/schema.hpp"
#include "spill/locked_spill.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/detail/parse_json.hpp>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::deadletter {
namespace {

using std::chrono::steady_clock;

/// The facts about a letter that are needed before it is deleted.
struct Erasable {
  /// The letter from which it was edited, and those into which it was edited.
  std::vector<std::int64_t> versions = {};
  /// Why it was discarded, in an operator's words.
  std::optional<std::string> reason = {};
};

/// Keeps its statements prepared.
class ErasableReader {
 public:
  explicit ErasableReader(Connection& connection)
      : read_(connection.database(),
              "SELECT event_id, coalesce(edited_from, ''), correlation_id,"
              " CASE WHEN resolution = 'discarded' THEN resolution_note END FROM dead_letters WHERE id = ?"),
        // Corrected copies have the correlation id of their original: that has an index.
        versions_(connection.database(),
                  "SELECT id FROM dead_letters WHERE event_id = ?1 UNION SELECT id FROM dead_letters"
                  " INDEXED BY dead_letters_by_correlation WHERE correlation_id = ?2 AND edited_from = ?3") {}

  Erasable read(std::int64_t id) {
    const StatementUse use(read_);
    read_.bind(1, id);
    Erasable letter;
    if (!read_.executeStep()) return letter;
    if (!read_.getColumn(3).isNull()) letter.reason = read_.getColumn(3).getString();
    const StatementUse search(versions_);
    bind_all(versions_, read_.getColumn(1).getString(), read_.getColumn(2).getString(),
             read_.getColumn(0).getString());
    letter.versions = integers_of(versions_);
    return letter;
  }

 private:
  SQLite::Statement read_;
  SQLite::Statement versions_;
};

/// Deletes letters with their other versions.
class VersionEraser {
 public:
  explicit VersionEraser(Connection& connection)
      : letters_(connection),
        delete_(connection, std::string("DELETE FROM dead_letters WHERE id = :id AND NOT ") + kIsRunning) {}

  /// How many letters were deleted.
  std::int64_t erase(std::int64_t id) {
    std::int64_t erased = 0;
    std::vector<std::int64_t> open = {id};
    while (!open.empty()) {
      const auto current = open.back();
      open.pop_back();
      auto letter = letters_.read(current);
      const auto outcome = delete_.apply(current);
      if (outcome == LetterChange::Outcome::Running) running_.insert(current);
      if (outcome != LetterChange::Outcome::Changed) continue;
      ++erased;
      erased_.insert(current);
      running_.erase(current);
      if (letter.reason) reasons_.insert(*std::move(letter.reason));
      open.insert(open.end(), letter.versions.begin(), letter.versions.end());
    }
    return erased;
  }
  /// Letters that were not deleted because their handler is running. A bus runs few at a time.
  [[nodiscard]] const std::set<std::int64_t>& running() const noexcept { return running_; }
  /// The letters that were deleted since the last call.
  [[nodiscard]] std::set<std::int64_t> take_erased() { return std::exchange(erased_, {}); }
  /// The reasons of letters that were deleted since the last call.
  [[nodiscard]] std::set<std::string> take_reasons() { return std::exchange(reasons_, {}); }

 private:
  ErasableReader letters_;
  GuardedStatement delete_;
  std::set<std::int64_t> running_;
  std::set<std::int64_t> erased_;
  std::set<std::string> reasons_;
};

/// Counts what a VersionEraser would delete.
class VersionCounter {
 public:
  explicit VersionCounter(Connection& connection) : letters_(connection), is_running_(connection) {
    static_cast<void>(find_reasons(connection, [this](const std::string& reason) {
      audited_.insert(reason);
      return false;
    }));
  }

  void add(std::int64_t id, Progress& progress) {
    std::vector<std::int64_t> open = {id};
    while (!open.empty()) {
      const auto current = open.back();
      open.pop_back();
      const std::string key = std::to_string(current);
      if (seen_.contains(key)) continue;
      const bool running = is_running_.ask(current);
      ++(running ? progress.running : progress.changed);
      const auto letter = running ? Erasable{} : letters_.read(current);
      // Nothing leads to a letter without versions a second time.
      if (running || !letter.versions.empty()) seen_.insert(key);
      if (letter.reason && audited_.contains(*letter.reason)) reasons_.insert(*letter.reason);
      open.insert(open.end(), letter.versions.begin(), letter.versions.end());
    }
  }
  /// Whether a letter that would be deleted was discarded for this reason, which the audit has.
  [[nodiscard]] bool has_reason(const std::string& reason) const { return reasons_.contains(reason); }

 private:
  ErasableReader letters_;
  RunningQuestion is_running_;
  KeySet seen_;
  // Reasons of discards that operators made, which are few: letters may have any number of reasons.
  std::set<std::string> audited_;
  std::set<std::string> reasons_;
};

/// The values of the filter that may be personal, as an operator may have written them in a reason.
class PersonalValues {
 public:
  explicit PersonalValues(const Filter& filter) {
    if (filter.correlation_id) add(*filter.correlation_id);
    if (filter.event_id) add(filter.event_id->to_string());
    if (filter.foreign_id) add(*filter.foreign_id);
    for (const FieldValue& each : filter.fields) add(each.value);
    for (const PayloadValue& each : filter.where) {
      add(each.value);
      const auto value = tidings::detail::find_json(each.value);
      if (value && value->is_string()) add(value->get<std::string>());
    }
  }

  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] bool are_in(std::string_view text) const {
    return std::any_of(values_.begin(), values_.end(), [text](const std::string& value) {
      return text.find(value) != std::string_view::npos;
    });
  }

 private:
  void add(std::string value) {
    if (!value.empty()) values_.push_back(std::move(value));
  }

  std::vector<std::string> values_;
};

/// An event in the journal has not been given up: letters selected by number or by their failure are never in
/// it.
std::int64_t count_in_journal(Connection& connection, const Filter& filter) {
  if (filter.ids || filter.fingerprint || filter.reason || filter.resolved == true) return 0;
  if (!filter.where.empty()) define_payload_condition(connection.database());
  std::string sql = "SELECT count(*) FROM tidings_journal WHERE true";
  std::vector<std::string> values;
  const auto add = [&](const char* condition, const std::optional<std::string>& value) {
    if (!value) return;
    sql += condition;
    values.push_back(*value);
  };
  add(" AND correlation_id = ?", filter.correlation_id);
  add(" AND event_id = ?", filter.event_id ? std::optional(filter.event_id->to_string()) : std::nullopt);
  add(" AND foreign_id = ?", filter.foreign_id);
  add(" AND event_type = ?", filter.event_type);
  add(" AND service = ?", filter.service);
  for (const FieldValue& each : filter.fields) {
    sql += " AND " + std::string(kFieldCondition);
    values.push_back(field_path(each.name));
    values.push_back(field_path(each.name));
    values.push_back(each.value);
  }
  for (const PayloadValue& each : filter.where) {
    sql += " AND " + std::string(kPayloadCondition);
    values.push_back(each.pointer);
    values.push_back(each.value);
  }
  SQLite::Statement row(connection.database(), sql);
  for (std::size_t i = 0; i < values.size(); ++i) row.bind(static_cast<int>(i) + 1, values[i]);
  return row.executeStep() ? row.getColumn(0).getInt64() : 0;
}

/// One erase, batch by batch.
class Erasure {
 public:
  Erasure(Connection& connection, Audit& audit, const Filter& filter)
      : connection_(connection), audit_(audit), eraser_(connection), values_(filter) {}

  [[nodiscard]] LetterChange change() {
    return {.apply = [this](std::int64_t id) { return apply(id); },
            .finish_batch =
                [this](std::int64_t changed) {
                  finish_batch(changed);
                  return true;
                }};
  }
  /// Reasons of any discard, and changes of any edit, that name the person to be erased.
  void clear_values() {
    if (values_.empty()) return;
    WriteTransaction transaction(connection_);
    const auto rows =
        find_reasons(connection_, [this](const std::string& reason) { return values_.are_in(reason); });
    const auto edits = find_changes(
        connection_, [this](const auto&, const std::string& changes) { return values_.are_in(changes); });
    if (rows.empty() && edits.empty()) return;
    forget(rows);
    clear_changes(connection_, edits);
    audit_.add(connection_.database(), 0);
    transaction.commit();
  }

  /// Beyond the letters that match themselves.
  [[nodiscard]] std::int64_t versions() const noexcept { return versions_; }
  [[nodiscard]] std::int64_t running() const noexcept {
    return static_cast<std::int64_t>(eraser_.running().size());
  }
  [[nodiscard]] std::int64_t cleared_reasons() const noexcept { return cleared_reasons_; }

 private:
  LetterChange::Outcome apply(std::int64_t id) {
    const auto erased = eraser_.erase(id);
    in_batch_ += erased;
    if (erased > 0) return LetterChange::Outcome::Changed;
    return eraser_.running().contains(id) ? LetterChange::Outcome::Running : LetterChange::Outcome::Unfitting;
  }

  void finish_batch(std::int64_t changed) {
    audit_.add(connection_.database(), in_batch_);
    versions_ += in_batch_ - changed;
    in_batch_ = 0;
    const auto erased = eraser_.take_erased();
    clear_changes(connection_, find_changes(connection_, [&](const auto& letters, const auto&) {
                    return std::any_of(letters.begin(), letters.end(),
                                       [&](std::int64_t id) { return erased.contains(id); });
                  }));
    const auto reasons = eraser_.take_reasons();
    if (reasons.empty()) return;
    forget(find_reasons(connection_, [&](const std::string& reason) { return reasons.contains(reason); }));
  }

  void forget(const std::vector<std::int64_t>& rows) {
    clear_reasons(connection_, rows);
    cleared_reasons_ += static_cast<std::int64_t>(rows.size());
  }

  Connection& connection_;
  Audit& audit_;
  VersionEraser eraser_;
  const PersonalValues values_;
  std::int64_t in_batch_ = 0;
  std::int64_t versions_ = 0;
  std::int64_t cleared_reasons_ = 0;
};

/// Returns false if the watch ended it.
bool count_versions(Connection& connection, const Filter& filter, const Watch& watch, VersionCounter& counter,
                    Progress& progress) try {
  const InterruptibleSearch interruptible(connection, watch);
  auto row = Query(filter).prepare(connection.database(), "id", "");
  while (row.executeStep()) {
    if (watch.stop && watch.stop()) return false;
    counter.add(row.getColumn(0).getInt64(), progress);
    if (watch.progress) watch.progress(progress);
  }
  return true;
} catch (const SQLite::Exception& error) {
  if (error.getErrorCode() == SQLITE_INTERRUPT) return false;
  throw;
}

}  // namespace

EraseResult erase_letters(Connection& connection, Audit& audit, const Filter& filter,
                          std::chrono::milliseconds busy_timeout, const Watch& watch) {
  Erasure erasure(connection, audit, filter);
  EraseResult result;
  result.progress = change_letters(connection, filter, busy_timeout, erasure.change(), watch);
  result.progress.changed += erasure.versions();
  result.progress.running = erasure.running();
  connection.wait_until(steady_clock::now() + busy_timeout);
  erasure.clear_values();
  result.cleared_reasons = erasure.cleared_reasons();
  for (const auto& spill : known_spills(connection)) {
    result.spilled += LockedSpill(spill, steady_clock::now() + busy_timeout).erase(filter);
  }
  result.journal_events = count_in_journal(connection, filter);
  connection.wait_until(steady_clock::now() + busy_timeout);
  // The first column says whether another connection prevented it.
  result.wal_cleared = connection.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
  return result;
}

EraseResult count_erasable(Connection& connection, const Filter& filter,
                           std::chrono::milliseconds busy_timeout, const Watch& watch) {
  EraseResult result;
  VersionCounter counter(connection);
  if (!count_versions(connection, filter, watch, counter, result.progress)) return result;
  const PersonalValues values(filter);
  const auto reasons = find_reasons(connection, [&](const std::string& reason) {
    return values.are_in(reason) || counter.has_reason(reason);
  });
  result.cleared_reasons = static_cast<std::int64_t>(reasons.size());
  for (const auto& spill : known_spills(connection)) {
    result.spilled += LockedSpill(spill, steady_clock::now() + busy_timeout).count(filter);
  }
  result.journal_events = count_in_journal(connection, filter);
  result.progress.complete = true;
  return result;
}

}  // namespace tidings::deadletter
