#include "reading/groups.hpp"

#include "letters/letter_row.hpp"
#include "letters/query.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/context_fields.hpp>
#include <tidings/detail/parse_json.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace tidings::deadletter {
namespace {

/// Nullopt for a column that is damaged, too.
std::optional<std::string> field_of(std::string_view attributes, const std::string& name) {
  const auto fields = tidings::detail::find_json(attributes);
  if (!fields || !fields->is_object()) return std::nullopt;
  const auto found = fields->find(name);
  if (found == fields->end()) return std::nullopt;
  const auto value = ContextValue::from_json(*found);
  return value ? std::optional(value->to_string()) : std::nullopt;
}

bool comes_before(const FieldGroup& one, const FieldGroup& other, GroupOrder order) {
  const auto rank = [order](const FieldGroup& group) {
    const std::int64_t last = group.last_failed_at.time_since_epoch().count();
    return order == GroupOrder::ByCount ? std::pair(group.count, last) : std::pair(last, group.count);
  };
  return rank(one) != rank(other) ? rank(one) > rank(other) : one.value < other.value;
}

}  // namespace

std::vector<FieldGroup> find_field_groups(SQLite::Database& database, const Filter& filter,
                                          std::string_view name, std::size_t limit, GroupOrder order) {
  const std::string field(name);
  std::map<std::optional<std::string>, FieldGroup> by_value;
  auto row = Query(filter).prepare(database, "attributes, failed_at", "");
  while (row.executeStep()) {
    auto value = field_of(text_of(row.getColumn(0)), field);
    const Timestamp failed_at = time_of(row.getColumn(1).getInt64());
    const auto [found, is_new] = by_value.try_emplace(value, FieldGroup{value, 0, failed_at, failed_at});
    FieldGroup& group = found->second;
    ++group.count;
    group.first_failed_at = std::min(group.first_failed_at, failed_at);
    group.last_failed_at = std::max(group.last_failed_at, failed_at);
  }
  std::vector<FieldGroup> groups;
  groups.reserve(by_value.size());
  for (auto& [value, group] : by_value) groups.push_back(std::move(group));
  std::sort(groups.begin(), groups.end(), [order](const FieldGroup& one, const FieldGroup& other) {
    return comes_before(one, other, order);
  });
  if (groups.size() > limit) groups.resize(limit);
  return groups;
}

}  // namespace tidings::deadletter
