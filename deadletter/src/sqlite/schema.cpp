#include "sqlite/schema.hpp"

#include "sqlite/stored_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <system_error>

namespace tidings::deadletter {
namespace {

// A change of one of these must raise kSchemaVersion, add a migration and be described in docs/schema.md.

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

// --- version 2: the journal, redrive requests, and what tools write down about their work ---

constexpr const char* kJournalTable = R"sql(
CREATE TABLE tidings_journal (
  id              INTEGER PRIMARY KEY,
  event_id        TEXT NOT NULL,
  event_type      TEXT NOT NULL,
  schema_version  INTEGER NOT NULL,
  event_data      ANY,
  data_encoding   TEXT NOT NULL,
  attributes      TEXT NOT NULL,
  source          TEXT NOT NULL,
  service         TEXT NOT NULL,
  correlation_id  TEXT NOT NULL,
  causation_id    TEXT,
  causation_depth INTEGER NOT NULL,
  traceparent     TEXT,
  tracestate      TEXT,
  published_at    INTEGER NOT NULL,
  handlers        TEXT NOT NULL
) STRICT
)sql";

// Only for what differs from "owed, and never tried": most deliveries never have a row.
constexpr const char* kJournalDeliveriesTable = R"sql(
CREATE TABLE tidings_journal_deliveries (
  journal_id      INTEGER NOT NULL,
  handler         TEXT NOT NULL,
  done            INTEGER NOT NULL,
  attempts_made   INTEGER NOT NULL,
  attempts        TEXT NOT NULL,
  failed_at       INTEGER,
  next_attempt_at INTEGER,
  crashes         INTEGER NOT NULL,
  PRIMARY KEY (journal_id, handler)
) STRICT, WITHOUT ROWID
)sql";

constexpr const char* kIdempotencyTable = R"sql(
CREATE TABLE tidings_idempotency_keys (
  source          TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  event_id        TEXT NOT NULL,
  published_at    INTEGER NOT NULL,
  PRIMARY KEY (source, idempotency_key)
) STRICT, WITHOUT ROWID
)sql";

constexpr const char* kUnservedTable = R"sql(
CREATE TABLE tidings_unserved_handlers (
  service    TEXT NOT NULL,
  event_type TEXT NOT NULL,
  handler    TEXT NOT NULL,
  owed       INTEGER NOT NULL,
  since      INTEGER NOT NULL,
  PRIMARY KEY (service, event_type, handler)
) STRICT, WITHOUT ROWID
)sql";

constexpr const char* kSpillImportsTable = R"sql(
CREATE TABLE tidings_spill_imports (
  token          TEXT PRIMARY KEY,
  imported_bytes INTEGER NOT NULL,
  letters        INTEGER NOT NULL,
  imported_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID
)sql";

constexpr const char* kRedrivesTable = R"sql(
CREATE TABLE tidings_redrives (
  id            INTEGER PRIMARY KEY,
  requested_at  INTEGER NOT NULL,
  requested_by  TEXT NOT NULL,
  canary        INTEGER,
  rate          REAL,
  stop_after    INTEGER,
  letters       INTEGER NOT NULL,
  succeeded     INTEGER NOT NULL,
  failed        INTEGER NOT NULL,
  state         TEXT NOT NULL,
  finished_at   INTEGER
) STRICT
)sql";

constexpr const char* kAuditTable = R"sql(
CREATE TABLE tidings_audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  user    TEXT NOT NULL,
  host    TEXT NOT NULL,
  verb    TEXT NOT NULL,
  filter  TEXT NOT NULL,
  letters INTEGER NOT NULL,
  note    TEXT
) STRICT
)sql";

// How many unresolved letters each cause has, kept by triggers: every change of letters, even by hand, keeps
// the counts right, and the first query of an incident costs the same at ten million letters.
constexpr const char* kCausesTable = R"sql(
CREATE TABLE tidings_causes (
  error_fingerprint TEXT NOT NULL,
  event_type        TEXT NOT NULL,
  handler           TEXT NOT NULL,
  service           TEXT NOT NULL,
  unresolved        INTEGER NOT NULL,
  PRIMARY KEY (error_fingerprint, event_type, handler, service)
) STRICT, WITHOUT ROWID
)sql";

constexpr const char* kFillCauses =
    "INSERT INTO tidings_causes SELECT error_fingerprint, event_type, handler, service, count(*) FROM "
    "dead_letters"
    " WHERE reprocessed_at IS NULL GROUP BY error_fingerprint, event_type, handler, service";

/// SQL of a trigger's step for the row `row` (`new` or `old`). Not one upsert with DO UPDATE: for that SQLite
/// keeps a copy of every page that the statement changes.
std::string count_up(const std::string& row) {
  const std::string values =
      row + ".error_fingerprint, " + row + ".event_type, " + row + ".handler, " + row + ".service";
  return "INSERT INTO tidings_causes VALUES (" + values +
         ", 0) ON CONFLICT DO NOTHING; UPDATE tidings_causes SET unresolved = unresolved + 1 WHERE "
         "(error_fingerprint, event_type, handler, service) = (" +
         values + ");";
}

