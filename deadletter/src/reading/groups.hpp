#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Reader::groups, inside a read transaction. Throws SQLite::Exception.
[[nodiscard]] std::vector<Group> find_groups(SQLite::Database& database, const Filter& filter,
                                             std::size_t limit, GroupOrder order);

/// Reader::groups_by_field, inside a read transaction. Throws SQLite::Exception.
[[nodiscard]] std::vector<FieldGroup> find_field_groups(SQLite::Database& database, const Filter& filter,
                                                        std::string_view name, std::size_t limit,
                                                        GroupOrder order);

/// How many letters match a filter, if that is among the counts that the database keeps: all unresolved ones,
/// by type, handler, service or cause. Throws SQLite::Exception.
[[nodiscard]] std::optional<std::int64_t> kept_count(SQLite::Database& database, const Filter& filter);

}  // namespace tidings::deadletter
