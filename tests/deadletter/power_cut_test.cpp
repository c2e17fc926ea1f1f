#include "deadletter/journal_fixture.hpp"
#include "deadletter/random_seed.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>

namespace tidings::deadletter {
namespace {

using faults::FaultyVfs;
using faults::Operation;

/// Commits of large events, so that the story includes a checkpoint.
constexpr int kCommits = 14;
constexpr std::size_t kEventSize = 400'000;

SampleEvent large_event(int number) {
  SampleEvent event(number);
  event.data.bytes = '"' + std::string(kEventSize, 'x') + '"';
  return event;
}

class PowerCutTest : public JournalTest {
 protected:
  /// Which commits ask for a sync.
  static bool is_synced(int number) { return number % 3 == 0; }

  /// Runs the story in a process whose machine loses its power before the nth call, and says how many commits
  /// were acknowledged.
  int tell(int nth, std::uint64_t seed, bool& cut) const {
    int acknowledged[2];
    EXPECT_EQ(::pipe(acknowledged), 0);
    const int status = run_in_child([&] {
      FaultyVfs::instance().lose_what_is_not_synced(seed);
      const auto opened = open_faulty({.spill_reserve = 0});
      static_cast<void>(acquire(*opened));
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync}, .nth = nth, .fatal = true});
      for (int number = 1; number <= kCommits; ++number) {
        append(*opened, {large_event(number)}, is_synced(number));
        if (::write(acknowledged[1], "x", 1) != 1) return false;
      }
      return true;
    });
    ::close(acknowledged[1]);
    std::string received(kCommits, ' ');
    const auto count = ::read(acknowledged[0], received.data(), received.size());
    ::close(acknowledged[0]);
    cut = WIFSIGNALED(status);
    EXPECT_TRUE(cut || succeeded(status));
    // Shared memory does not outlive a boot.
    std::filesystem::remove(database().native() + "-shm");
    return static_cast<int>(count);
  }

  void start_over() const {
    for (const char* suffix : {"", "-wal", "-shm", ".owner"})
      std::filesystem::remove(database().native() + suffix);
    static_cast<void>(open({.spill_reserve = 0}));
  }
};

TEST_F(PowerCutTest, LosesNothingThatWasSyncedAndOfTheRestOnlyTheEnd) {
  std::mt19937_64 random(random_seed());
  int cuts = 0;
  for (int round = 0; round < random_rounds(4); ++round) {
    start_over();
    const int nth = 1 + static_cast<int>(random() % (kCommits * 100 * 2));
    bool cut = false;
    const int acknowledged = tell(nth, random(), cut);
    if (!cut) continue;
    ++cuts;
    const auto opened = open({.spill_reserve = 0});
    static_cast<void>(acquire(*opened));
    const Ids found = owed_ids(*opened, "ship");
    int synced = acknowledged;
    while (synced > 0 && !is_synced(synced)) --synced;
    ASSERT_GE(static_cast<int>(found.size()), synced) << "nth " << nth;
    ASSERT_LE(static_cast<int>(found.size()), acknowledged + 1) << "nth " << nth;
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], static_cast<std::int64_t>(i) + 1);
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok") << "nth " << nth;
  }
  EXPECT_GT(cuts, 0);
}

TEST_F(PowerCutTest, LosesNoLetterThatWasStored) {
  std::mt19937_64 random(random_seed());
  for (int round = 0; round < random_rounds(4); ++round) {
    start_over();
    int stored[2];
    ASSERT_EQ(::pipe(stored), 0);
    const int nth = 1 + static_cast<int>(random() % 60);
    const std::uint64_t seed = random();
    static_cast<void>(run_in_child([&] {
      FaultyVfs::instance().lose_what_is_not_synced(seed);
      const auto opened = open_faulty({.spill_reserve = 0});
      static_cast<void>(acquire(*opened));
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync}, .nth = nth, .fatal = true});
      for (std::uint64_t number = 1; number <= 6; ++number) {
        append(*opened, {SampleEvent(static_cast<std::int64_t>(number))});
        if (places(store(*opened, {letter(number)})) != std::vector{Place::Stored}) return false;
        if (::write(stored[1], "x", 1) != 1) return false;
      }
      return true;
    }));
    ::close(stored[1]);
    std::string received(6, ' ');
    const auto count = ::read(stored[0], received.data(), received.size());
    ::close(stored[0]);
    std::filesystem::remove(database().native() + "-shm");
    static_cast<void>(open({.spill_reserve = 0}));
    ASSERT_GE(static_cast<ssize_t>(stored_events().size()), count) << "nth " << nth;
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok") << "nth " << nth;
  }
}

}  // namespace
}  // namespace tidings::deadletter
