#include "schema/schema.hpp"

#include "file/random_uuid.hpp"
#include "schema/versions.hpp"
#include "sqlite/stored_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <system_error>

namespace tidings::deadletter {
namespace {

// The first version. It never changes: later ones are made of it by the steps in versions.cpp.

constexpr const char* kMetaTable = R"sql(
CREATE TABLE tidings_meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID
)sql";

// Without AUTOINCREMENT, which would make a table outside tidings' names: numbers stay unique as long as the
// row with the largest is never deleted, which retention keeps to.
constexpr const char* kLettersTable = R"sql(
CREATE TABLE dead_letters (
  id                   INTEGER PRIMARY KEY,
  event_id             TEXT NOT NULL,
  event_type           TEXT NOT NULL,
  schema_version       INTEGER NOT NULL,
  event_data           ANY,
  data_encoding        TEXT NOT NULL,
  data_note            TEXT,
  attributes           TEXT NOT NULL,
  source               TEXT NOT NULL,
  handler              TEXT NOT NULL,
  service              TEXT NOT NULL,
  reason               TEXT NOT NULL,
  error_type           TEXT NOT NULL,
  error_message        TEXT NOT NULL,
  error_fingerprint    TEXT NOT NULL,
  correlation_id       TEXT NOT NULL,
  causation_id         TEXT,
  causation_depth      INTEGER NOT NULL,
  traceparent          TEXT,
  tracestate           TEXT,
  ordering_key         TEXT,
  published_at         INTEGER NOT NULL,
  failed_at            INTEGER NOT NULL,
  retry_count          INTEGER NOT NULL,
  attempts             TEXT NOT NULL,
  redrive_requested_at INTEGER,
  claimed_by           TEXT,
  claimed_until        INTEGER,
  reprocessed_at       INTEGER,
  resolution           TEXT,
  edited_from          TEXT,
  CHECK ((reprocessed_at IS NULL) = (resolution IS NULL))
) STRICT
)sql";

// Partial indexes keep resolved letters out of the most frequent queries. reprocessed_at, always null there,
// makes them covering: SQLite does not conclude it from the index's own condition. After the time, pages are
// ordered by the id; the columns after it answer groups from the index alone.
constexpr std::array kIndexes = {
    "CREATE UNIQUE INDEX dead_letters_once ON dead_letters (event_id, service, handler)",
    "CREATE INDEX dead_letters_by_correlation ON dead_letters (correlation_id)",
    "CREATE INDEX dead_letters_by_time ON dead_letters (failed_at, id)",
    "CREATE INDEX dead_letters_unresolved_by_time ON dead_letters"
    " (failed_at, id, error_fingerprint, event_type, handler, service, reprocessed_at) WHERE reprocessed_at "
    "IS NULL",
    "CREATE INDEX dead_letters_unresolved_by_type ON dead_letters (event_type, failed_at, id, reprocessed_at)"
    " WHERE reprocessed_at IS NULL",
    "CREATE INDEX dead_letters_unresolved_by_handler ON dead_letters (handler, failed_at, id, reprocessed_at)"
    " WHERE reprocessed_at IS NULL",
    "CREATE INDEX dead_letters_unresolved_by_fingerprint ON dead_letters (error_fingerprint, failed_at, id, "
    "reprocessed_at)"
    " WHERE reprocessed_at IS NULL",
    "CREATE INDEX dead_letters_unresolved_keys ON dead_letters (service, event_type, handler, ordering_key)"
    " WHERE reprocessed_at IS NULL AND ordering_key IS NOT NULL",
};

constexpr std::array kNames = {"tidings_meta",
                               "dead_letters",
                               "dead_letters_readable",
                               "dead_letters_once",
                               "dead_letters_by_correlation",
                               "dead_letters_by_time",
                               "dead_letters_by_type",
                               "dead_letters_by_version",
                               "dead_letters_by_foreign_id",
                               "tidings_versions_changed",
                               "tidings_versions_deleted",
                               "dead_letters_unresolved_by_time",
                               "dead_letters_unresolved_by_type",
                               "dead_letters_unresolved_by_handler",
                               "dead_letters_unresolved_by_fingerprint",
                               "dead_letters_unresolved_keys",
                               "dead_letters_marked",
                               "dead_letters_resolved_by_time",
                               "dead_letters_claimed",
                               "dead_letters_shutdown",
                               "tidings_journal",
                               "tidings_journal_deliveries",
                               "tidings_idempotency_keys",
                               "tidings_idempotency_keys_by_time",
                               "tidings_unserved_handlers",
                               "tidings_spill_imports",
                               "tidings_redrives",
                               "tidings_audit",
                               "tidings_minutes",
                               "tidings_causes",
                               "tidings_causes_inserted",
                               "tidings_causes_deleted",
                               "tidings_causes_left",
                               "tidings_causes_joined"};

}  // namespace

