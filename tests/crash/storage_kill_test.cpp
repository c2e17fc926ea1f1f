#include "contracts/sample_letter.hpp"
#include "crash/kill_points.hpp"
#include "deadletter/temporary_folder.hpp"
#include "store/open_store.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

// Letters that the database refuses, and databases of older versions, in processes that are killed.

namespace tidings::crash {
namespace {

using deadletter::Store;
using Place = LetterOutcome::Place;

/// An archive of letters. Each life finds a database of version 1 or makes it, migrates it, spills letters
/// while somebody else has the database, and imports them.
class Archive {
 public:
  [[nodiscard]] bool live(std::uint64_t first, std::uint64_t last, const Kill& kill) const {
    return is_killed(kill, [&] { run(first, last); });
  }

  /// The numbers of the letters that are there.
  [[nodiscard]] std::multiset<std::uint64_t> letters() const {
    const auto store = Store::open(database(), {.spill_reserve = 0});
    while (store->import_spilled().more) {
    }
    std::multiset<std::uint64_t> numbers;
    for (const auto& stored : deadletter::Reader::open(database()).list({}, 10'000).letters) {
      numbers.insert(Json::parse(stored.letter.data.bytes).at("order_id").get<std::uint64_t>());
    }
    return numbers;
  }
  /// Those that the store has said it has taken.
  [[nodiscard]] std::set<std::uint64_t> acknowledged() const {
    std::set<std::uint64_t> numbers;
    std::istringstream lines(deadletter::read_file(folder_.path("acknowledged")));
    for (std::uint64_t number = 0; lines >> number;) numbers.insert(number);
    return numbers;
  }
  [[nodiscard]] bool has_set_anything_aside() const {
    return std::filesystem::exists(folder_.path("letters.db.spill.jsonl.rejected.jsonl"));
  }

 private:
  [[nodiscard]] std::filesystem::path database() const { return folder_.path("letters.db"); }

  void run(std::uint64_t first, std::uint64_t last) const {
    if (!std::filesystem::exists(database())) {
      deadletter::StoreInternals old;
      old.schema_version = 1;
      static_cast<void>(deadletter::open_store(database(), {.spill_reserve = 0}, std::move(old)));
    }
    const auto store =
        Store::open(database(), {.busy_timeout = std::chrono::milliseconds(0), .spill_reserve = 0});
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    for (std::uint64_t number = first; number <= last; ++number) {
      other.exec("BEGIN IMMEDIATE");
      const auto letter = contract::letter(number);
      const auto outcome = store->store({&letter, 1}, WhenBusy::Spill).front();
      if (outcome.place != Place::Spilled) throw std::runtime_error("not spilled: " + outcome.problem);
      std::ofstream(folder_.path("acknowledged"), std::ios::app) << number << std::endl;
      other.exec("ROLLBACK");
    }
    while (store->import_spilled().more) {
    }
  }

  deadletter::TemporaryFolder folder_;
};

TEST(StorageCrash, LosesAndDoublesNoLetterWhereverTheProcessIsKilled) {
  for (const std::string& point : all_points()) {
    if (!is_of_storage(point)) continue;
    for (const std::size_t nth : {1U, 2U}) {
      const Archive archive;
      const bool killed = archive.live(1, 3, {point, nth});
      EXPECT_TRUE(killed || nth > 1) << point << " was never reached";
      static_cast<void>(archive.live(4, 6, {point, 1}));
      EXPECT_FALSE(archive.live(7, 8, {}));
      const auto letters = archive.letters();
      for (const std::uint64_t number : archive.acknowledged())
        EXPECT_EQ(letters.count(number), 1U) << point << ", time " << nth << ": " << number;
      for (std::uint64_t number = 1; number <= 8; ++number)
        EXPECT_LE(letters.count(number), 1U) << point << ", time " << nth << ": " << number;
      EXPECT_FALSE(archive.has_set_anything_aside()) << point << ", time " << nth;
    }
  }
}

}  // namespace
}  // namespace tidings::crash