std::string count_down(const std::string& row) {
  const std::string key = " WHERE (error_fingerprint, event_type, handler, service) = (" + row +
                          ".error_fingerprint, " + row + ".event_type, " + row + ".handler, " + row +
                          ".service)";
  return "UPDATE tidings_causes SET unresolved = unresolved - 1" + key + "; DELETE FROM tidings_causes" +
         key + " AND unresolved <= 0;";
}

std::vector<std::string> causes() {
  const std::string columns = "reprocessed_at, error_fingerprint, event_type, handler, service";
  return {kCausesTable,
          kFillCauses,
          "CREATE TRIGGER tidings_causes_inserted AFTER INSERT ON dead_letters WHEN new.reprocessed_at IS "
          "NULL BEGIN " +
              count_up("new") + " END",
          "CREATE TRIGGER tidings_causes_deleted AFTER DELETE ON dead_letters WHEN old.reprocessed_at IS "
          "NULL BEGIN " +
              count_down("old") + " END",
          "CREATE TRIGGER tidings_causes_left AFTER UPDATE OF " + columns +
              " ON dead_letters WHEN old.reprocessed_at IS NULL BEGIN " + count_down("old") + " END",
          "CREATE TRIGGER tidings_causes_joined AFTER UPDATE OF " + columns +
              " ON dead_letters WHEN new.reprocessed_at IS NULL BEGIN " + count_up("new") + " END"};
}

constexpr std::array kSecondVersionColumns = {
    "ALTER TABLE dead_letters ADD COLUMN redrive_id INTEGER",
    "ALTER TABLE dead_letters ADD COLUMN redrive_started_at INTEGER",
    "ALTER TABLE dead_letters ADD COLUMN resolution_note TEXT",
};

constexpr std::array kSecondVersionIndexes = {
    "CREATE INDEX tidings_idempotency_keys_by_time ON tidings_idempotency_keys (published_at)",
    "CREATE INDEX dead_letters_marked ON dead_letters (service, redrive_requested_at, id, redrive_id)"
    " WHERE redrive_requested_at IS NOT NULL",
    "CREATE INDEX dead_letters_resolved_by_time ON dead_letters (reprocessed_at, id) WHERE reprocessed_at IS "
    "NOT NULL",
    "CREATE INDEX dead_letters_claimed ON dead_letters (redrive_id, claimed_by) WHERE claimed_by IS NOT NULL",
    "CREATE INDEX dead_letters_shutdown ON dead_letters (service, id) WHERE reason = 'shutdown' AND "
    "reprocessed_at IS NULL",
};

constexpr std::array kNames = {"tidings_meta",
                               "dead_letters",
                               "dead_letters_readable",
                               "dead_letters_once",
                               "dead_letters_by_correlation",
                               "dead_letters_by_time",
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
                               "tidings_causes",
                               "tidings_causes_inserted",
                               "tidings_causes_deleted",
                               "tidings_causes_left",
                               "tidings_causes_joined"};

/// SQL for a column of microseconds as ISO 8601 text, null for null.
std::string iso8601(const std::string& column) {
  return "strftime('%Y-%m-%dT%H:%M:%S', " + column + " / 1000000, 'unixepoch') || printf('.%06dZ', " +
         column + " % 1000000) AS " + column;
}

std::string readable_view(const std::string& columns_of_later_versions = "") {
  return "CREATE VIEW dead_letters_readable AS SELECT id, event_id, event_type, schema_version, event_data,"
         " data_encoding, data_note, attributes, source, handler, service, reason, error_type, error_message,"
         " error_fingerprint, correlation_id, causation_id, causation_depth, traceparent, tracestate, "
         "ordering_key, " +
         iso8601("published_at") + ", " + iso8601("failed_at") + ", retry_count, attempts, " +
         iso8601("redrive_requested_at") + ", claimed_by, claimed_until, " + iso8601("reprocessed_at") +
         ", resolution, edited_from" + columns_of_later_versions + " FROM dead_letters";
}

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

std::vector<std::string> second_version() {
  std::vector<std::string> statements = {
      kJournalTable,      kJournalDeliveriesTable, kIdempotencyTable, kUnservedTable,
      kSpillImportsTable, kRedrivesTable,          kAuditTable,       "DROP VIEW dead_letters_readable"};
  statements.insert(statements.end(), kSecondVersionColumns.begin(), kSecondVersionColumns.end());
  statements.insert(statements.end(), kSecondVersionIndexes.begin(), kSecondVersionIndexes.end());
  const auto counted = causes();
  statements.insert(statements.end(), counted.begin(), counted.end());
  statements.push_back(readable_view(", redrive_id, " + iso8601("redrive_started_at") + ", resolution_note"));
  return statements;
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

std::optional<std::string> read_meta(Connection& connection, const std::string& key) {
  SQLite::Statement statement(connection.database(), "SELECT value FROM tidings_meta WHERE key = ?");
  statement.bind(1, key);
  if (!statement.executeStep()) return std::nullopt;
  return statement.getColumn(0).getString();
}

void write_meta(Connection& connection, const std::string& key, const std::string& value) {
  run(connection.database(), "INSERT OR REPLACE INTO tidings_meta (key, value) VALUES (?, ?)", key, value);
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
