#pragma once

#include <tidings/dead_letter.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace tidings::bench {

/// One row of dead_letters as SQLite takes it, in the order of the insert's columns.
using RawValue = std::variant<std::monostate, std::int64_t, std::string>;
using RawRow = std::vector<RawValue>;
inline constexpr std::size_t kPublishedAt = 20;
inline constexpr std::size_t kFailedAt = 21;

/// What the store would make of these letters; made before the clock runs.
[[nodiscard]] std::vector<RawRow> raw_rows(const std::vector<DeadLetter>& letters);

/// The yardstick of storing: one prepared insert of SQLite's C API into a database that the store has made,
/// with the same pragmas. Every call throws std::runtime_error.
class RawLetters {
 public:
  enum class Synced { No, Full };

  RawLetters(const std::filesystem::path& path, Synced synced);
  ~RawLetters();
  RawLetters(const RawLetters&) = delete;
  RawLetters& operator=(const RawLetters&) = delete;

  /// In one transaction.
  void store(std::span<const RawRow> rows);
  /// The size of all payloads, errors and histories in the table.
  [[nodiscard]] std::uint64_t bytes();

 private:
  void execute(const char* sql);
  void require(int result, int expected = SQLITE_OK) const;
  void insert(const RawRow& row);

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

}  // namespace tidings::bench
