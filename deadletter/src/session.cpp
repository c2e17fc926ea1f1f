#include "session.hpp"

#include "sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <exception>

namespace tidings::deadletter {
namespace {

constexpr const char* kDeadKeys =
    "SELECT DISTINCT ordering_key FROM dead_letters INDEXED BY dead_letters_unresolved_keys"
    " WHERE service = ? AND event_type = ? AND handler = ? AND reprocessed_at IS NULL AND ordering_key IS "
    "NOT NULL";

void run(SQLite::Statement& statement) {
  const StatementUse use(statement);
  statement.executeStep();
}

}  // namespace

Session::Session(const std::filesystem::path& path, const Options& options)
    : busy_timeout_(options.busy_timeout),
      connection_(path, Access::ReadWrite, options.vfs,
                  std::chrono::steady_clock::now() + options.busy_timeout),
      begin_(connection_.database(), "BEGIN IMMEDIATE"),
      commit_(connection_.database(), "COMMIT"),
      dead_keys_(connection_.database(), kDeadKeys),
      insert_(connection_.database()) {
  if (options.row_limit > 0) {
    sqlite3_limit(connection_.database().getHandle(), SQLITE_LIMIT_LENGTH, options.row_limit);
  }
}

void Session::wait_from_now() { connection_.wait_until(std::chrono::steady_clock::now() + busy_timeout_); }

std::vector<LetterOutcome> Session::store(std::span<const DeadLetter> letters) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  wait_from_now();
  try {
    run(begin_);
    for (const DeadLetter& letter : letters) outcomes.push_back(take(letter));
    run(commit_);
  } catch (...) {
    connection_.rollback();
    throw;
  }
  return outcomes;
}

LetterOutcome Session::take(const DeadLetter& letter) {
  try {
    const auto result = insert_.insert(letter);
    return {
        result.inserted ? LetterOutcome::Place::Stored : LetterOutcome::Place::AlreadyStored, result.id, {}};
  } catch (const SQLite::Exception& error) {
    // Some failures end the transaction by themselves: then the others are not in it either.
    if (failure_kind(error.getErrorCode()) != FailureKind::Letter || !connection_.in_transaction()) throw;
    return {LetterOutcome::Place::Unsaved, 0, explain(error.getErrorCode(), error.what())};
  }
}

std::vector<std::string> Session::dead_keys(std::string_view service, std::string_view event_type,
                                            std::string_view handler) {
  wait_from_now();
  const StatementUse use(dead_keys_);
  dead_keys_.bind(1, std::string(service));
  dead_keys_.bind(2, std::string(event_type));
  dead_keys_.bind(3, std::string(handler));
  std::vector<std::string> keys;
  while (dead_keys_.executeStep()) keys.push_back(dead_keys_.getColumn(0).getString());
  return keys;
}

}  // namespace tidings::deadletter
