#include "deadletter/store_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ostream>

namespace tidings::deadletter {
namespace {

using faults::Fault;
using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;

struct Sweep {
  const char* name;
  Fault fault;

  friend std::ostream& operator<<(std::ostream& out, const Sweep& sweep) { return out << sweep.name; }
};

constexpr int kBatches = 3;
constexpr std::uint64_t kBatchSize = 3;

/// The same story, three batches, told again and again with the fault one call later, until it no longer
/// reaches it.
class FaultSweepTest : public StoreTest, public testing::WithParamInterface<Sweep> {
 protected:
  [[nodiscard]] static std::vector<DeadLetter> batch(int number) {
    const auto first = static_cast<std::uint64_t>(number) * kBatchSize + 1;
    return letters(first, first + kBatchSize - 1);
  }

  /// Stores what it can; a busy batch is given again later, as the bus does.
  void tell(Store& store, std::vector<LetterOutcome>& outcomes) {
    for (int i = 0; i < kBatches; ++i) {
      const auto letters = batch(i);
      std::vector<LetterOutcome> result;
      try {
        result = store.store(letters, WhenBusy::Throw);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::DatabaseBusy);
        FaultyVfs::instance().heal();
        result = store.store(letters, WhenBusy::Throw);
      }
      outcomes.insert(outcomes.end(), result.begin(), result.end());
    }
  }

  void expect_each_where_its_outcome_says(const std::vector<LetterOutcome>& outcomes) const {
    const auto stored = stored_events();
    const auto spilled = spilled_events();
    ASSERT_EQ(outcomes.size(), kBatches * kBatchSize);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const bool in_database = outcomes[i].place == Place::Stored;
      ASSERT_TRUE(in_database || outcomes[i].place == Place::Spilled) << outcomes[i].problem;
      const EventId event = event_id(i + 1);
      ASSERT_EQ(std::count(stored.begin(), stored.end(), event), in_database ? 1 : 0) << outcomes[i].problem;
      ASSERT_EQ(std::count(spilled.begin(), spilled.end(), event), in_database ? 0 : 1);
    }
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok");
  }

  /// The database as it is when it is new.
  void start_over() const {
    if (!std::filesystem::exists(pristine_)) {
      static_cast<void>(open());
      std::filesystem::rename(database(), pristine_);
    }
    for (const char* suffix : {"", "-wal", "-shm", ".spill.jsonl"})
      std::filesystem::remove(database().native() + suffix);
    std::filesystem::copy_file(pristine_, database());
  }

  [[nodiscard]] std::shared_ptr<Store> open_for_sweep() const {
    StoreInternals internals;
    internals.spill_calls.sync = [](int) { return 0; };
    return open_faulty({.busy_timeout = std::chrono::milliseconds(1), .spill_reserve = 0}, internals);
  }

  const std::filesystem::path pristine_ = folder_.path("pristine.db");
};

TEST_P(FaultSweepTest, EachLetterIsExactlyWhereItsOutcomeSays) {
  bool reached = true;
  int told = 0;
  for (int nth = 1; reached; ++nth, ++told) {
    SCOPED_TRACE(nth);
    start_over();
    std::vector<LetterOutcome> outcomes;
    {
      const auto opened = open_for_sweep();
      Fault fault = GetParam().fault;
      fault.nth = nth;
      const ScopedFault failing(fault);
      tell(*opened, outcomes);
      reached = FaultyVfs::instance().calls() >= nth;
    }
    expect_each_where_its_outcome_says(outcomes);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(told, kBatches);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultSweepTest,
    testing::Values(
        Sweep{"AWriteIsShort", {.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .torn = true}},
        Sweep{"AWriteFails", {.operations = {Operation::Write}, .sqlite_code = SQLITE_IOERR_WRITE}},
        Sweep{"TheDiskStaysFull",
              {.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true, .torn = true}},
        Sweep{"ASyncFails", {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC}},
        Sweep{"EverySyncFails",
              {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC, .lasting = true}},
        Sweep{"TheDiskIsGone",
              {.operations = {Operation::Write, Operation::Sync, Operation::Read, Operation::Truncate,
                              Operation::Open, Operation::Lock, Operation::SharedLock, Operation::Delete},
               .sqlite_code = SQLITE_IOERR,
               .lasting = true}},
        Sweep{"ALockFails", {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_IOERR_SHMLOCK}},
        Sweep{"ALockIsHeld", {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_BUSY}}),
    [](const auto& sweep) { return sweep.param.name; });

/// Killed before its nth call to the system, a process has every letter that was acknowledged, and a sound
/// database.
TEST_F(FaultSweepTest, NothingAcknowledgedIsLostWhereverTheProcessIsKilled) {
  bool killed = true;
  for (int nth = 1; killed; ++nth) {
    start_over();
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const int status = run_in_child([&] {
      const auto opened = open_for_sweep();
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync}, .nth = nth, .fatal = true});
      for (int i = 0; i < kBatches; ++i) {
        for (const auto& outcome : opened->store(batch(i), WhenBusy::Throw)) {
          if (outcome.place != Place::Stored || ::write(acknowledged[1], "x", 1) != 1) return false;
        }
      }
      return true;
    });
    killed = WIFSIGNALED(status);
    ASSERT_TRUE(killed || succeeded(status));
    std::string received(kBatches * kBatchSize + 1, ' ');
    ::close(acknowledged[1]);
    const auto count = ::read(acknowledged[0], received.data(), received.size());
    ::close(acknowledged[0]);
    ASSERT_GE(static_cast<ssize_t>(stored_events().size()), count) << nth;
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok");
  }
}

}  // namespace
}  // namespace tidings::deadletter
