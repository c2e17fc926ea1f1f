#pragma once

#include <sqlite3.h>

#include <filesystem>

namespace tidings::simulation {

/// Holds the write lock of a database, as another process would that writes there.
class WriteLock {
 public:
  WriteLock() = default;
  ~WriteLock() { release(); }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

  /// Waits for it, up to a second; without it nothing is held.
  void hold(const std::filesystem::path& database) {
    release();
    if (sqlite3_open(database.c_str(), &connection_) != SQLITE_OK) return release();
    sqlite3_busy_timeout(connection_, 1'000);
    sqlite3_exec(connection_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  }
  void release() {
    sqlite3_close(connection_);  // rolls back
    connection_ = nullptr;
  }

 private:
  sqlite3* connection_ = nullptr;
};

}  // namespace tidings::simulation
