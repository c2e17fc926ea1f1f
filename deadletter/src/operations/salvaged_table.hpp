#pragma once

#include "copies/database_image.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// What to do with a value that tidings cannot have written there.
enum class Mending : std::uint8_t {
  None,         ///< The row is none of this table's, or is beyond saving.
  Null,         ///< Nothing takes its place.
  EmptyText,    ///< "" does.
  EmptyList,    ///< `[]` does.
  EmptyObject,  ///< `{}` does.
  Zero,         ///< 0 does.
  OwnEventId,   ///< The row's event_id does.
};

/// One column of a table, and how its values are recognised.
struct SalvagedColumn {
  const char* name;
  bool (*fits)(const StoredValue&);
  Mending mending = Mending::None;
};

/// A table whose rows are saved, with its columns in the order in which rows store them.
struct SalvagedTable {
  const char* name;
  std::span<const SalvagedColumn> columns;
  /// Columns that the oldest rows have; the others were added since, and are null there.
  std::size_t oldest_columns;
  /// This many columns, the first ones, identify a row.
  std::size_t key_columns;
  /// The key is the number that SQLite gives each row; otherwise the table is WITHOUT ROWID.
  bool has_rowid;
  /// A further condition on rows found without the schema, so that rows of other tables or indexes are not
  /// taken for this one's. May be null.
  bool (*is_certain)(const std::vector<StoredValue>&) = nullptr;
};

/// Every table whose rows are saved, in the order in which they are saved; tables that triggers fill are not
/// among them.
[[nodiscard]] std::span<const SalvagedTable> salvaged_tables() noexcept;

enum class RowState : std::uint8_t { Whole, Mended, Unusable };
/// Converts a row of the table to a form that can be stored.
[[nodiscard]] RowState mend(const SalvagedTable& table, std::vector<StoredValue>& values);

/// Whether a record that was found on a page can be one of the table's; if so, converts it to a row.
[[nodiscard]] bool take_for_row(const SalvagedTable& table, Record& record);

/// The name of the table or view that the record describes, if it is a row of the schema for one that is not
/// tidings'. Empty for the schema's other rows. Nullopt for a record that is not a row of the schema.
[[nodiscard]] std::optional<std::string> foreign_table_of(const Record& record);
/// Whether a row can be one of the tables that SQLite keeps for itself.
[[nodiscard]] bool is_of_sqlite(const Record& record);

/// The columns' names for SQL, the first `count` of them.
[[nodiscard]] std::string column_names(const SalvagedTable& table, std::size_t count);

}  // namespace tidings::deadletter
