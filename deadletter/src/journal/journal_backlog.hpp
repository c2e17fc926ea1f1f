#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Implements Reader::journal_backlog. Throws SQLite::Exception.
[[nodiscard]] JournalBacklog read_backlog(SQLite::Database& database);

/// Implements Reader::owed_deliveries. Throws SQLite::Exception.
[[nodiscard]] std::vector<OwedToHandler> read_owed(SQLite::Database& database, std::string_view id,
                                                   std::size_t limit);

/// Implements Reader::unserved_handlers. Throws SQLite::Exception.
[[nodiscard]] std::vector<UnservedHandler> read_unserved(SQLite::Database& database, std::size_t limit);

}  // namespace tidings::deadletter
