#include "reading/statistics.hpp"

#include "letters/letter_row.hpp"
#include "letters/query.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace tidings::deadletter {
namespace {

constexpr std::int64_t kMicrosecondsOfADay = 86'400'000'000;

struct StatisticsTally {
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;

  void add(bool is_unresolved) noexcept {
    ++letters;
    if (is_unresolved) ++unresolved;
  }
};

/// Takes views, so that counting a row allocates nothing.
class NameTallies {
 public:
  void add(std::string_view name, bool is_unresolved) {
    auto found = tallies_.find(name);
    if (found == tallies_.end()) found = tallies_.emplace(std::string(name), StatisticsTally{}).first;
    found->second.add(is_unresolved);
  }

  [[nodiscard]] std::vector<Statistics::Count> most_first() const {
    std::vector<Statistics::Count> counts;
    for (const auto& [name, tally] : tallies_) counts.push_back({name, tally.letters, tally.unresolved});
    std::stable_sort(counts.begin(), counts.end(),
                     [](const auto& left, const auto& right) { return left.letters > right.letters; });
    return counts;
  }

 private:
  std::map<std::string, StatisticsTally, std::less<>> tallies_;
};

/// Whether a large part of the table matches the filter.
bool is_of_most(SQLite::Database& database, const Filter& filter) {
  const bool narrow = filter.ids || filter.running == true || filter.event_id || filter.foreign_id ||
                      filter.correlation_id || filter.fingerprint || filter.handler || filter.event_type ||
                      filter.since;
  if (narrow) return false;
  if (filter.resolved != false) return true;
  return database
             .execAndGet(
                 "SELECT (SELECT coalesce(sum(unresolved), 0) * 4 FROM tidings_causes) >"
                 " (SELECT coalesce(max(id), 0) FROM dead_letters)")
             .getInt() != 0;
}

}  // namespace

Statistics count_statistics(SQLite::Database& database, const Filter& filter) {
  Query query(filter);
  if (is_of_most(database, filter)) query.read_in_table_order();
  auto row =
      query.prepare(database, "event_type, handler, service, reason, failed_at, reprocessed_at IS NULL", "");
  NameTallies types;
  NameTallies handlers;
  NameTallies services;
  NameTallies reasons;
  std::map<std::int64_t, StatisticsTally> days;
  StatisticsTally all;
  while (row.executeStep()) {
    const bool unresolved = row.getColumn(5).getInt() != 0;
    types.add(text_of(row.getColumn(0)), unresolved);
    handlers.add(text_of(row.getColumn(1)), unresolved);
    services.add(text_of(row.getColumn(2)), unresolved);
    reasons.add(text_of(row.getColumn(3)), unresolved);
    days[row.getColumn(4).getInt64() / kMicrosecondsOfADay].add(unresolved);
    all.add(unresolved);
  }
  Statistics result{all.letters,
                    all.unresolved,
                    types.most_first(),
                    handlers.most_first(),
                    services.most_first(),
                    reasons.most_first(),
                    {}};
  for (const auto& [day, tally] : days) {
    result.by_day.push_back(
        {Timestamp(std::chrono::microseconds(day * kMicrosecondsOfADay)), tally.letters, tally.unresolved});
  }
  return result;
}

}  // namespace tidings::deadletter
