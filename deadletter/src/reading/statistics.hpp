#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

namespace tidings::deadletter {

/// Reader::statistics, inside a read transaction, in memory for each name and day rather than for each
/// letter. Throws SQLite::Exception.
[[nodiscard]] Statistics count_statistics(SQLite::Database& database, const Filter& filter);

}  // namespace tidings::deadletter
