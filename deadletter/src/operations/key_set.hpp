#pragma once

#include "sqlite/prepared.hpp"

#include <SQLiteCpp/Database.h>

#include <memory>
#include <string_view>

namespace tidings::deadletter {

/// A set of byte strings that takes the same memory however many there are. Strings that do not fit its cache
/// are in a temporary file without a name, which is gone with the set, also after a crash; SQLite makes it in
/// SQLITE_TMPDIR, TMPDIR, or else /var/tmp or /tmp. One thread at a time.
///
/// All members throw Error(DatabaseUnusable) if that file cannot be made, written or read.
class KeySet {
 public:
  KeySet();

  /// False: it was there.
  bool insert(std::string_view key);
  [[nodiscard]] bool contains(std::string_view key);

 private:
  SQLite::Database database_;
  std::unique_ptr<Prepared> insert_;
  std::unique_ptr<Prepared> find_;
};

}  // namespace tidings::deadletter
