#pragma once

#include <tidings/deadletter/reader.hpp>

#include "sqlite/connection.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// Implements Reader::examine, except for sizes of files, inside a read transaction. Throws
/// SQLite::Exception.
[[nodiscard]] Examination examine_database(Connection& connection, bool thorough);

/// Implements Reader::key_uses. Throws SQLite::Exception.
[[nodiscard]] std::vector<KeyUse> find_key_uses(SQLite::Database& database);

[[nodiscard]] std::optional<RedriveState> find_redrive(SQLite::Database& database, std::int64_t id);

/// Reader::idle_services.
[[nodiscard]] std::vector<IdleService> find_idle_services(SQLite::Database& database, Timestamp time);

/// Reader::known_backups.
[[nodiscard]] std::vector<std::string> find_backups(SQLite::Database& database,
                                                    const std::filesystem::path& path);

}  // namespace tidings::deadletter
