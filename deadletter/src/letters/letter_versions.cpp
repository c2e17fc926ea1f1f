#include "letters/letter_versions.hpp"

#include "schema/versions.hpp"

#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <string>

namespace tidings::deadletter {

LetterVersions::LetterVersions(sqlite3* connection)
    : connection_(connection), ask_(connection, "SELECT " + next_letter_version("main.")) {}

std::int64_t LetterVersions::next() {
  const unsigned version = data_version();
  if (version == data_version_ && sqlite3_total_changes64(connection_) == changes_) return next_;
  const StatementUse use(ask_);
  next_ = ask_.step() ? ask_.column_integer(0) : 1;
  data_version_ = data_version();
  changes_ = sqlite3_total_changes64(connection_);
  return next_;
}

void LetterVersions::given() noexcept {
  ++next_;
  changes_ = sqlite3_total_changes64(connection_);
}

/// Another number after each commit, of this or another connection.
unsigned LetterVersions::data_version() const noexcept {
  unsigned version = 0;
  sqlite3_file_control(connection_, "main", SQLITE_FCNTL_DATA_VERSION, &version);
  return version;
}

std::size_t number_letters(SQLite::Database& database, std::size_t limit) {
  SQLite::Statement number(database, "UPDATE dead_letters SET version = " + next_letter_version() +
                                         " WHERE id = (SELECT id FROM dead_letters INDEXED BY "
                                         "dead_letters_by_version WHERE version = 0 ORDER BY id LIMIT 1)");
  std::size_t numbered = 0;
  while (numbered < limit && run(number) > 0) ++numbered;
  return numbered;
}

}  // namespace tidings::deadletter
