#include "deadletter/journal_fixture.hpp"

#include "file/boot_clock.hpp"
#include "store/spill_keeper.hpp"
#include "store/store_journal.hpp"
#include "store/store_session.hpp"
#include "store/store_transaction.hpp"

#include <tidings/bus.hpp>

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

struct Poison {
  static constexpr std::string_view event_type = "test.poison";
  int number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Poison, number)
};

struct Busy {
  static constexpr std::string_view event_type = "test.busy";
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Busy, ignored)
  int ignored{};
};

/// Crashes in a row, and what alone of the journal was running in each.
class CrashStreakTest : public JournalTest {
 protected:
  static constexpr std::uint64_t kNoSlot = UINT64_MAX;

  struct Running {
    std::int64_t id;
    std::uint64_t thread;
  };

  /// A process owns the journal, runs these deliveries of `ship`, and is killed.
  void die_running(const std::vector<Running>& deliveries) const {
    const int status = run_in_child([&] {
      const auto opened = open();
      static_cast<void>(acquire(*opened));
      if (owed_ids(*opened, "ship").empty()) append(*opened, 1, 3);
      std::size_t place = 0;
      for (const Running& each : deliveries) {
        CrashSlot& slot = opened->journal()->crash_slots()[place++];
        slot.thread = each.thread;
        slot.handler = crash_slot_hash("ship");
        slot.journal_id = each.id;
      }
      ::raise(SIGKILL);
      return false;
    });
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  /// The suspects that the next owner finds; it ends cleanly.
  [[nodiscard]] std::vector<std::uint32_t> counted() const {
    const auto opened = open();
    std::vector<std::uint32_t> crashes;
    for (const CrashSuspect& suspect : acquire(*opened).suspects) crashes.push_back(suspect.sole_crashes);
    opened->journal()->release(true);
    return crashes;
  }
};

TEST_F(CrashStreakTest, CountsCrashesBesideWhatIsNotInTheJournal) {
  for (int crash = 0; crash < 3; ++crash) die_running({{1, 1}, {-1, 2}});
  EXPECT_THAT(counted(), ElementsAre(3));
  die_running({{1, 1}, {-1, 2}});
  EXPECT_THAT(counted(), ElementsAre(4));  // a clean end is no crash
}

TEST_F(CrashStreakTest, CountsNestedDeliveriesOfOneThread) {
  for (int crash = 0; crash < 2; ++crash) die_running({{1, 1}, {2, 1}, {-1, 2}});
  EXPECT_THAT(counted(), ElementsAre(2, 2));
}

TEST_F(CrashStreakTest, BeginsAnewAfterACrashWithAnotherOfTheJournal) {
  for (int crash = 0; crash < 2; ++crash) die_running({{1, 1}, {-1, 2}});
  die_running({{1, 1}, {2, 2}});
  EXPECT_THAT(counted(), ElementsAre(0, 0));
  die_running({{1, 1}, {-1, 2}});
  EXPECT_THAT(counted(), ElementsAre(1));
}

TEST_F(CrashStreakTest, BeginsAnewAfterACrashWithoutIt) {
  die_running({{1, 1}, {-1, 2}});
  die_running({{-1, 2}});
  die_running({{1, 1}, {-1, 2}});
  EXPECT_THAT(counted(), ElementsAre(1));
}

TEST_F(CrashStreakTest, CountsNobodyWhereAThreadHadNoSlot) {
  die_running({{1, 1}, {-1, kNoSlot}});
  EXPECT_THAT(counted(), ElementsAre(0));
}

TEST_F(CrashStreakTest, ADamagedCountIsNone) {
  die_running({{1, 1}, {-1, 2}});
  for (const char* damaged : {"[[1,\"ship\",-5]]", "{", "[[1],7,[\"ship\",1,1]]", ""}) {
    EXPECT_THAT(counted(), SizeIs(testing::Le(1U)));
    execute("INSERT OR REPLACE INTO tidings_meta (key, value) VALUES ('crash_streak', '" +
            std::string(damaged) + "')");
    die_running({{1, 1}, {-1, 2}});
  }
  EXPECT_THAT(counted(), ElementsAre(1));
}

TEST_F(CrashStreakTest, IsNotWrittenByABusThatHasLostTheJournal) {
  die_running({{1, 1}, {-1, 2}});
  StoreSettings settings{.path = database(), .options = {}, .internals = {}};
  // The clock is last read when the owner signs its file: after it has taken the journal, and before the row.
  settings.internals.boot_time = [&] {
    execute("UPDATE tidings_meta SET value = CAST(value AS INTEGER) / 2 WHERE key = 'journal_owner'");
    return boot_time_now();
  };
  StoreSession session(settings);
  SpillKeeper spills(settings);
  StoreTransactions transactions(settings);
  StoreJournal journal(settings, session, spills, transactions);
  EXPECT_TRUE(journal.acquire("orders", std::chrono::milliseconds(0)).crashed);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_meta WHERE key = 'crash_streak'"), "0");
  EXPECT_THAT(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(journal.commit({})); }),
              testing::HasSubstr("taken the journal over"));
}

