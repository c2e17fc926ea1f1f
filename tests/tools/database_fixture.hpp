#pragma once

#include "tools/temporary_folder.hpp"
#include "tools/tool_process.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/deadletter/store.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tidings::check_dead_letters {

inline Timestamp wall_now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// A letter of the handler orders.order_placed/`handler` of service orders that failed so long ago.
inline DeadLetter letter_that_failed(std::chrono::seconds ago, const std::string& handler = "send_receipt",
                                     const std::string& error = "no route to host") {
  DeadLetter letter;
  letter.event_type = "orders.order_placed";
  letter.data = {.bytes = R"({"order_id":42})", .encoding = DataEncoding::Json, .problem = {}};
  letter.metadata.event_id = uuid_v7_source()->next(wall_now());
  letter.metadata.correlation_id = CorrelationId::parse("request-7").value();
  letter.metadata.published_at = wall_now() - ago;
  letter.metadata.source = "orders";
  letter.service = "orders";
  letter.handler = handler;
  letter.error_type = "SmtpTimeout";
  letter.error_message = error;
  letter.error_fingerprint = error_fingerprint(handler, letter.error_type, error);
  letter.failed_at = wall_now() - ago;
  letter.attempts = {
      {.at = letter.failed_at, .duration = {}, .error_type = letter.error_type, .error_message = error}};
  return letter;
}

/// One connection to a database file, outside of tidings.
class SqliteConnection {
 public:
  explicit SqliteConnection(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
  }
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;
  ~SqliteConnection() { sqlite3_close(database_); }

  void execute(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database_);
  }
  /// The first value of the first row.
  [[nodiscard]] std::string text(const std::string& sql) {
    std::string value;
    const auto keep = [](void* kept, int, char** columns, char**) {
      *static_cast<std::string*>(kept) = columns[0] == nullptr ? "" : columns[0];
      return 1;
    };
    sqlite3_exec(database_, sql.c_str(), keep, &value, nullptr);
    return value;
  }

 private:
  sqlite3* database_ = nullptr;
};

/// Runs of the program on real databases in a folder of their own.
class DatabaseTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }

  /// Makes a database with these letters and closes it.
  std::string make_database(const std::string& name, const std::vector<DeadLetter>& letters = {}) const {
    store_letters(*deadletter::Store::open(path(name), {.spill_reserve = 0}), letters);
    return path(name);
  }

  static void store_letters(deadletter::Store& store, const std::vector<DeadLetter>& letters) {
    for (const auto& outcome : store.store(letters, WhenBusy::Throw)) {
      EXPECT_EQ(outcome.place, LetterOutcome::Place::Stored) << outcome.problem;
    }
  }

  TemporaryFolder folder_;
};

}  // namespace tidings::check_dead_letters
