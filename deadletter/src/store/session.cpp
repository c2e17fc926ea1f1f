#include "store/session.hpp"

#include "file/sqlite_error.hpp"

#include <tidings/detail/patiently.hpp>

#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>

namespace tidings::deadletter {
namespace {

constexpr const char* kDeadKeys =
    "SELECT DISTINCT ordering_key FROM dead_letters INDEXED BY dead_letters_unresolved_keys"
    " WHERE service = ? AND event_type = ? AND handler = ? AND reprocessed_at IS NULL AND ordering_key IS "
    "NOT NULL";
/// The count is kept by triggers; the oldest is the first of the service in an index that has all of this.
constexpr const char* kUnresolved =
    "SELECT (SELECT coalesce(sum(unresolved), 0) FROM tidings_causes WHERE service = ?1),"
    " (SELECT failed_at FROM dead_letters INDEXED BY dead_letters_unresolved_by_time"
    " WHERE reprocessed_at IS NULL AND service = ?1 ORDER BY failed_at LIMIT 1)";
constexpr const char* kNoteLettersWithoutEnd =
    "INSERT OR IGNORE INTO tidings_meta VALUES ('letters_without_end', '1')";

}  // namespace

Session::Session(const std::filesystem::path& path, const WritingConnection::Options& options,
                 MinuteBuffer* minutes)
    : connection_(path, options),
      minutes_(minutes),
      dead_keys_(connection_.database(), kDeadKeys),
      letters_(connection_.database()) {}

std::vector<LetterOutcome> Session::store(std::span<const DeadLetter> letters, bool without_end) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  CarriedMinutes carried(minutes_);
  connection_.transact(Sync::Always, [&] {
    if (without_end) Prepared(connection_.database(), kNoteLettersWithoutEnd).run();
    for (const DeadLetter& letter : letters) outcomes.push_back(letters_.take(letter));
    carried.write_along(connection_);
  });
  carried.committed();
  return outcomes;
}

void Session::keep_minutes() {
  if (minutes_ == nullptr) return;
  CarriedMinutes carried(minutes_);
  connection_.transact(Sync::Never, [&] { minutes_->write(connection_); });
  carried.committed();
}

/// A commit that had no memory is in doubt until another has taken its place: it is tried again at once.
bool Session::commit(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                     JournalCommit& result) {
  for (tidings::detail::Patience patience;; patience.wait()) {
    try {
      return commit_once(batch, service, owner, result);
    } catch (const CommitInDoubt& error) {
      if (!is_short_of_memory(error) || patience.is_over()) throw;
    }
  }
}

bool Session::commit_once(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                          JournalCommit& result) {
  const WriteTurn::Hold turn(connection_.turn(), connection_.wait_from_now());
  connection_.begin(batch.synced || !batch.letters.empty() ? Sync::Always : Sync::Never);
  bool committing = false;
  CarriedMinutes carried(minutes_);
  try {
    if (!write(batch, service, owner, result)) {
      undo_journal();
      return false;
    }
    carried.write_along(connection_);
    committing = true;
    connection_.end();
    carried.committed();
  } catch (const SQLite::Exception& error) {
    undo_journal();
    if (committing) {
      throw CommitInDoubt(error, "", "; publishing again with the same idempotency key is safe");
    }
    throw;
  } catch (...) {
    undo_journal();
    throw;
  }
  return true;
}

void Session::undo_journal() noexcept {
  connection_.turn().may_have_deliveries = true;
  connection_.rollback();
}

JournalRows& Session::journal() {
  if (!journal_) journal_.emplace(connection_.database(), connection_.turn().may_have_deliveries);
  return *journal_;
}

bool Session::write(const JournalBatch& batch, std::string_view service, OwnerNumber& owner,
                    JournalCommit& result) {
  JournalRows& rows = journal();
  owner.require(rows.owner_number());
  rows.finish(batch.finished);  // first: what is appended takes the pages that this frees, in the same commit
  result.repeats.clear();
  result.repeats.reserve(batch.appended.size());
  for (const JournalAppend& event : batch.appended) result.repeats.push_back(rows.append(event, service));
  for (const JournalDelivery& delivery : batch.changed) rows.change(delivery);
  return take_all(batch, result);
}

/// False: a letter is Unsaved that was not before.
bool Session::take_all(const JournalBatch& batch, JournalCommit& result) {
  std::vector<LetterOutcome>& outcomes = result.letters;
  const bool again = outcomes.size() == batch.letters.size();
  outcomes.resize(batch.letters.size());
  bool all = true;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto place = outcomes[i].place;
    if (again && (place == LetterOutcome::Place::Spilled || place == LetterOutcome::Place::Unsaved)) continue;
    const DeadLetter& letter = *batch.letters[i];
    outcomes[i] = is_of_repeat(letter, batch, result.repeats)
                      ? LetterOutcome{LetterOutcome::Place::Repeat, 0, {}}
                      : letters_.take(letter);
    all = all && outcomes[i].place != LetterOutcome::Place::Unsaved;
  }
  return all;
}

std::vector<std::string> Session::dead_keys(std::string_view service, std::string_view event_type,
                                            std::string_view handler) {
  static_cast<void>(connection_.wait_from_now());
  const StatementUse use(dead_keys_);
  bind_all(dead_keys_, std::string(service), std::string(event_type), std::string(handler));
  return texts_of(dead_keys_);
}

UnresolvedLetters Session::unresolved(std::string_view service) {
  static_cast<void>(connection_.wait_from_now());
  Prepared query(connection_.database(), kUnresolved);
  query.text(service);
  UnresolvedLetters found;
  if (!query.step()) return found;
  found.letters = static_cast<std::uint64_t>(std::max<std::int64_t>(0, query.column_integer(0)));
  if (!query.column_is_null(1))
    found.oldest_failed_at = Timestamp(std::chrono::microseconds(query.column_integer(1)));
  return found;
}

}  // namespace tidings::deadletter
