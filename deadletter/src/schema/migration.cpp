#include "schema/migration.hpp"

#include "schema/schema.hpp"
#include "schema/versions.hpp"

#include <tidings/detail/kill_point.hpp>

#include <algorithm>

namespace tidings::deadletter {

const std::vector<Migration>& migrations() {
  // Never destroyed: a store may be opened while other statics end.
  static const auto& steps = *new std::vector<Migration>{{1, second_version()}, {2, third_version()}};
  return steps;
}

std::optional<int> missing_step(int from, int to, std::span<const Migration> steps) {
  for (int version = from; version < to; ++version) {
    if (std::none_of(steps.begin(), steps.end(), [&](const auto& step) { return step.from == version; }))
      return version;
  }
  return std::nullopt;
}

void migrate(Connection& connection, int from, int to, std::span<const Migration> steps,
             bool owned_by_tidings) {
  for (int version = from; version < to; ++version) {
    const auto step =
        std::find_if(steps.begin(), steps.end(), [&](const auto& each) { return each.from == version; });
    for (const std::string& statement : step->statements) {
      connection.execute(statement);
      tidings::detail::kill_point("migrate.step");
    }
  }
  write_meta(connection, meta::kSchemaVersion, std::to_string(to));
  if (owned_by_tidings) connection.execute("PRAGMA user_version = " + std::to_string(to));
}

std::filesystem::path backup_path(const std::filesystem::path& database, int to) {
  return database.native() + ".before-v" + std::to_string(to) + ".bak";
}

}  // namespace tidings::deadletter
