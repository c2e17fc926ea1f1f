#include "deadletter/spill_import_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

// Imports that are killed, or meet a failure, at every step.
namespace tidings::deadletter {
namespace {

using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;
using ::testing::HasSubstr;

class SpillImportFaultTest : public SpillImportTest {};

int kill_here_in = 0;
void count_towards_the_kill() {
  if (kill_here_in > 0 && --kill_here_in == 0) ::raise(SIGKILL);
}

/// The system's calls, before one of which the process is killed.
FileCalls fatal_calls() {
  FileCalls calls;
  calls.write_at = [](int file, const void* bytes, std::size_t count, off_t offset) {
    count_towards_the_kill();
    return ::pwrite(file, bytes, count, offset);
  };
  calls.sync = [](int) {
    count_towards_the_kill();
    return 0;
  };
  calls.truncate = [](int file, off_t size) {
    count_towards_the_kill();
    return ::ftruncate(file, size);
  };
  calls.set_aside = [](int, off_t, off_t) {
    count_towards_the_kill();
    return 0;
  };
  return calls;
}

TEST_F(SpillImportFaultTest, KilledBeforeAnyCallOnTheSpillFileAnImportLosesAndDoublesNothing) {
  static_cast<void>(open({.spill_reserve = 0}));
  bool killed = true;
  int nth = 1;
  for (std::uint64_t first = 1; killed; first += 3, ++nth) {
    leave_spill(first, first + 2, "cut off");
    const int status = run_in_child([&] {
      StoreInternals internals;
      internals.spill_calls = fatal_calls();
      kill_here_in = nth;
      static_cast<void>(open_faulty({.spill_reserve = 0}, internals));
      return true;
    });
    killed = WIFSIGNALED(status);
    ASSERT_TRUE(killed || succeeded(status));
    execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded'");
    static_cast<void>(open({.spill_reserve = 0}));
    ASSERT_EQ(distinct_events(), events(1, first + 2));
    ASSERT_EQ(read_file(spill()), "");
    ASSERT_THAT(read_file(rejects()), HasSubstr("cut off\n"));
    std::filesystem::remove(rejects());
  }
  EXPECT_GE(nth, 6);
}

TEST_F(SpillImportFaultTest, KilledBeforeAnyWriteOfTheDatabaseAnImportLosesAndDoublesNothing) {
  static_cast<void>(open({.spill_reserve = 0}));
  bool killed = true;
  int nth = 1;
  for (std::uint64_t first = 1; killed; first += 3, ++nth) {
    ASSERT_LT(nth, 200);
    leave_spill(first, first + 2);
    const int status = run_in_child([&] {
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync}, .nth = nth, .fatal = true});
      const auto opened = open_faulty({.spill_reserve = 0});
      FaultyVfs::instance().heal();
      return opened->import_spilled().imported == 3;
    });
    killed = WIFSIGNALED(status);
    ASSERT_TRUE(killed || succeeded(status)) << nth;
    static_cast<void>(open({.spill_reserve = 0}));
    ASSERT_EQ(distinct_events(), events(1, first + 2)) << nth;
    ASSERT_EQ(read_file(spill()), "");
  }
  EXPECT_GE(nth, 4);
}

int fail_here_in = 0;
bool fails_now() {
  if (fail_here_in == 0 || --fail_here_in > 0) return false;
  errno = EIO;
  return true;
}

TEST_F(SpillImportFaultTest, WhateverCallOnTheSpillFileFailsLettersWaitOrAreHome) {
  StoreInternals internals;
  internals.spill_calls.write_at = [](int file, const void* bytes, std::size_t count, off_t offset) {
    return fails_now() ? ssize_t{-1} : ::pwrite(file, bytes, count, offset);
  };
  internals.spill_calls.sync = [](int) { return fails_now() ? -1 : 0; };
  internals.spill_calls.truncate = [](int file, off_t size) {
    return fails_now() ? -1 : ::ftruncate(file, size);
  };
  const auto opened = open_faulty({.spill_reserve = 0}, internals);
  bool reached = true;
  int nth = 1;
  for (std::uint64_t first = 1; reached; first += 3, ++nth) {
    leave_spill(first, first + 2, "cut off");
    fail_here_in = nth;
    const auto failed = opened->import_spilled();
    reached = fail_here_in == 0;
    fail_here_in = 0;
    EXPECT_EQ(failed.problem.empty(), !reached);
    execute("DELETE FROM dead_letters");
    const auto report = opened->import_spilled();
    ASSERT_EQ(failed.imported + report.imported, 3U) << nth;
    ASSERT_EQ(stored_events().size(), report.imported) << nth;
    ASSERT_EQ(read_file(spill()), "");
    ASSERT_THAT(read_file(rejects()), HasSubstr("cut off\n"));
    std::filesystem::remove(rejects());
  }
  EXPECT_GE(nth, 4);
}

TEST_F(SpillImportFaultTest, WhateverCallFailsDuringAnImportLettersWaitOrAreHome) {
  for (const Operation operation : {Operation::Write, Operation::Sync, Operation::SharedLock}) {
    for (int nth = 1;; ++nth) {
      for (const char* suffix : {"", "-wal", "-shm", ".spill.jsonl"}) {
        std::filesystem::remove(database().native() + suffix);
      }
      StoreInternals internals;
      internals.spill_calls.sync = [](int) { return 0; };
      const auto opened =
          open_faulty({.busy_timeout = std::chrono::milliseconds(1), .spill_reserve = 0}, internals);
      leave_spill(1, 5);
      bool reached = false;
      {
        const ScopedFault fault({.operations = {operation}, .nth = nth, .sqlite_code = SQLITE_IOERR});
        static_cast<void>(opened->import_spilled());
        reached = FaultyVfs::instance().calls() >= nth;
      }
      static_cast<void>(opened->import_spilled());
      ASSERT_EQ(distinct_events(), events(1, 5)) << nth;
      ASSERT_EQ(read_file(spill()), "");
      if (!reached) break;
      ASSERT_LT(nth, 200);
    }
  }
}

}  // namespace
}  // namespace tidings::deadletter
