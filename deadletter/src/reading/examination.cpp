#include "reading/examination.hpp"

#include "copies/integrity.hpp"
#include "file/claim_life.hpp"
#include "journal/journal_backlog.hpp"
#include "letters/audit.hpp"
#include "redrive/redrive_requests.hpp"
#include "schema/schema.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/payload_cipher.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr std::size_t kMostUnserved = 10'000;

void add_damage(Examination& examination, SQLite::Database& database, bool thorough) {
  SQLite::Statement row(database, thorough ? "PRAGMA integrity_check" : "PRAGMA quick_check");
  while (row.executeStep()) {
    auto finding = row.getColumn(0).getString();
    require_was_read(finding);
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
  examination.files.free_bytes = static_cast<std::uint64_t>(connection.integer("PRAGMA freelist_count") *
                                                            connection.integer("PRAGMA page_size"));
}

/// The key that the beginning of an encrypted payload names; empty if there is none.
std::string key_of(std::string_view beginning) {
  if (beginning.size() < 2 || beginning[0] != EncryptedEnvelope::kVersion) return "";
  const std::string_view id = beginning.substr(2, static_cast<unsigned char>(beginning[1]));
  return is_valid_key_id(id) ? std::string(id) : "";
}

using KeyUses = std::map<std::string, KeyUse, std::less<>>;

/// The first row of each key is its sample.
void add_sample(KeyUse& use, SQLite::Database& database, const char* table, std::int64_t id) {
  constexpr int kLargestSample = 1024 * 1024;
  SQLite::Statement row(database, std::string("SELECT event_type, event_id, event_data FROM ") + table +
                                      " WHERE id = ? AND length(event_data) <= ?");
  bind_all(row, id, kLargestSample);
  if (!row.executeStep()) return;
  use.event_type = row.getColumn(0).getString();
  use.event_id = EventId::parse(row.getColumn(1).getString());
  use.sample = row.getColumn(2).getString();
}

void count_keys(KeyUses& uses, SQLite::Database& database, const char* table, std::int64_t KeyUse::*count) {
  SQLite::Statement row(database, std::string("SELECT id, substr(event_data, 1, 66) FROM ") + table +
                                      " WHERE data_encoding = 'encrypted'");
  while (row.executeStep()) {
    const std::string id = key_of(row.getColumn(1).getString());
    KeyUse& use = uses[id];
    if (use.letters + use.journal_events == 0) add_sample(use, database, table, row.getColumn(0).getInt64());
    ++(use.*count);
  }
}

/// Services that hold letters, or that delivered or failed some since `time`, which is not long ago: what a
/// clock put into the future says nothing. However much happened, only the newest of each kind are looked at.
std::set<std::string> services_at_work(SQLite::Database& database, Timestamp time) {
  std::set<std::string> at_work;
  SQLite::Statement claim(database,
                          "SELECT service FROM dead_letters INDEXED BY dead_letters_claimed"
                          " WHERE claimed_by IS NOT NULL"
                          " AND tidings_claim_life(claimed_by, claimed_until) > 0");
  while (claim.executeStep()) at_work.insert(claim.getColumn(0).getString());
  SQLite::Statement recent(database,
                           "SELECT service FROM (SELECT service, resolution FROM dead_letters"
                           " INDEXED BY dead_letters_resolved_by_time WHERE reprocessed_at BETWEEN ?1 AND ?2"
                           " ORDER BY reprocessed_at DESC LIMIT 1000) WHERE resolution = 'reprocessed'"
                           " UNION SELECT service FROM (SELECT service FROM dead_letters"
                           " INDEXED BY dead_letters_unresolved_by_time WHERE reprocessed_at IS NULL AND "
                           "failed_at BETWEEN ?1 AND ?2"
                           " ORDER BY failed_at DESC LIMIT 1000)");
  bind_all(recent, microseconds(time), microseconds(time + std::chrono::minutes(1)));
  while (recent.executeStep()) at_work.insert(recent.getColumn(0).getString());
  return at_work;
}

void add_claims(Examination& examination, SQLite::Database& database) {
  SQLite::Statement row(database,
                        "SELECT tidings_claim_life(claimed_by, claimed_until) FROM dead_letters"
                        " INDEXED BY dead_letters_claimed WHERE claimed_by IS NOT NULL");
  while (row.executeStep()) {
    const bool over = static_cast<ClaimLife>(row.getColumn(0).getInt()) == ClaimLife::Over;
    ++(over ? examination.claims.stale : examination.claims.live);
  }
}

/// The services with marked letters, each with the time of its first mark: the index is asked for the next
/// name rather than walked through.
constexpr const char* kFirstMarks =
    "WITH RECURSIVE asked (name) AS (SELECT min(service) FROM dead_letters INDEXED BY dead_letters_marked"
    " WHERE redrive_requested_at IS NOT NULL UNION ALL SELECT (SELECT min(service) FROM dead_letters"
    " INDEXED BY dead_letters_marked WHERE redrive_requested_at IS NOT NULL AND service > name)"
    " FROM asked WHERE name IS NOT NULL)"
    " SELECT name, (SELECT min(redrive_requested_at) FROM dead_letters INDEXED BY dead_letters_marked"
    " WHERE redrive_requested_at IS NOT NULL AND service = name) AS first FROM asked"
    " WHERE name IS NOT NULL AND first < ? ORDER BY first";
constexpr const char* kSomeMarked =
    "SELECT count(*) FROM (SELECT 1 FROM dead_letters INDEXED BY dead_letters_marked"
    " WHERE service = ? AND redrive_requested_at < ? LIMIT ?)";
constexpr std::int64_t kMostCounted = 10'000;

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
  SQLite::Statement redrive(database, std::string("SELECT ") + kRedriveColumns +
                                          " FROM tidings_redrives WHERE state = 'open' ORDER BY id");
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
  examination.database_id = read_meta(connection, meta::kDatabaseId).value_or("");
  examination.adopted = read_meta(connection, meta::kOwner) == "application";
  add_damage(examination, connection.database(), thorough);
  add_counts(examination, connection);
  add_claims(examination, connection.database());
  const auto lately = time_of(wall_now()) - std::chrono::seconds(10);
  add_waiting(examination, services_at_work(connection.database(), lately), connection.database());
  examination.unserved = read_unserved(connection.database(), kMostUnserved);
  add_requests_and_changes(examination, connection.database());
  return examination;
}

