#include "journal/crash_streak.hpp"

#include <tidings/detail/parse_json.hpp>

#include <SQLiteCpp/Statement.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace tidings::deadletter {
namespace {

using Streak = std::map<std::pair<std::int64_t, std::string>, std::uint32_t>;

/// A row that cannot be read counts as missing: a delivery is counted too seldom rather than too often.
Streak read_streak(SQLite::Database& database) {
  SQLite::Statement row(database, "SELECT value FROM tidings_meta WHERE key = 'crash_streak'");
  Streak streak;
  if (!row.executeStep()) return streak;
  const auto entries = tidings::detail::find_json(row.getColumn(0).getString()).value_or(Json());
  for (const auto& entry : entries) {
    if (!entry.is_array() || entry.size() != 3 || !entry[0].is_number_integer() || !entry[1].is_string() ||
        !entry[2].is_number_unsigned()) {
      continue;
    }
    streak[{entry[0].get<std::int64_t>(), entry[1].get<std::string>()}] = entry[2].get<std::uint32_t>();
  }
  return streak;
}

/// Whether all that ran of the journal ran on one thread. Attempts for which there was no slot could be of
/// it.
bool one_thread_ran_the_journal(std::span<const SlotContent> slots) {
  const SlotContent* first = nullptr;
  for (const SlotContent& slot : slots) {
    if (slot.thread == UINT64_MAX) return false;
    if (slot.journal_id <= 0) continue;
    if (first != nullptr && slot.thread != first->thread) return false;
    first = &slot;
  }
  return first != nullptr;
}

}  // namespace

void count_sole_crashes(SQLite::Database& database, std::span<const SlotContent> slots,
                        std::vector<CrashSuspect>& suspects) {
  if (!one_thread_ran_the_journal(slots)) return;
  const Streak streak = read_streak(database);
  for (CrashSuspect& suspect : suspects) {
    const auto before = streak.find({suspect.journal_id, suspect.handler});
    suspect.sole_crashes = 1 + (before == streak.end() ? 0 : std::min(before->second, UINT32_MAX - 1));
  }
}

void remember_sole_crashes(SQLite::Database& database, std::span<const CrashSuspect> suspects) {
  auto entries = nlohmann::json::array();
  for (const CrashSuspect& suspect : suspects) {
    if (suspect.sole_crashes > 0)
      entries.push_back({suspect.journal_id, suspect.handler, suspect.sole_crashes});
  }
  if (entries.empty()) {
    database.exec("DELETE FROM tidings_meta WHERE key = 'crash_streak'");
    return;
  }
  SQLite::Statement row(database,
                        "INSERT OR REPLACE INTO tidings_meta (key, value) VALUES ('crash_streak', ?)");
  row.bind(1, entries.dump());
  row.exec();
}

}  // namespace tidings::deadletter
