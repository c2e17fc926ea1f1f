#include "copies/integrity.hpp"

#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"
#include "schema/database_file.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string_view>

namespace tidings::deadletter {

bool was_left_open(const std::filesystem::path& database) noexcept {
  try {
    struct stat facts {};
    const bool wal_left = ::stat(wal_path(database).c_str(), &facts) == 0 && facts.st_size > 0;
    return wal_left && !is_locked_by_anyone(database.native() + "-shm");
  } catch (const std::exception&) {
    return false;
  }
}

void require_was_read(const std::string& finding) {
  constexpr std::string_view kCode = "error code=";
  for (auto at = finding.find(kCode); at != std::string::npos; at = finding.find(kCode, at + 1)) {
    const int code = std::atoi(finding.c_str() + at + kCode.size());
    if (!is_damage(code)) throw SQLite::Exception(sqlite3_errstr(code), code);
  }
}

std::string quick_check(const std::filesystem::path& database, const std::string& vfs,
                        std::chrono::milliseconds time) {
  Connection connection(database, Access::ReadOnly, vfs, std::chrono::steady_clock::now() + time);
  connection.interrupt_at_deadline();
  try {
    const std::string found = connection.text("PRAGMA quick_check(1)");
    require_was_read(found);
    return found == "ok" ? std::string() : found;
  } catch (const SQLite::Exception& error) {
    if (is_damage(error.getErrorCode())) return error.what();
    const int code = error.getErrorCode() & 0xff;
    if (code == SQLITE_INTERRUPT || code == SQLITE_BUSY) return {};
    throw;
  }
}

}  // namespace tidings::deadletter
