#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <vector>

namespace tidings::deadletter {

/// Reader::groups, inside a read transaction. Throws SQLite::Exception.
[[nodiscard]] std::vector<Group> find_groups(SQLite::Database& database, const Filter& filter,
                                             std::size_t limit, GroupOrder order);

}  // namespace tidings::deadletter
