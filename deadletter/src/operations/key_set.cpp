#include "operations/key_set.hpp"

#include "file/sqlite_error.hpp"

#include <tidings/error.hpp>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <string>
#include <type_traits>

namespace tidings::deadletter {
namespace {

// Nobody reads the file after this process, so that nothing in it needs to be safe.
constexpr const char* kPrepareForKeys =
    "PRAGMA journal_mode = OFF;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA cache_size = -8192;"
    "CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID;"
    "BEGIN";

/// What `body` gives, with SQLite's exceptions as ours.
template <class Body>
std::invoke_result_t<Body> with_temporary_file(Body body) try {
  return body();
} catch (const SQLite::Exception& error) {
  throw no_temporary_file(error);
}

}  // namespace

// An empty name means a temporary file.
KeySet::KeySet()
    : database_(with_temporary_file(
          [] { return SQLite::Database("", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE); })) {
  with_temporary_file([this] {
    database_.exec(kPrepareForKeys);
    insert_ = std::make_unique<Prepared>(database_, "INSERT OR IGNORE INTO keys VALUES (?)");
    find_ = std::make_unique<Prepared>(database_, "SELECT 1 FROM keys WHERE key = ?");
  });
}

bool KeySet::insert(std::string_view key) {
  return with_temporary_file([&] {
    const StatementUse use(*insert_);
    insert_->blob(key);
    insert_->step();
    return sqlite3_changes(database_.getHandle()) > 0;
  });
}

bool KeySet::contains(std::string_view key) {
  return with_temporary_file([&] {
    const StatementUse use(*find_);
    find_->blob(key);
    return find_->step();
  });
}

}  // namespace tidings::deadletter
