#include "reading/groups.hpp"

#include "letters/letter_row.hpp"
#include "letters/query.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/stored_time.hpp"

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

/// Fingerprint, handler and service make a cause. Then the event type, so that types of a cause are
/// neighbours.
template <class String>
using Key = std::array<String, 4>;
constexpr std::size_t kCauseParts = 3;

/// Compares keys with views of keys, so that counting a row allocates nothing.
struct KeyLess {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
  template <class Left, class Right>
  bool operator()(const Key<Left>& left, const Key<Right>& right) const noexcept {
    return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end());
  }
};

struct GroupTally {
  std::int64_t letters = 0;
  std::int64_t first_failed_at = 0;
  std::int64_t last_failed_at = 0;
};

/// One tally for each event type of each cause.
using Tallies = std::map<Key<std::string>, GroupTally, KeyLess>;

bool is_of(const Group& group, const Key<std::string>& key) {
  return std::tie(group.fingerprint, group.handler, group.service) == std::tie(key[0], key[1], key[2]);
}

/// One group for all types of a cause.
std::vector<Group> merge_types(const Tallies& tallies) {
  std::vector<Group> groups;
  for (const auto& [key, tally] : tallies) {
    const Timestamp first = time_of(tally.first_failed_at);
    const Timestamp last = time_of(tally.last_failed_at);
    if (groups.empty() || !is_of(groups.back(), key)) {
      groups.push_back({.fingerprint = key[0],
                        .event_type = key[kCauseParts],
                        .event_types = 0,
                        .handler = key[1],
                        .service = key[2],
                        .first_failed_at = first,
                        .last_failed_at = last});
    }
    Group& group = groups.back();
    ++group.event_types;
    group.count += tally.letters;
    group.first_failed_at = std::min(group.first_failed_at, first);
    group.last_failed_at = std::max(group.last_failed_at, last);
  }
  return groups;
}

/// Counts here rather than by GROUP BY, whose sorter holds every letter where this holds every group: less
/// than a third of the time for a million letters of some hundred causes.
Tallies count_letters(SQLite::Database& database, const Filter& filter) {
  auto row =
      Query(filter).prepare(database, "error_fingerprint, handler, service, event_type, failed_at", "");
  Tallies tallies;
  while (row.executeStep()) {
    const Key<std::string_view> key = {text_of(row.getColumn(0)), text_of(row.getColumn(1)),
                                       text_of(row.getColumn(2)), text_of(row.getColumn(3))};
    const std::int64_t failed_at = row.getColumn(4).getInt64();
    auto found = tallies.find(key);
    if (found == tallies.end()) {
      const Key<std::string> owned = {std::string(key[0]), std::string(key[1]), std::string(key[2]),
                                      std::string(key[3])};
      found = tallies.emplace(owned, GroupTally{0, failed_at, failed_at}).first;
    }
    GroupTally& tally = found->second;
    ++tally.letters;
    tally.first_failed_at = std::min(tally.first_failed_at, failed_at);
    tally.last_failed_at = std::max(tally.last_failed_at, failed_at);
  }
  return tallies;
}

bool asks_for_every_unresolved(const Filter& filter) {
  const bool restricted = filter.event_id || filter.foreign_id || filter.correlation_id || filter.reason ||
                          filter.since || filter.until || filter.ids || !filter.where.empty() ||
                          !filter.fields.empty() || filter.resolution || filter.resolved_before ||
                          filter.marked || filter.running || filter.has_payload || filter.not_under_key ||
                          filter.has_handler || filter.held_back || filter.failed_in_redrive ||
                          filter.up_to_id;
  return filter.resolved == false && !restricted;
}

/// A statement about the causes that match a filter, by those parts of it that causes have.
SQLite::Statement from_causes(SQLite::Database& database, const std::string& select, const Filter& filter) {
  SQLite::Statement row(database,
                        select +
                            " FROM tidings_causes"
                            " WHERE (?1 IS NULL OR error_fingerprint = ?1) AND (?2 IS NULL OR handler = ?2)"
                            " AND (?3 IS NULL OR service = ?3) AND (?4 IS NULL OR event_type = ?4)");
  bind_all(row, filter.fingerprint, filter.handler, filter.service, filter.event_type);
  return row;
}

