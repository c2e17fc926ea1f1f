#include "simulation/facts.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace tidings::simulation {
namespace {

using nlohmann::json;

// Version 1 of a parcel calls its number `n`.
constexpr const char* kLetters =
    "SELECT id, handler, coalesce(event_data ->> '$.number', event_data ->> '$.n', 0), event_id, reason, "
    "error_type,"
    " error_message, ifnull(resolution, ''), ifnull(ordering_key, ''), event_data ->> '$.mended',"
    " redrive_requested_at IS NOT NULL OR claimed_by IS NOT NULL FROM dead_letters ORDER BY id";
constexpr const char* kOwed =
    "SELECT value, coalesce(event_data ->> '$.number', event_data ->> '$.n') FROM tidings_journal AS event,"
    " json_each(event.handlers) WHERE NOT EXISTS (SELECT 1 FROM tidings_journal_deliveries"
    " WHERE journal_id = event.id AND handler = value AND done)";

constexpr const char* kMiscounted =
    "SELECT count(*) FROM (SELECT error_fingerprint, event_type, handler, service, unresolved FROM "
    "tidings_causes"
    " EXCEPT SELECT error_fingerprint, event_type, handler, service, count(*) FROM dead_letters"
    " WHERE reprocessed_at IS NULL GROUP BY 1, 2, 3, 4)";

std::int64_t number_of(SQLite::Database& database, const char* query) {
  SQLite::Statement row(database, query);
  return row.executeStep() ? row.getColumn(0).getInt64() : 0;
}

Delivery delivery_of(SQLite::Statement& row, int handler) {
  return {row.getColumn(handler).getString(), row.getColumn(handler + 1).getInt64()};
}

void read_letters(SQLite::Database& database, Facts& facts) {
  SQLite::Statement row(database, kLetters);
  while (row.executeStep()) {
    facts.letters[delivery_of(row, 1)].push_back({.id = row.getColumn(0).getInt64(),
                                                  .event_id = row.getColumn(3).getString(),
                                                  .reason = row.getColumn(4).getString(),
                                                  .error_type = row.getColumn(5).getString(),
                                                  .error_message = row.getColumn(6).getString(),
                                                  .resolution = row.getColumn(7).getString(),
                                                  .ordering_key = row.getColumn(8).getString(),
                                                  .mended = row.getColumn(9).getInt() != 0,
                                                  .marked = row.getColumn(10).getInt() != 0});
  }
}

void read_spilled(const std::filesystem::path& database, Facts& facts) {
  std::ifstream file(database.native() + ".spill.jsonl");
  for (std::string line; std::getline(file, line);) {
    const json letter = json::parse(line, nullptr, false);
    if (!letter.is_object() || !letter.contains("handler")) continue;
    const json& kept = letter.at("event_data");
    const json data = kept.is_string() ? json::parse(kept.get<std::string>(), nullptr, false) : kept;
    const auto name = data.contains("number") ? "number" : "n";
    facts.spilled.insert({letter.at("handler").get<std::string>(), data.value(name, std::int64_t{0})});
  }
}

}  // namespace

std::size_t Facts::unresolved() const {
  std::size_t count = 0;
  for (const auto& [delivery, all] : letters)
    for (const LetterFact& letter : all) count += letter.resolution.empty() ? 1 : 0;
  return count;
}

std::set<std::int64_t> Facts::open_letters() const {
  std::set<std::int64_t> ids;
  for (const auto& [delivery, all] : letters)
    for (const LetterFact& letter : all)
      if (letter.resolution.empty() && !delivery.first.empty()) ids.insert(letter.id);
  return ids;
}

bool Facts::any_marked() const {
  for (const auto& [delivery, all] : letters)
    for (const LetterFact& letter : all)
      if (letter.resolution.empty() && letter.marked && !delivery.first.empty()) return true;
  return false;
}

Facts facts_of(const std::filesystem::path& path) {
  Facts facts;
  read_spilled(path, facts);  // first: what comes home meanwhile is seen twice, not missed
  SQLite::Database database(path.native(), SQLite::OPEN_READWRITE);
  database.setBusyTimeout(20'000);
  SQLite::Transaction one_moment(database);
  read_letters(database, facts);
  SQLite::Statement gone(database, "SELECT handler, number, ifnull(resolution, '') FROM gone");
  while (gone.executeStep()) facts.gone[delivery_of(gone, 0)].push_back(gone.getColumn(2).getString());
  SQLite::Statement owed(database, kOwed);
  while (owed.executeStep()) facts.owed.insert(delivery_of(owed, 0));
  SQLite::Statement effects(database, "SELECT handler, number FROM effects");
  while (effects.executeStep()) ++facts.effects[delivery_of(effects, 0)];
  SQLite::Statement placed(database, "SELECT number FROM placed");
  while (placed.executeStep()) facts.placed.insert(placed.getColumn(0).getInt64());
  SQLite::Statement request(database, "SELECT id, canary, succeeded, failed FROM tidings_redrives");
  while (request.executeStep()) {
    RequestFact& fact = facts.requests.emplace_back();
    fact.id = request.getColumn(0).getInt64();
    if (!request.getColumn(1).isNull()) fact.canary = request.getColumn(1).getInt64();
    fact.succeeded = request.getColumn(2).getInt64();
    fact.failed = request.getColumn(3).getInt64();
  }
  facts.events = static_cast<std::size_t>(number_of(database, "SELECT count(*) FROM tidings_journal"));
  facts.miscounted_causes = number_of(database, kMiscounted);
  return facts;
}

}  // namespace tidings::simulation