/// A service one of whose threads is always inside a handler, and that an event kills.
class BusyServiceTest : public CrashStreakTest {
 protected:
  [[nodiscard]] BusOptions durable() const {
    return {.service = "orders", .store = open(), .durability = Durability::ProcessCrash, .max_crashes = 1};
  }
  /// One life of it. True: it was killed.
  [[nodiscard]] bool dies(int life) const {
    const int status = run_in_child([&] {
      std::binary_semaphore busy{0};
      std::binary_semaphore end{0};
      Bus bus(durable());
      auto keeps_busy = bus.subscribe<Busy>("busy", [&](const Busy&) {
        busy.release();
        end.acquire();
      });
      std::thread other([&] { bus.publish(Busy{}, {.durability = Durability::None}); });
      busy.acquire();
      auto kills = bus.subscribe<Poison>("kills", [](const Poison&) { ::raise(SIGKILL); },
                                         {.dispatch = Dispatch::Queued});
      if (life == 1) bus.publish(Poison{1});
      const bool idle = bus.wait_idle(std::chrono::seconds(30));
      end.release();
      other.join();
      return idle;
    });
    return WIFSIGNALED(status);
  }
};

TEST_F(BusyServiceTest, IsNotKilledForEver) {
  int lives = 1;
  while (lives < 20 && dies(lives)) ++lives;
  EXPECT_EQ(lives, 5);  // 4 times max_crashes, and the one that made the letter
  EXPECT_EQ(query("SELECT group_concat(handler || ' ' || reason) FROM dead_letters"), "kills crashed");
}

/// A service that an event kills, where nobody can tell one boot of the machine from another.
class ServiceWithoutBootIdTest : public CrashStreakTest {
 protected:
  [[nodiscard]] bool dies(int life) const {
    const int status = run_in_child([&] {
      StoreInternals internals;
      internals.boot_id = "";
      Bus bus({.service = "orders",
               .store = open_store(database(), {}, std::move(internals)),
               .durability = Durability::ProcessCrash,
               .max_crashes = 2});
      auto kills = bus.subscribe<Poison>("kills", [](const Poison&) { ::raise(SIGKILL); });
      if (life == 1) bus.publish(Poison{1});
      return bus.wait_idle(std::chrono::seconds(30));
    });
    return WIFSIGNALED(status);
  }
};

TEST_F(ServiceWithoutBootIdTest, IsNotKilledForEver) {
  int lives = 1;
  while (lives < 10 && dies(lives)) ++lives;
  EXPECT_EQ(lives, 3);  // max_crashes, and the one that made the letter
  EXPECT_EQ(query("SELECT group_concat(handler || ' ' || reason) FROM dead_letters"), "kills crashed");
}

}  // namespace
}  // namespace tidings::deadletter
