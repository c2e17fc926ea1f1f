#pragma once

#include "sqlite/statement.hpp"

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <cstdint>
#include <string_view>

namespace tidings::deadletter {

/// A kept statement close to SQLite's own interface, for the journal's hot paths: it binds text without
/// copying it and reads columns without making strings, which SQLiteCpp's Statement cannot. Must be destroyed
/// before its database. Members that are not noexcept throw SQLite::Exception.
class Prepared {
 public:
  Prepared(sqlite3* connection, std::string_view sql);
  Prepared(SQLite::Database& database, std::string_view sql) : Prepared(database.getHandle(), sql) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared();

  // Binds the next parameter. The data that it points to must live until the next reset.
  void integer(std::int64_t value);
  void real(double value);
  void text(std::string_view value);
  void blob(std::string_view value);
  void null();

  /// True: there is a row.
  bool step();
  /// Ends the statement's use, so that it holds no lock, and makes the first parameter the next.
  void reset() noexcept;
  /// Steps a statement without rows, then resets it.
  void run();

  // Columns of the current row, from 0. The data that they point to lives until the next step or reset.
  [[nodiscard]] std::int64_t column_integer(int column) const noexcept;
  /// Throws std::bad_alloc too.
  [[nodiscard]] std::string_view column_text(int column) const;
  [[nodiscard]] bool column_is_null(int column) const noexcept;

 private:
  void require(int result) const;

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int parameter_ = 0;
};

}  // namespace tidings::deadletter
