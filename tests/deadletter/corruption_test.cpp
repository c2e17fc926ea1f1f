#include "deadletter/journal_fixture.hpp"
#include "deadletter/random_seed.hpp"

#include "spill/spill_file.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <random>

namespace tidings::deadletter {
namespace {

/// Files as a killed process leaves them, damaged at random: an answer or a clear error, never a crash. The
/// seed is printed; TIDINGS_SEED repeats a run.
class CorruptionTest : public JournalTest {
 protected:
  static int rounds() { return random_rounds(6); }

  CorruptionTest() {
    random_.seed(random_seed());
    leave_files_of_a_killed_process();
    pristine_ = contents_of(folder_.path());
  }

  void leave_files_of_a_killed_process() const {
    static_cast<void>(run_in_child([&] {
      const auto opened = open({.spill_reserve = 0});
      static_cast<void>(store(*opened, letters(1, 20)));
      static_cast<void>(acquire(*opened));
      append(*opened, 1, 40);
      execute("PRAGMA wal_checkpoint(FULL)");
      append(*opened, 41, 60);
      opened->journal()->crash_slots()[3].handler = crash_slot_hash("ship");
      opened->journal()->crash_slots()[3].journal_id = 7;
      ::raise(SIGKILL);
      return false;
    }));
    std::string content = SpillHeader::make().line();
    for (const DeadLetter& each : letters(21, 40)) content += to_json_line(each) + "\n";
    write_file(spill(), content);
  }

  void restore() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove(entry.path());
    }
    for (const auto& [name, content] : pristine_) write_file(folder_.path(name), content);
  }

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }

  /// Flips up to eight bytes, or cuts the file.
  void damage(const std::string& name) {
    std::string content = pristine_.at(name);
    ASSERT_FALSE(content.empty());
    if (below(4) == 0) {
      content.resize(below(content.size()));
    } else {
      for (std::uint64_t flips = 1 + below(8); flips > 0; --flips) {
        content[below(content.size())] = static_cast<char>(below(256));
      }
    }
    write_file(folder_.path(name), content);
  }

  /// Uses everything. Nothing but tidings::Error may come out.
  void use_everything() const {
    try {
      const auto opened = open({.spill_reserve = 0});
      static_cast<void>(opened->import_spilled());
      const auto start = acquire(*opened);
      EXPECT_LE(start.suspects.size(), 1U);
      for (const auto& delivery : owed(*opened, "ship")) {
        EXPECT_TRUE(!delivery.problem.empty() || !delivery.metadata.event_id.is_nil());
      }
      static_cast<void>(opened->journal()->owed_totals(1000));
      append(*opened, {SampleEvent(start.next_id)});
      static_cast<void>(store(*opened, {letter(100)}));
      opened->journal()->release(true);
      Reader reader = Reader::open(database());
      static_cast<void>(reader.list({}, 100));
      static_cast<void>(reader.journal_backlog());
      static_cast<void>(reader.spill_bytes());
    } catch (const Error& error) {
      EXPECT_GT(std::string(error.what()).size(), 20U);
    }
  }

  std::map<std::string, std::string> pristine_;
  std::mt19937_64 random_;
};

TEST_F(CorruptionTest, OfTheDatabaseIsAnErrorOrAnAnswer) {
  for (int round = 0; round < rounds(); ++round) {
    restore();
    damage("orders.db");
    use_everything();
  }
}

TEST_F(CorruptionTest, OfTheWalFileIsAnErrorOrAnAnswer) {
  for (int round = 0; round < rounds(); ++round) {
    restore();
    // Its index is rebuilt after the last process that used it.
    std::filesystem::remove(database().native() + "-shm");
    damage("orders.db-wal");
    use_everything();
    // What was in the database file alone is untouched.
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok");
    ASSERT_GE(stored_events().size(), 20U);
  }
}

TEST_F(CorruptionTest, OfTheOwnerFileIsAnErrorOrAnAnswer) {
  for (int round = 0; round < rounds(); ++round) {
    restore();
    damage("orders.db.owner");
    use_everything();
  }
}

TEST_F(CorruptionTest, OfTheSpillFileLosesNoLineSilently) {
  for (int round = 0; round < rounds(); ++round) {
    restore();
    damage("orders.db.spill.jsonl");
    const bool has_header = SpillHeader::peek(spill()).has_value();
    auto lines = lines_of(spill());
    if (has_header) lines.erase(lines.begin());
    const auto filled =
        std::count_if(lines.begin(), lines.end(), [](const auto& line) { return !line.empty(); });
    const auto opened = open({.spill_reserve = 0});
    const auto report = opened->import_spilled();
    if (!report.problem.empty()) continue;
    EXPECT_EQ(report.imported + report.set_aside, static_cast<std::size_t>(filled));
  }
}

}  // namespace
}  // namespace tidings::deadletter