/// Matching causes, with their counts alone. Nullopt if they are too many to look up each: scanning the
/// letters is faster then.
std::optional<Tallies> read_counts(SQLite::Database& database, const Filter& filter) {
  constexpr std::size_t kMostCauses = 5'000;
  auto row =
      from_causes(database, "SELECT error_fingerprint, handler, service, event_type, unresolved", filter);
  Tallies tallies;
  while (row.executeStep()) {
    if (tallies.size() == kMostCauses) return std::nullopt;
    const Key<std::string> key = {row.getColumn(0).getString(), row.getColumn(1).getString(),
                                  row.getColumn(2).getString(), row.getColumn(3).getString()};
    tallies.emplace(key, GroupTally{row.getColumn(4).getInt64(), 0, 0});
  }
  return tallies;
}

/// When the first and the last letter of a cause failed: two steps in an index, unless one fingerprint has
/// letters of several services, or only those of one type are requested.
class TimesOfCauses {
 public:
  TimesOfCauses(SQLite::Database& database, const std::optional<std::string>& event_type)
      : first_(database, sql("ASC")), last_(database, sql("DESC")), event_type_(event_type) {}

  void add_to(Group& group) {
    group.first_failed_at = ask(first_, group);
    group.last_failed_at = ask(last_, group);
  }

 private:
  static std::string sql(const char* order) {
    return std::string(
               "SELECT failed_at FROM dead_letters INDEXED BY dead_letters_unresolved_by_fingerprint"
               " WHERE error_fingerprint = ?1 AND handler = ?2 AND service = ?3"
               " AND (?4 IS NULL OR event_type = ?4) AND reprocessed_at IS NULL ORDER BY failed_at ") +
           order + " LIMIT 1";
  }

  [[nodiscard]] Timestamp ask(SQLite::Statement& row, const Group& group) const {
    const StatementUse use(row);
    bind_all(row, group.fingerprint, group.handler, group.service, event_type_);
    return time_of(row.executeStep() ? row.getColumn(0).getInt64() : 0);
  }

  SQLite::Statement first_;
  SQLite::Statement last_;
  const std::optional<std::string>& event_type_;
};

/// From the counts that triggers keep, if they answer the query; else letter by letter.
std::vector<Group> count_causes(SQLite::Database& database, const Filter& filter) {
  const auto counts = asks_for_every_unresolved(filter) ? read_counts(database, filter) : std::nullopt;
  if (!counts) return merge_types(count_letters(database, filter));
  auto groups = merge_types(*counts);
  TimesOfCauses times(database, filter.event_type);
  for (Group& group : groups) times.add_to(group);
  return groups;
}

/// Stable: of groups alike in size and time the order is that of their names, the same in every call.
void keep_first(std::vector<Group>& groups, std::size_t limit, GroupOrder order) {
  std::stable_sort(groups.begin(), groups.end(), [order](const Group& left, const Group& right) {
    if (order == GroupOrder::ByLastFailure) return left.last_failed_at > right.last_failed_at;
    return std::tie(left.count, left.last_failed_at) > std::tie(right.count, right.last_failed_at);
  });
  if (groups.size() > limit) groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(limit), groups.end());
}

/// The rest of a group, from its newest letter.
void add_sample(Group& group, Filter filter, SQLite::Database& database) {
  filter.fingerprint = group.fingerprint;
  filter.handler = group.handler;
  filter.service = group.service;
  filter.since = group.last_failed_at;
  auto row = Query(filter).prepare(database, "id, event_type, error_type, error_message",
                                   "ORDER BY failed_at DESC, id DESC LIMIT 1");
  if (!row.executeStep()) return;
  group.newest_id = row.getColumn(0).getInt64();
  group.event_type = row.getColumn(1).getString();
  group.error_type = row.getColumn(2).getString();
  group.sample_error = row.getColumn(3).getString();
}

}  // namespace

std::optional<std::int64_t> kept_count(SQLite::Database& database, const Filter& filter) {
  if (!asks_for_every_unresolved(filter)) return std::nullopt;
  auto row = from_causes(database, "SELECT coalesce(sum(unresolved), 0)", filter);
  row.executeStep();
  return row.getColumn(0).getInt64();
}

std::vector<Group> find_groups(SQLite::Database& database, const Filter& filter, std::size_t limit,
                               GroupOrder order) {
  auto groups = count_causes(database, filter);
  keep_first(groups, limit, order);
  for (Group& group : groups) add_sample(group, filter, database);
  return groups;
}

}  // namespace tidings::deadletter
