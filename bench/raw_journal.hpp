#pragma once

#include <sqlite3.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

namespace tidings::bench {

/// The yardstick of publishing durably: SQLite's C API on a database that the store has made, with the same
/// pragmas, synced. Threads share commits as tidings' do: whoever finds nobody committing commits for all,
/// and waits up to 100 us for those of the last group; an event's row is deleted with the next group. All
/// values are made beforehand. Thread-safe; every call throws std::runtime_error.
class RawJournal {
 public:
  explicit RawJournal(const std::filesystem::path& path);
  ~RawJournal();
  RawJournal(const RawJournal&) = delete;
  RawJournal& operator=(const RawJournal&) = delete;

  /// Returns once `events` rows are committed.
  void publish(std::int64_t events);
  /// Rows ever written.
  [[nodiscard]] std::int64_t written() const noexcept { return next_id_ - 1; }
  /// How much of the events' JSON is in the table: that of the rows that no later group has deleted yet.
  [[nodiscard]] std::uint64_t bytes_of_last_group();
  /// What it should be.
  [[nodiscard]] std::uint64_t expected_bytes() const noexcept {
    return static_cast<std::uint64_t>(next_id_ - kept_from_) * data_.size();
  }

 private:
  void commit(std::int64_t first, std::int64_t count);
  void insert(std::int64_t id);
  void execute(const char* sql);
  void require(int result, int expected = SQLITE_OK) const;

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* remove_ = nullptr;
  std::string data_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool committing_ = false;
  std::int64_t wanted_ = 0;     // events that publishers have asked for
  std::int64_t committed_ = 0;  // of those
  std::int64_t last_group_ = 1;
  std::int64_t next_id_ = 1;    // of whoever commits
  std::int64_t kept_from_ = 1;  // rows from here on are not deleted yet; of whoever commits
};

/// Overwrites 4 KiB of a file and syncs it, `times` times. Returns how often it did a second.
[[nodiscard]] double overwrites_each_second(const std::filesystem::path& file, std::size_t times);

}  // namespace tidings::bench
