#include "deadletter/journal_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <ostream>
#include <set>

namespace tidings::deadletter {
namespace {

using faults::Fault;
using faults::FaultyVfs;
using faults::Operation;
using faults::ScopedFault;

/// One commit of the story: each appends two events, synced or not, finishes one of those before, and some
/// give up on another.
struct Step {
  static constexpr int kSteps = 5;

  explicit Step(int number) : first(number * 2 + 1), second(number * 2 + 2) {
    batch.appended = {first.append(), second.append()};
    batch.synced = number % 2 == 0;
    if (number > 0) batch.finished.push_back(number * 2 - 1);
    if (number != 3) return;
    gave_up = letter(2);
    batch.letters.push_back(&gave_up);
    batch.finished.push_back(2);
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  SampleEvent first;
  SampleEvent second;
  DeadLetter gave_up;
  JournalBatch batch;
};

/// What must be in the journal, and what may be.
class Expectation {
 public:
  void committed(const JournalBatch& batch) {
    for (const auto& event : batch.appended) events_[event.id] = State::There;
    for (const std::int64_t id : batch.finished) events_[id] = State::Gone;
    if (!batch.letters.empty()) letter_ = State::There;
  }
  void in_doubt(const JournalBatch& batch) {
    for (const auto& event : batch.appended) events_[event.id] = State::Maybe;
    for (const std::int64_t id : batch.finished) {
      if (events_[id] == State::There) events_[id] = State::Maybe;
    }
    if (!batch.letters.empty() && letter_ == State::Gone) letter_ = State::Maybe;
  }
  void check(const std::vector<std::int64_t>& owed, bool has_letter) const {
    const std::set<std::int64_t> found(owed.begin(), owed.end());
    for (const auto& [id, state] : events_) {
      if (state == State::Maybe) continue;
      ASSERT_EQ(found.contains(id), state == State::There) << "event " << id;
    }
    for (const std::int64_t id : found) ASSERT_TRUE(events_.contains(id)) << "event " << id << " was refused";
    if (letter_ == State::Maybe) return;
    ASSERT_EQ(has_letter, letter_ == State::There);
  }

 private:
  enum class State { Gone, There, Maybe };
  std::map<std::int64_t, State> events_;
  State letter_ = State::Gone;
};

struct CommitSweep {
  const char* name;
  Fault fault;

  friend std::ostream& operator<<(std::ostream& out, const CommitSweep& sweep) { return out << sweep.name; }
};

class JournalFaultTest : public JournalTest, public testing::WithParamInterface<CommitSweep> {
 protected:
  void start_over() const {
    if (!std::filesystem::exists(pristine_)) {
      static_cast<void>(open());
      std::filesystem::rename(database(), pristine_);
    }
    for (const char* suffix : {"", "-wal", "-shm", ".spill.jsonl", ".owner"}) {
      std::filesystem::remove(database().native() + suffix);
    }
    std::filesystem::copy_file(pristine_, database());
  }

  static void tell(Store& store, Expectation& expected) {
    for (int number = 0; number < Step::kSteps; ++number) {
      const Step step(number);
      try {
        static_cast<void>(store.journal()->commit(step.batch));
        expected.committed(step.batch);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::InDoubt) expected.in_doubt(step.batch);
      }
    }
  }

  void expect(const Expectation& expected) const {
    const auto opened = open({.spill_reserve = 0});
    static_cast<void>(acquire(*opened));
    expected.check(owed_ids(*opened, "ship"), !stored_events().empty());
    ASSERT_EQ(query("PRAGMA integrity_check"), "ok");
  }

  [[nodiscard]] std::shared_ptr<Store> open_for_sweep() const {
    return open_faulty({.busy_timeout = std::chrono::milliseconds(1), .spill_reserve = 0});
  }

  const std::filesystem::path pristine_ = folder_.path("pristine.db");
};

TEST_P(JournalFaultTest, WhatWasAcknowledgedIsThereAndWhatWasRefusedIsNot) {
  bool reached = true;
  int nth = 1;
  for (; reached; ++nth) {
    SCOPED_TRACE(nth);
    start_over();
    Expectation expected;
    {
      const auto opened = open_for_sweep();
      static_cast<void>(acquire(*opened));
      Fault fault = GetParam().fault;
      fault.nth = nth;
      const ScopedFault failing(fault);
      tell(*opened, expected);
      reached = FaultyVfs::instance().calls() >= nth;
      expected.check(
          [&] {
            FaultyVfs::instance().heal();
            return owed_ids(*opened, "ship");
          }(),
          !stored_events().empty());
    }
    expect(expected);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(nth, 3);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, JournalFaultTest,
    testing::Values(
        CommitSweep{"AWriteIsShort",
                    {.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .torn = true}},
        CommitSweep{"AWriteFails", {.operations = {Operation::Write}, .sqlite_code = SQLITE_IOERR_WRITE}},
        CommitSweep{
            "TheDiskStaysFull",
            {.operations = {Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true, .torn = true}},
        CommitSweep{"ASyncFails", {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC}},
        CommitSweep{"EverySyncFails",
                    {.operations = {Operation::Sync}, .sqlite_code = SQLITE_IOERR_FSYNC, .lasting = true}},
        CommitSweep{
            "TheDiskIsGone",
            {.operations = {Operation::Write, Operation::Sync, Operation::Read, Operation::Truncate,
                            Operation::Open, Operation::Lock, Operation::SharedLock, Operation::Delete},
             .sqlite_code = SQLITE_IOERR,
             .lasting = true}},
        CommitSweep{"ALockFails",
                    {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_IOERR_SHMLOCK}},
        CommitSweep{"ALockIsHeld", {.operations = {Operation::SharedLock}, .sqlite_code = SQLITE_BUSY}}),
    [](const auto& sweep) { return sweep.param.name; });

/// Killed before its nth call to the system, a process leaves everything that was acknowledged, and of the
/// commit that was running all or nothing.
TEST_F(JournalFaultTest, NothingAcknowledgedIsLostWhereverTheProcessIsKilled) {
  bool killed = true;
  for (int nth = 1; killed; ++nth) {
    start_over();
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const int status = run_in_child([&] {
      const auto opened = open_for_sweep();
      static_cast<void>(acquire(*opened));
      FaultyVfs::instance().set(
          {.operations = {Operation::Write, Operation::Sync}, .nth = nth, .fatal = true});
      for (int number = 0; number < Step::kSteps; ++number) {
        static_cast<void>(opened->journal()->commit(Step(number).batch));
        if (::write(acknowledged[1], "x", 1) != 1) return false;
      }
      return true;
    });
    killed = WIFSIGNALED(status);
    ASSERT_TRUE(killed || succeeded(status));
    ::close(acknowledged[1]);
    char byte = 0;
    Expectation expected;
    int number = 0;
    while (::read(acknowledged[0], &byte, 1) == 1) expected.committed(Step(number++).batch);
    ::close(acknowledged[0]);
    if (number < Step::kSteps) expected.in_doubt(Step(number).batch);
    expect(expected);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tidings::deadletter
