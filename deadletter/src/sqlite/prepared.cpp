#include "sqlite/prepared.hpp"

#include <SQLiteCpp/Exception.h>

#include <new>

namespace tidings::deadletter {

Prepared::Prepared(sqlite3* connection, std::string_view sql) : database_(connection) {
  require(sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                             &statement_, nullptr));
}

Prepared::~Prepared() {
  // Repeats the error that the last step threw.
  static_cast<void>(sqlite3_finalize(statement_));
}

void Prepared::require(int result) const {
  if (result != SQLITE_OK) throw SQLite::Exception(database_, result);
}

void Prepared::integer(std::int64_t value) { require(sqlite3_bind_int64(statement_, ++parameter_, value)); }

void Prepared::real(double value) { require(sqlite3_bind_double(statement_, ++parameter_, value)); }

// An empty view may point nowhere, which SQLite would take for null.
void Prepared::text(std::string_view value) {
  const char* const data = value.empty() ? "" : value.data();
  require(sqlite3_bind_text64(statement_, ++parameter_, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Prepared::blob(std::string_view value) {
  const char* const data = value.empty() ? "" : value.data();
  require(sqlite3_bind_blob64(statement_, ++parameter_, data, value.size(), SQLITE_STATIC));
}

void Prepared::null() { require(sqlite3_bind_null(statement_, ++parameter_)); }

bool Prepared::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  throw SQLite::Exception(database_, result);
}

void Prepared::reset() noexcept {
  static_cast<void>(sqlite3_reset(statement_));
  parameter_ = 0;
}

void Prepared::run() {
  const StatementUse use(*this);
  step();
}

std::int64_t Prepared::column_integer(int column) const noexcept {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Prepared::column_text(int column) const {
  // A blob's bytes are returned unchanged; null is empty.
  const void* const data = sqlite3_column_blob(statement_, column);
  if (data == nullptr && sqlite3_errcode(database_) == SQLITE_NOMEM) throw std::bad_alloc();
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

bool Prepared::column_is_null(int column) const noexcept {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

}  // namespace tidings::deadletter
