#pragma once

#include "sqlite/connection.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// The version that this tidings writes. docs/schema.md describes it and promises what may change.
inline constexpr int kSchemaVersion = 3;
/// The oldest version that can be read without being migrated first.
inline constexpr int kOldestReadableVersion = 2;
/// The version in which a new database is made, before the same migrations as for older ones bring it up to
/// date.
inline constexpr int kFirstSchemaVersion = 1;
/// `PRAGMA application_id` of files that tidings created: "Tidg" in ASCII.
inline constexpr std::int64_t kApplicationId = 0x54696467;

/// Keys of the table tidings_meta.
namespace meta {
inline constexpr const char* kSchemaVersion = "schema_version";
inline constexpr const char* kCreatedAt = "created_at";
/// `tidings` or `application`: the creator of the file. tidings changes nothing outside its tables in an
/// application's.
inline constexpr const char* kOwner = "owner";
/// The spill file of the service that opened the database last; `spill_path.1` and so on are those of others.
inline constexpr const char* kSpillPath = "spill_path";
inline constexpr const char* kSpillReserve = "spill_reserve";
/// A UUID, made once. Copies have the same; a database that is put back or rebuilt gets another.
inline constexpr const char* kDatabaseId = "database_id";
/// The number of the journal's owner, drawn at random by each.
inline constexpr const char* kJournalOwner = "journal_owner";
// `crash_streak` is in crash_streak.cpp, `parks...` in parked_lanes.cpp.
}  // namespace meta

/// The owner of a new database.
enum class Owner : std::uint8_t { Tidings, Application };

/// Creates everything of version kFirstSchemaVersion, inside the open transaction. Throws SQLite::Exception.
void create_schema(Connection& connection, Owner owner);

/// The first of tidings' names that a table, index or view of the database has already.
[[nodiscard]] std::optional<std::string> clashing_name(Connection& connection);

/// Whether tidings, or SQLite for itself, gives a table or view this name.
[[nodiscard]] bool is_own_name(std::string_view name);
/// The names of the tables and views that are not tidings'.
[[nodiscard]] std::vector<std::string> foreign_tables(Connection& connection);

/// Nullopt if the table has no version, or none that is a number from 1.
[[nodiscard]] std::optional<int> read_schema_version(Connection& connection);
/// Whether it is at least version 3: readers read version 2 too.
[[nodiscard]] bool is_of_third_version(SQLite::Database& database);
[[nodiscard]] std::optional<std::string> read_meta(Connection& connection, const std::string& key);
void write_meta(Connection& connection, const std::string& key, const std::string& value);

/// Gives the database an id unless it has one, inside the open transaction.
void give_database_id(Connection& connection);

[[nodiscard]] bool remembers_spill(Connection& connection, const std::filesystem::path& spill_path,
                                   std::uint64_t reserve);
/// Remembers a spill file, so that readers find it, and every earlier one too: it may hold letters.
void remember_spill(Connection& connection, const std::filesystem::path& spill_path, std::uint64_t reserve);
/// Every spill file that was ever in use, the latest first.
[[nodiscard]] std::vector<std::filesystem::path> known_spills(Connection& connection);

}  // namespace tidings::deadletter
