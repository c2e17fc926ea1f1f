#include "schema/versions.hpp"

#include <array>

namespace tidings::deadletter {
namespace {

// A released version never changes. The next one raises kSchemaVersion, gets a step in migration.cpp, and is
// described in docs/schema.md.

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
    "INSERT INTO tidings_causes SELECT error_fingerprint, event_type, handler, service, count(*) FROM"
    " dead_letters WHERE reprocessed_at IS NULL GROUP BY error_fingerprint, event_type, handler, service";

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

// --- version 3: context values that are no text, where a letter failed, and what relays need ---

constexpr std::array kThirdVersionColumns = {
    "ALTER TABLE dead_letters ADD COLUMN host TEXT",
    "ALTER TABLE dead_letters ADD COLUMN pid INTEGER",
    "ALTER TABLE dead_letters ADD COLUMN release TEXT",
    "ALTER TABLE dead_letters ADD COLUMN span_id TEXT",
    "ALTER TABLE dead_letters ADD COLUMN version INTEGER NOT NULL DEFAULT 0",
    // Every letter has one, so that a relay begins with all of them.
    "UPDATE dead_letters SET version = id",
    "CREATE INDEX dead_letters_by_version ON dead_letters (version)",
    "ALTER TABLE dead_letters ADD COLUMN foreign_id TEXT",
    // Letters of events that come from nowhere else cost nothing here.
    "CREATE INDEX dead_letters_by_foreign_id ON dead_letters (foreign_id) WHERE foreign_id IS NOT NULL",
    "ALTER TABLE tidings_journal ADD COLUMN foreign_id TEXT",
    "ALTER TABLE tidings_journal ADD COLUMN max_attempts INTEGER",
    "ALTER TABLE tidings_audit ADD COLUMN changes TEXT",
};

// How many deliveries there were, and how long attempts took: a column for each class of durations.
constexpr const char* kMinutesTable = R"sql(
CREATE TABLE tidings_minutes (
  minute      INTEGER NOT NULL,
  service     TEXT NOT NULL,
  event_type  TEXT NOT NULL,
  handler     TEXT NOT NULL,
  published   INTEGER NOT NULL,
  handled     INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  dead        INTEGER NOT NULL,
  slow        INTEGER NOT NULL,
  took_10us   INTEGER NOT NULL,
  took_20us   INTEGER NOT NULL,
  took_50us   INTEGER NOT NULL,
  took_100us  INTEGER NOT NULL,
  took_200us  INTEGER NOT NULL,
  took_500us  INTEGER NOT NULL,
  took_1ms    INTEGER NOT NULL,
  took_2ms    INTEGER NOT NULL,
  took_5ms    INTEGER NOT NULL,
  took_10ms   INTEGER NOT NULL,
  took_20ms   INTEGER NOT NULL,
  took_50ms   INTEGER NOT NULL,
  took_100ms  INTEGER NOT NULL,
  took_200ms  INTEGER NOT NULL,
  took_500ms  INTEGER NOT NULL,
  took_1s     INTEGER NOT NULL,
  took_2s     INTEGER NOT NULL,
  took_5s     INTEGER NOT NULL,
  took_10s    INTEGER NOT NULL,
  took_20s    INTEGER NOT NULL,
  took_50s    INTEGER NOT NULL,
  took_100s   INTEGER NOT NULL,
  took_longer INTEGER NOT NULL,
  PRIMARY KEY (minute, service, event_type, handler)
) STRICT, WITHOUT ROWID
)sql";

std::string highest_version(const std::string& schema) {
  return "coalesce((SELECT version FROM " + schema +
         "dead_letters INDEXED BY dead_letters_by_version ORDER BY version DESC LIMIT 1), 0)";
}

/// Every change of a letter gives it a new number, whichever program makes it. No counter is written for
/// that: the index knows the last number, unless its letter was deleted. Inserts have no trigger, as one that
/// may update the table would cost each of them a tenth more: LetterInsert gives numbers itself, and a
/// service numbers what others have inserted (LetterVersions).
std::vector<std::string> letter_versions() {
  // Not claimed_until, a lease that is renewed all the time, and not redrive_started_at, which follows a
  // claim.
  const std::string state =
      "event_id, event_type, schema_version, event_data, data_encoding, data_note, attributes, source, "
      "handler, service, reason, error_type, error_message, error_fingerprint, correlation_id, causation_id, "
      "causation_depth, traceparent, tracestate, ordering_key, published_at, failed_at, retry_count, "
      "attempts, redrive_requested_at, claimed_by, reprocessed_at, resolution, edited_from, redrive_id, "
      "resolution_note, host, pid, release, span_id, foreign_id";
  return {"CREATE TRIGGER tidings_versions_changed AFTER UPDATE OF " + state +
              " ON dead_letters BEGIN UPDATE dead_letters SET version = " + next_letter_version() +
              " WHERE id = new.id; END",
          "CREATE TRIGGER tidings_versions_deleted AFTER DELETE ON dead_letters WHEN old.version > " +
              highest_version("") +
              " BEGIN INSERT OR REPLACE INTO tidings_meta VALUES ('deleted_version', max(old.version, "
              "coalesce((SELECT CAST(value AS INTEGER) FROM tidings_meta WHERE key = 'deleted_version'), "
              "0))); END"};
}

/// Version 2 has an index for the unresolved letters of a type alone.
constexpr const char* kLettersByType =
    "CREATE INDEX dead_letters_by_type ON dead_letters (event_type, failed_at)";

/// SQL for a column of microseconds as ISO 8601 text, null for null.
std::string iso8601(const std::string& column) {
  return "strftime('%Y-%m-%dT%H:%M:%S', " + column + " / 1000000, 'unixepoch') || printf('.%06dZ', " +
         column + " % 1000000) AS " + column;
}

}  // namespace

std::string readable_view(const std::string& columns_of_later_versions) {
  return "CREATE VIEW dead_letters_readable AS SELECT id, event_id, event_type, schema_version, event_data,"
         " data_encoding, data_note, attributes, source, handler, service, reason, error_type, error_message,"
         " error_fingerprint, correlation_id, causation_id, causation_depth, traceparent, tracestate, "
         "ordering_key, " +
         iso8601("published_at") + ", " + iso8601("failed_at") + ", retry_count, attempts, " +
         iso8601("redrive_requested_at") + ", claimed_by, claimed_until, " + iso8601("reprocessed_at") +
         ", resolution, edited_from" + columns_of_later_versions + " FROM dead_letters";
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

std::string next_letter_version(const std::string& schema) {
  return "(SELECT 1 + max(" + highest_version(schema) + ", coalesce((SELECT CAST(value AS INTEGER) FROM " +
         schema + "tidings_meta WHERE key = 'deleted_version'), 0)))";
}

std::vector<std::string> third_version() {
  std::vector<std::string> statements = {"DROP VIEW dead_letters_readable", kMinutesTable};
  statements.insert(statements.end(), kThirdVersionColumns.begin(), kThirdVersionColumns.end());
  statements.emplace_back(kLettersByType);
  const auto triggers = letter_versions();
  statements.insert(statements.end(), triggers.begin(), triggers.end());
  statements.push_back(readable_view(", redrive_id, " + iso8601("redrive_started_at") +
                                     ", resolution_note, host, pid, release, span_id, version, foreign_id"));
  return statements;
}

}  // namespace tidings::deadletter
