#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <vector>

namespace tidings::deadletter {

/// What Reader::journal_backlog gives. Throws SQLite::Exception.
[[nodiscard]] JournalBacklog read_backlog(SQLite::Database& database);

/// What Reader::unserved_handlers gives. Throws SQLite::Exception.
[[nodiscard]] std::vector<UnservedHandler> read_unserved(SQLite::Database& database, std::size_t limit);

}  // namespace tidings::deadletter
