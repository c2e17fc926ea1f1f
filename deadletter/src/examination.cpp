#include "examination.hpp"

#include "boot_clock.hpp"
#include "journal_backlog.hpp"
#include "schema.hpp"
#include "stored_time.hpp"

#include <algorithm>
#include <set>
#include <system_error>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kMostUnserved = 10'000;

constexpr const char* kRedriveColumns =
    "SELECT id, requested_at, requested_by, canary, rate, stop_after, letters, succeeded, failed, state"
    " FROM tidings_redrives ";

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

void add_damage(Examination& examination, SQLite::Database& database, bool thorough) {
  SQLite::Statement row(database, thorough ? "PRAGMA integrity_check" : "PRAGMA quick_check");
  while (row.executeStep()) {
    auto finding = row.getColumn(0).getString();
    if (finding != "ok") examination.damage.push_back(std::move(finding));
  }
}

void add_counts(Examination& examination, Connection& connection) {
  examination.letters = connection.integer("SELECT count(*) FROM dead_letters");
  examination.unresolved =
      connection.integer("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL");
  if (examination.unresolved > 0) {
    examination.oldest_unresolved = time_of(connection.integer(
        "SELECT failed_at FROM dead_letters WHERE reprocessed_at IS NULL ORDER BY failed_at, id LIMIT 1"));
  }
  examination.counts_agree =
      connection.integer("SELECT coalesce(sum(unresolved), 0) FROM tidings_causes") == examination.unresolved;
  examination.journal_events = connection.integer("SELECT count(*) FROM tidings_journal");
  examination.free_bytes = static_cast<std::uint64_t>(connection.integer("PRAGMA freelist_count") *
                                                      connection.integer("PRAGMA page_size"));
}

/// Only marked letters are claimed, so that the index of marks is all there is to look at. Gives the services
/// that are at work.
std::set<std::string> add_claims(Examination& examination, SQLite::Database& database) {
  SQLite::Statement row(database,
                        "SELECT claimed_by, claimed_until, service FROM dead_letters"
                        " WHERE redrive_requested_at IS NOT NULL AND claimed_by IS NOT NULL");
  std::set<std::string> at_work;
  while (row.executeStep()) {
    const bool alive = is_claim_alive(row.getColumn(0).getString(), row.getColumn(1).getInt64());
    ++(alive ? examination.live_claims : examination.stale_claims);
    if (alive) at_work.insert(row.getColumn(2).getString());
  }
  return at_work;
}

void add_waiting(Examination& examination, const std::set<std::string>& at_work, SQLite::Database& database) {
  SQLite::Statement row(database,
                        "SELECT service, event_type, handler, count(*), min(redrive_requested_at)"
                        " FROM dead_letters WHERE redrive_requested_at IS NOT NULL AND claimed_by IS NULL"
                        " GROUP BY service, event_type, handler ORDER BY 4 DESC");
  while (row.executeStep()) {
    examination.waiting.push_back({row.getColumn(0).getString(), row.getColumn(1).getString(),
                                   row.getColumn(2).getString(), row.getColumn(3).getInt64(),
                                   time_of(row.getColumn(4).getInt64()),
                                   at_work.contains(row.getColumn(0).getString())});
  }
}

void add_requests_and_changes(Examination& examination, SQLite::Database& database) {
  SQLite::Statement redrive(database, std::string(kRedriveColumns) + "WHERE state = 'open' ORDER BY id");
  while (redrive.executeStep()) examination.open_redrives.push_back(read_redrive(redrive));
  SQLite::Statement row(database,
                        "SELECT id, at, user, host, verb, filter, letters, note FROM tidings_audit"
                        " ORDER BY id DESC LIMIT 5");
  while (row.executeStep()) {
    examination.recent_changes.push_back({row.getColumn(0).getInt64(), time_of(row.getColumn(1).getInt64()),
                                          row.getColumn(2).getString(), row.getColumn(3).getString(),
                                          row.getColumn(4).getString(), row.getColumn(5).getString(),
                                          row.getColumn(6).getInt64(), row.getColumn(7).getString()});
  }
}

}  // namespace

Examination examine_database(Connection& connection, bool thorough) {
  Examination examination;
  examination.schema_version = read_schema_version(connection).value_or(0);
  examination.adopted = read_meta(connection, meta::kOwner) == "application";
  add_damage(examination, connection.database(), thorough);
  add_counts(examination, connection);
  const auto at_work = add_claims(examination, connection.database());
  add_waiting(examination, at_work, connection.database());
  examination.unserved = read_unserved(connection.database(), kMostUnserved);
  add_requests_and_changes(examination, connection.database());
  return examination;
}

std::optional<RedriveState> find_redrive(SQLite::Database& database, std::int64_t id) {
  SQLite::Statement row(database, std::string(kRedriveColumns) + "WHERE id = ?");
  row.bind(1, id);
  if (!row.executeStep()) return std::nullopt;
  return read_redrive(row);
}

std::vector<std::string> find_backups(SQLite::Database& database, const std::filesystem::path& path) {
  std::set<std::string> backups;
  SQLite::Statement row(database, "SELECT DISTINCT note FROM tidings_audit WHERE verb = 'backup'");
  while (row.executeStep()) backups.insert(row.getColumn(0).getString());
  std::error_code unreadable;
  const std::string prefix = path.filename().native() + ".";
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), unreadable)) {
    const std::string name = entry.path().filename().native();
    const bool copy =
        name.ends_with(".bak") || name.ends_with(".unfinished") || name.ends_with(".rejected.jsonl");
    if (name.starts_with(prefix) && copy) backups.insert(entry.path().native());
  }
  return {backups.begin(), backups.end()};
}

}  // namespace tidings::deadletter
