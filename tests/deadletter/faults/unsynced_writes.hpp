#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace tidings::deadletter::faults {

/// What a power cut could take: of each open file, its content when it was last synced and the writes since.
/// For the VFS's methods, which call it with the real files. Thread-safe.
class UnsyncedWrites {
 public:
  void opened(sqlite3_file* file);
  void written(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset);
  void truncated(sqlite3_file* file, sqlite3_int64 size);
  void synced(sqlite3_file* file);
  void closed(sqlite3_file* file);

  /// Cuts the power: each file is as it was when it was last synced, with some of the writes since, chosen by
  /// the seed, some of them in part.
  void cut(std::uint64_t seed);

 private:
  struct Write {
    sqlite3_int64 offset = 0;
    std::string bytes;
  };
  struct File {
    std::string synced;
    std::vector<Write> since;
  };
  static std::string content_of(sqlite3_file* file);
  static void restore(sqlite3_file* file, const File& state, std::mt19937_64& random);

  std::mutex mutex_;
  std::map<sqlite3_file*, File> files_;  // guarded by mutex_
};

}  // namespace tidings::deadletter::faults
