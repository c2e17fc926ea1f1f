#pragma once

#include <tidings/letter_sink.hpp>

#include "connection.hpp"
#include "letter_row.hpp"

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// A store's connection with all it keeps prepared; replaced as a whole when the database has failed. Not
/// thread-safe.
class Session {
 public:
  struct Options {
    std::string vfs;
    std::chrono::milliseconds busy_timeout{};
    int row_limit = 0;
  };

  /// Connects to a database of the current schema. Throws SQLite::Exception.
  Session(const std::filesystem::path& path, const Options& options);

  /// All letters in one synced transaction. A letter that cannot be a row is Unsaved, with its problem, and
  /// holds up no other. Throws SQLite::Exception when the database takes nothing; then it took none.
  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters);
  /// Throws SQLite::Exception.
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler);
  /// Whether the file at the path is no longer the one connected to.
  [[nodiscard]] bool file_moved() const noexcept { return connection_.file_moved(); }

 private:
  [[nodiscard]] LetterOutcome take(const DeadLetter& letter);
  void wait_from_now();

  const std::chrono::milliseconds busy_timeout_;
  Connection connection_;
  SQLite::Statement begin_;
  SQLite::Statement commit_;
  SQLite::Statement dead_keys_;
  LetterInsert insert_;
};

}  // namespace tidings::deadletter
