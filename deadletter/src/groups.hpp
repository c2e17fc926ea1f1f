#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidings::deadletter {

/// Reader::groups, inside a read transaction. Throws SQLite::Exception.
[[nodiscard]] std::vector<Group> find_groups(SQLite::Database& database, const Filter& filter,
                                             std::size_t limit, GroupOrder order);

/// How many letters match, from the counts that triggers keep by cause; nothing when these cannot tell.
[[nodiscard]] std::optional<std::int64_t> count_kept(SQLite::Database& database, const Filter& filter);

}  // namespace tidings::deadletter
