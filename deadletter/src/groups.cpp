#include "groups.hpp"

#include "connection.hpp"
#include "letter_row.hpp"
#include "query.hpp"
#include "stored_time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace tidings::deadletter {
namespace {

/// Fingerprint, event type, handler, service.
template <class String>
using Key = std::array<String, 4>;

/// Compares keys with views of keys, so that counting a row allocates nothing.
struct KeyLess {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
  template <class Left, class Right>
  bool operator()(const Key<Left>& left, const Key<Right>& right) const noexcept {
    return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end());
  }
};

struct Tally {
  std::int64_t letters = 0;
  std::int64_t first_failed_at = 0;
  std::int64_t last_failed_at = 0;
};

using Tallies = std::map<Key<std::string>, Tally, KeyLess>;

/// Counts here rather than by GROUP BY, whose sorter holds every letter where this holds every group: less
/// than a third of the time for a million letters of some hundred causes.
Tallies count_letters(SQLite::Database& database, const Filter& filter) {
  auto row =
      Query(filter).prepare(database, "error_fingerprint, event_type, handler, service, failed_at", "");
  Tallies tallies;
  while (row.executeStep()) {
    const Key<std::string_view> key = {text_of(row.getColumn(0)), text_of(row.getColumn(1)),
                                       text_of(row.getColumn(2)), text_of(row.getColumn(3))};
    const std::int64_t failed_at = row.getColumn(4).getInt64();
    auto found = tallies.find(key);
    if (found == tallies.end()) {
      const Key<std::string> owned = {std::string(key[0]), std::string(key[1]), std::string(key[2]),
                                      std::string(key[3])};
      found = tallies.emplace(owned, Tally{0, failed_at, failed_at}).first;
    }
    Tally& tally = found->second;
    ++tally.letters;
    tally.first_failed_at = std::min(tally.first_failed_at, failed_at);
    tally.last_failed_at = std::max(tally.last_failed_at, failed_at);
  }
  return tallies;
}

bool asks_for_every_unresolved(const Filter& filter) {
  const bool restricted = filter.event_id || filter.correlation_id || filter.reason || filter.since ||
                          filter.until || filter.ids || !filter.where.empty() || filter.resolution ||
                          filter.resolved_before || filter.marked || filter.attempted_since ||
                          filter.up_to_id;
  return filter.resolved == false && !restricted;
}

/// Causes that match, with their counts alone. Nothing when they are too many to look up each: walking
/// through the letters takes less then.
std::optional<Tallies> read_counts(SQLite::Database& database, const Filter& filter) {
  constexpr std::size_t kMostCauses = 5'000;
  SQLite::Statement row(
      database,
      "SELECT error_fingerprint, event_type, handler, service, unresolved FROM tidings_causes"
      " WHERE (?1 IS NULL OR error_fingerprint = ?1) AND (?2 IS NULL OR event_type = ?2)"
      " AND (?3 IS NULL OR handler = ?3) AND (?4 IS NULL OR service = ?4)");
  int parameter = 0;
  for (const auto* value : {&filter.fingerprint, &filter.event_type, &filter.handler, &filter.service}) {
    ++parameter;
    if (*value) row.bind(parameter, **value);
  }
  Tallies tallies;
  while (row.executeStep()) {
    if (tallies.size() == kMostCauses) return std::nullopt;
    const Key<std::string> key = {row.getColumn(0).getString(), row.getColumn(1).getString(),
                                  row.getColumn(2).getString(), row.getColumn(3).getString()};
    tallies.emplace(key, Tally{row.getColumn(4).getInt64(), 0, 0});
  }
  return tallies;
}

/// When the first and the last letter of a cause failed: two steps in an index, unless one fingerprint has
/// letters of several types or services.
void add_times(SQLite::Statement& first, SQLite::Statement& last, const Key<std::string>& key, Tally& tally) {
  const auto ask = [&](SQLite::Statement& row) {
    const StatementUse use(row);
    for (std::size_t i = 0; i < key.size(); ++i) row.bind(static_cast<int>(i) + 1, key[i]);
    return row.executeStep() ? row.getColumn(0).getInt64() : 0;
  };
  tally.first_failed_at = ask(first);
  tally.last_failed_at = ask(last);
}

std::string time_of_cause(const char* order) {
  return std::string(
             "SELECT failed_at FROM dead_letters INDEXED BY dead_letters_unresolved_by_fingerprint"
             " WHERE error_fingerprint = ? AND event_type = ? AND handler = ? AND service = ?"
             " AND reprocessed_at IS NULL ORDER BY failed_at ") +
         order + " LIMIT 1";
}

/// From the counts that triggers keep, where they answer the question; else letter by letter.
Tallies count_causes(SQLite::Database& database, const Filter& filter) {
  auto counts = asks_for_every_unresolved(filter) ? read_counts(database, filter) : std::nullopt;
  if (!counts) return count_letters(database, filter);
  SQLite::Statement first(database, time_of_cause("ASC"));
  SQLite::Statement last(database, time_of_cause("DESC"));
  for (auto& [key, tally] : *counts) add_times(first, last, key, tally);
  return *std::move(counts);
}

std::vector<Group> first_groups(const Tallies& tallies, std::size_t limit, GroupOrder order) {
  std::vector<Group> groups;
  for (const auto& [key, tally] : tallies) {
    groups.push_back({.fingerprint = key[0],
                      .event_type = key[1],
                      .handler = key[2],
                      .service = key[3],
                      .error_type = {},
                      .sample_error = {},
                      .count = tally.letters,
                      .first_failed_at = time_of(tally.first_failed_at),
                      .last_failed_at = time_of(tally.last_failed_at)});
  }
  // Stable: of groups alike in size and time the order is that of their names, the same in every call.
  std::stable_sort(groups.begin(), groups.end(), [order](const Group& left, const Group& right) {
    if (order == GroupOrder::ByLastFailure) return left.last_failed_at > right.last_failed_at;
    return std::tie(left.count, left.last_failed_at) > std::tie(right.count, right.last_failed_at);
  });
  if (groups.size() > limit) groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(limit), groups.end());
  return groups;
}

/// The rest of a group, from its newest letter.
void add_sample(Group& group, Filter filter, SQLite::Database& database) {
  filter.fingerprint = group.fingerprint;
  filter.event_type = group.event_type;
  filter.handler = group.handler;
  filter.service = group.service;
  filter.since = group.last_failed_at;
  auto row = Query(filter).prepare(database, "error_type, error_message",
                                   "ORDER BY failed_at DESC, id DESC LIMIT 1");
  if (!row.executeStep()) return;
  group.error_type = row.getColumn(0).getString();
  group.sample_error = row.getColumn(1).getString();
}

}  // namespace

std::vector<Group> find_groups(SQLite::Database& database, const Filter& filter, std::size_t limit,
                               GroupOrder order) {
  auto groups = first_groups(count_causes(database, filter), limit, order);
  for (Group& group : groups) add_sample(group, filter, database);
  return groups;
}

}  // namespace tidings::deadletter
