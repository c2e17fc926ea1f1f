#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// Resets a kept statement (SQLite::Statement or Prepared) when its use is over, so that it holds no lock.
/// The statement's own errors were thrown by its steps already.
template <class Kept>
class StatementUse {
 public:
  explicit StatementUse(Kept& statement) noexcept : statement_(statement) {}
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;
  ~StatementUse() {
    if constexpr (requires { statement_.tryReset(); }) {
      static_cast<void>(statement_.tryReset());
    } else {
      statement_.reset();
    }
  }

 private:
  Kept& statement_;
};

namespace detail {

template <std::integral Value>
void bind_value(SQLite::Statement& statement, int index, Value value) {
  statement.bind(index, static_cast<std::int64_t>(value));
}
inline void bind_value(SQLite::Statement& statement, int index, double value) {
  statement.bind(index, value);
}
inline void bind_value(SQLite::Statement& statement, int index, const std::string& value) {
  statement.bind(index, value);
}
template <class Value>
void bind_value(SQLite::Statement& statement, int index, const std::optional<Value>& value) {
  value ? bind_value(statement, index, *value) : statement.bind(index);
}

}  // namespace detail

/// Binds values from left to right: integers, numbers, strings, and what is NULL without a value.
template <class... Values>
void bind_all(SQLite::Statement& statement, const Values&... values) {
  int index = 0;
  (detail::bind_value(statement, ++index, values), ...);
}

/// Runs a kept statement that returns no rows, and says how many it changed.
template <class... Values>
int run(SQLite::Statement& statement, const Values&... values) {
  const StatementUse use(statement);
  bind_all(statement, values...);
  return statement.exec();
}

/// The same for a statement that is needed once.
template <class... Values>
int run(SQLite::Database& database, const std::string& sql, const Values&... values) {
  SQLite::Statement statement(database, sql);
  return run(statement, values...);
}

/// The first column of all rows.
[[nodiscard]] inline std::vector<std::int64_t> integers_of(SQLite::Statement& row) {
  std::vector<std::int64_t> all;
  while (row.executeStep()) all.push_back(row.getColumn(0).getInt64());
  return all;
}
[[nodiscard]] inline std::vector<std::string> texts_of(SQLite::Statement& row) {
  std::vector<std::string> all;
  while (row.executeStep()) all.push_back(row.getColumn(0).getString());
  return all;
}

}  // namespace tidings::deadletter
