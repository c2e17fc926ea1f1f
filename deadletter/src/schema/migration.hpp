#pragma once

#include "sqlite/connection.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// One step of the schema: turns version `from` into `from + 1`.
struct Migration {
  int from = 0;
  std::vector<std::string> statements;
};

/// The steps of this tidings, from kFirstSchemaVersion to kSchemaVersion.
[[nodiscard]] const std::vector<Migration>& migrations();

/// The first version from `from` to before `to` that no step leads away from, if any.
[[nodiscard]] std::optional<int> missing_step(int from, int to, std::span<const Migration> steps);

/// Runs, inside the open transaction, every step from version `from` to version `to`; none is missing.
/// Records the version reached. Throws SQLite::Exception; the caller rolls back.
void migrate(Connection& connection, int from, int to, std::span<const Migration> steps,
             bool owned_by_tidings);

/// The file that keeps the database as it was before it became version `to`.
[[nodiscard]] std::filesystem::path backup_path(const std::filesystem::path& database, int to);

}  // namespace tidings::deadletter
