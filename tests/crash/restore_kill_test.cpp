#include "contracts/sample_letter.hpp"
#include "crash/kill_points.hpp"
#include "deadletter/temporary_folder.hpp"

#include <tidings/deadletter/recovery.hpp>
#include <tidings/deadletter/store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

// A backup that is put back by a process that is killed.

namespace tidings::crash {
namespace {

using deadletter::Store;

/// A backup of 10 letters, and a database that came to 30 before its service was killed.
class BackedUpArchive {
 public:
  BackedUpArchive() {
    const auto store = Store::open(database(), {.spill_reserve = 0});
    add(*store, 1, 10);
    store->backup(folder_.path("backup.db"));
  }

  void die_with_more() const {
    static_cast<void>(is_killed({}, [&] {
      const auto store = Store::open(database(), {.spill_reserve = 0});
      add(*store, 11, 30);
      ::raise(SIGKILL);
    }));
  }
  [[nodiscard]] bool restore(const Kill& kill) const {
    return is_killed(kill, [&] { restore_now(); });
  }
  void restore_now() const {
    static_cast<void>(deadletter::restore(folder_.path("backup.db"), database(), {}));
  }
  /// As a service finds them.
  [[nodiscard]] std::int64_t letters() const {
    static_cast<void>(Store::open(database(), {.spill_reserve = 0}));
    SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE);
    EXPECT_EQ(connection.execAndGet("PRAGMA integrity_check").getString(), "ok");
    return connection.execAndGet("SELECT count(*) FROM dead_letters").getInt64();
  }

 private:
  [[nodiscard]] std::filesystem::path database() const { return folder_.path("letters.db"); }

  static void add(Store& store, std::uint64_t first, std::uint64_t last) {
    std::vector<DeadLetter> letters;
    for (std::uint64_t number = first; number <= last; ++number) letters.push_back(contract::letter(number));
    static_cast<void>(store.store(letters, WhenBusy::Throw));
  }

  deadletter::TemporaryFolder folder_;
};

TEST(RestoreCrash, LeavesTheOldDatabaseOrTheNewOneWhole) {
  for (const std::string& point : all_points()) {
    if (!is_of_restore(point)) continue;
    for (const std::size_t nth : {1U, 2U}) {
      const BackedUpArchive archive;
      archive.die_with_more();
      const bool killed = archive.restore({point, nth});
      EXPECT_TRUE(killed || nth > 1 || point == "restore.log_kept") << point << " was never reached";
      const bool is_new = !killed || point == "restore.replaced";
      EXPECT_EQ(archive.letters(), is_new ? 10 : 30) << point;
      archive.restore_now();
      EXPECT_EQ(archive.letters(), 10) << point;
    }
  }
}

}  // namespace
}  // namespace tidings::crash