std::vector<KeyUse> find_key_uses(SQLite::Database& database) {
  KeyUses by_id;
  count_keys(by_id, database, "dead_letters", &KeyUse::letters);
  count_keys(by_id, database, "tidings_journal", &KeyUse::journal_events);
  std::vector<KeyUse> uses;
  for (auto& [id, use] : by_id) {
    use.key_id = id;
    uses.push_back(std::move(use));
  }
  return uses;
}

std::optional<RedriveState> find_redrive(SQLite::Database& database, std::int64_t id) {
  SQLite::Statement row(database,
                        std::string("SELECT ") + kRedriveColumns + " FROM tidings_redrives WHERE id = ?");
  row.bind(1, id);
  if (!row.executeStep()) return std::nullopt;
  return read_redrive(row);
}

std::vector<IdleService> find_idle_services(SQLite::Database& database, Timestamp time) {
  SQLite::Statement row(database, kFirstMarks);
  row.bind(1, microseconds(time));
  std::vector<IdleService> services;
  while (row.executeStep()) {
    services.push_back(
        {.service = row.getColumn(0).getString(), .since = time_of(row.getColumn(1).getInt64())});
  }
  if (services.empty()) return services;
  const auto at_work = services_at_work(database, time);
  std::erase_if(services, [&](const IdleService& each) { return at_work.contains(each.service); });
  SQLite::Statement count(database, kSomeMarked);
  for (IdleService& each : services) {
    const StatementUse use(count);
    bind_all(count, each.service, microseconds(time), kMostCounted + 1);
    count.executeStep();
    const auto letters = count.getColumn(0).getInt64();
    each.letters = std::min(letters, kMostCounted);
    each.exact = letters <= kMostCounted;
  }
  return services;
}

std::vector<std::string> find_backups(SQLite::Database& database, const std::filesystem::path& path) {
  std::set<std::string> backups;
  SQLite::Statement row(database, "SELECT DISTINCT note FROM tidings_audit WHERE verb = 'backup'");
  while (row.executeStep()) backups.insert(row.getColumn(0).getString());
  std::error_code unreadable;
  const std::string prefix = path.filename().native() + ".";
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), unreadable)) {
    const std::string name = entry.path().filename().native();
    const bool copy = name.ends_with(".bak") || name.ends_with(".unfinished") ||
                      name.ends_with(".restoring") || name.ends_with(".damaged-copy") ||
                      name.ends_with(".rejected.jsonl") || name.ends_with(".recovered") ||
                      name.starts_with(prefix + "before-restore-");
    if (name.starts_with(prefix) && copy) backups.insert(entry.path().native());
  }
  return {backups.begin(), backups.end()};
}

}  // namespace tidings::deadletter
