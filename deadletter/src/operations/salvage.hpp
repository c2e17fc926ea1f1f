#pragma once

#include <tidings/deadletter/recovery.hpp>

#include "operations/salvaged_table.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/prepared.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace tidings::deadletter {

/// How a row was found.
enum class SalvageWay : std::uint8_t { InOrder, AroundDamage, FromPages };

/// Fills a new database with rows that were saved of a damaged one. Members throw SQLite::Exception for
/// errors of the new database.
class Salvage {
 public:
  Salvage(Connection& target, std::function<void(std::int64_t)> progress);

  /// Takes the row unless the database already has it. `table` is an index into salvaged_tables().
  void take(std::size_t table, std::vector<StoredValue> values, SalvageWay way);
  /// Counts a row that was found and cannot be read.
  void add_unusable(std::size_t table) { ++rows_[table].unusable; }
  /// Whether a letter of this delivery is there.
  [[nodiscard]] bool has_letter(const std::string& event_id, const std::string& service,
                                const std::string& handler);
  /// Commits the rows that were taken.
  void commit();

  [[nodiscard]] std::vector<SavedRows>& rows() noexcept { return rows_; }

 private:
  [[nodiscard]] bool insert(std::size_t table, const std::vector<StoredValue>& values);

  Connection& target_;
  std::function<void(std::int64_t)> progress_;
  std::vector<std::unique_ptr<Prepared>> inserts_;
  Prepared find_;
  std::vector<SavedRows> rows_;
  std::int64_t saved_ = 0;
  std::size_t bytes_ = 0;
};

/// Queries a damaged database for the rows of every table, as far as queries reach: from both ends, and
/// around the damage between them.
void salvage_by_queries(Connection& damaged, Salvage& salvage);

}  // namespace tidings::deadletter