void create_schema(Connection& connection, Owner owner) {
  connection.execute(kMetaTable);
  connection.execute(kLettersTable);
  for (const char* index : kIndexes) connection.execute(index);
  connection.execute(readable_view());
  write_meta(connection, meta::kSchemaVersion, std::to_string(kFirstSchemaVersion));
  write_meta(connection, meta::kCreatedAt, std::to_string(wall_now()));
  write_meta(connection, meta::kOwner, owner == Owner::Tidings ? "tidings" : "application");
  if (owner == Owner::Application) return;
  connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
  connection.execute("PRAGMA user_version = " + std::to_string(kFirstSchemaVersion));
}

std::optional<std::string> clashing_name(Connection& connection) {
  SQLite::Statement statement(connection.database(), "SELECT name FROM sqlite_schema WHERE lower(name) = ?");
  for (const char* name : kNames) {
    const StatementUse use(statement);
    statement.bind(1, name);
    if (statement.executeStep()) return statement.getColumn(0).getString();
  }
  return std::nullopt;
}

bool is_own_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower.starts_with("sqlite_") || std::find(kNames.begin(), kNames.end(), lower) != kNames.end();
}

std::vector<std::string> foreign_tables(Connection& connection) {
  SQLite::Statement each(connection.database(),
                         "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name");
  auto names = texts_of(each);
  std::erase_if(names, is_own_name);
  return names;
}

std::optional<int> read_schema_version(Connection& connection) {
  const auto text = read_meta(connection, meta::kSchemaVersion).value_or("");
  int version = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, version);
  if (result.ec != std::errc() || result.ptr != end || version < 1) return std::nullopt;
  return version;
}

bool is_of_third_version(SQLite::Database& database) {
  constexpr int kThird = 3;
  SQLite::Statement row(database,
                        "SELECT CAST(value AS INTEGER) FROM tidings_meta WHERE key = 'schema_version'");
  return row.executeStep() && row.getColumn(0).getInt64() >= kThird;
}

std::optional<std::string> read_meta(Connection& connection, const std::string& key) {
  SQLite::Statement statement(connection.database(), "SELECT value FROM tidings_meta WHERE key = ?");
  statement.bind(1, key);
  if (!statement.executeStep()) return std::nullopt;
  return statement.getColumn(0).getString();
}

void write_meta(Connection& connection, const std::string& key, const std::string& value) {
  run(connection.database(), "INSERT OR REPLACE INTO tidings_meta (key, value) VALUES (?, ?)", key, value);
}

void give_database_id(Connection& connection) {
  if (!read_meta(connection, meta::kDatabaseId)) write_meta(connection, meta::kDatabaseId, random_uuid());
}

std::vector<std::filesystem::path> known_spills(Connection& connection) {
  SQLite::Statement statement(
      connection.database(),
      "SELECT value FROM tidings_meta WHERE key = 'spill_path' OR key GLOB 'spill_path.*'"
      " ORDER BY length(key), key");
  const auto paths = texts_of(statement);
  return {paths.begin(), paths.end()};
}

bool remembers_spill(Connection& connection, const std::filesystem::path& spill_path, std::uint64_t reserve) {
  return read_meta(connection, meta::kSpillPath) == spill_path.native() &&
         read_meta(connection, meta::kSpillReserve) == std::to_string(reserve);
}

void remember_spill(Connection& connection, const std::filesystem::path& spill_path, std::uint64_t reserve) {
  write_meta(connection, meta::kSpillReserve, std::to_string(reserve));
  auto paths = known_spills(connection);
  std::erase(paths, spill_path);
  paths.insert(paths.begin(), spill_path);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string suffix = i == 0 ? "" : "." + std::to_string(i);
    write_meta(connection, meta::kSpillPath + suffix, paths[i].native());
  }
}

}  // namespace tidings::deadletter
