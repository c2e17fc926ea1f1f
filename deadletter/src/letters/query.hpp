#pragma once

#include <tidings/deadletter/reader.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tidings::deadletter {

/// The SQL of a query for letters that match a filter: fixed text with a `?` for each value. Names the index
/// to use, so that neither missing nor misleading statistics can turn an instant answer into a table scan.
class Query {
 public:
  /// `after` leaves out the letters of earlier pages, in this order.
  explicit Query(const Filter& filter, const std::optional<Page::Cursor>& after = {},
                 ListOrder order = ListOrder::NewestFirst);

  /// Reads the rows in the order of the table instead, without an index: for queries that read most of them.
  /// Through an index each row is a separate lookup, which takes a hundred times as long once the file is
  /// larger than memory.
  void read_in_table_order() noexcept { in_table_order_ = true; }

  /// `SELECT <columns> FROM dead_letters ... WHERE ... <rest>`, bound. `columns` and `rest` are fixed text.
  [[nodiscard]] SQLite::Statement prepare(SQLite::Database& database, std::string_view columns,
                                          std::string_view rest) const;
  [[nodiscard]] std::string sql(std::string_view columns, std::string_view rest) const {
    return sql(columns, rest, index_);
  }

  /// One of the matching letters, and the letter that it waits for.
  [[nodiscard]] static std::optional<HeldBackLetter> find_held_back(SQLite::Database& database,
                                                                    Filter filter);

 private:
  using Value = std::variant<std::int64_t, std::string>;
  [[nodiscard]] std::string sql(std::string_view columns, std::string_view rest,
                                std::string_view index) const;
  [[nodiscard]] std::string sql_in(SQLite::Database& database, std::string_view columns,
                                   std::string_view rest) const;
  void add(std::string_view condition, Value value);
  void add_text(std::string_view condition, const std::optional<std::string>& value);
  void add_flag(bool condition, std::string_view if_true, std::string_view if_false);
  void add_state(const Filter& filter);
  void add_running(bool running);
  void add_times(const Filter& filter, const std::optional<Page::Cursor>& after, ListOrder order);
  void add_payload(const std::vector<PayloadValue>& where);
  void add_held_back(const Filter& filter);
  [[nodiscard]] std::string earlier_not_in(std::string_view column,
                                           const std::shared_ptr<const Filter>& asked_for,
                                           std::vector<Value>& values);
  void begin_condition();

  std::string_view index_;
  bool in_table_order_ = false;
  bool reads_payload_ = false;
  std::string conditions_;
  std::vector<Value> values_;
};

/// The ORDER BY of a list.
[[nodiscard]] std::string_view order_by(ListOrder order) noexcept;

}  // namespace tidings::deadletter
