#include "deadletter/journal_fixture.hpp"
#include "deadletter/pipe.hpp"

#include "file/owner_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class OwnershipTest : public JournalTest {
 protected:
  static void occupy(Store& store, std::size_t slot, std::int64_t id, const std::string& handler,
                     std::uint64_t thread) {
    CrashSlot& taken = store.journal()->crash_slots()[slot];
    taken.thread = thread;
    taken.handler = crash_slot_hash(handler);
    taken.journal_id = id;
  }

  /// A process that owns the journal, does `work` with it and is killed.
  void die_as_owner(const std::function<void(Store&)>& work) const {
    const int status = run_in_child([&] {
      const auto opened = open();
      static_cast<void>(acquire(*opened));
      work(*opened);
      if (!HasFailure()) ::raise(SIGKILL);
      return false;
    });
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  /// A process that owns the journal until it is told to end.
  [[nodiscard]] pid_t start_owner(const Pipe& owns, const Pipe& end) const {
    const pid_t child = start_child([&] {
      const auto opened = open();
      static_cast<void>(acquire(*opened));
      owns.tell();
      end.wait();
      opened->journal()->release(true);
      return true;
    });
    owns.wait();
    return child;
  }

  static std::vector<std::string> names(const std::vector<CrashSuspect>& suspects) {
    std::vector<std::string> result;
    for (const CrashSuspect& suspect : suspects) {
      result.push_back(std::to_string(suspect.journal_id) + " " + suspect.handler +
                       (suspect.alone ? " alone" : ""));
    }
    return result;
  }

  [[nodiscard]] std::shared_ptr<Store> open_on_boot(const std::string& boot_id,
                                                    std::int64_t boot_time = 1'000'000) const {
    StoreInternals internals;
    internals.boot_id = boot_id;
    internals.boot_time = [boot_time] { return boot_time; };
    return open_faulty({}, internals);
  }
};

// --- one owner ---

TEST_F(OwnershipTest, ASecondProcessIsToldWhoOwnsTheJournal) {
  const Pipe owns;
  const Pipe end;
  const pid_t first = start_owner(owns, end);
  const auto opened = open();
  EXPECT_THAT(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*opened)); }),
              AllOf(HasSubstr("process " + std::to_string(first)), HasSubstr("owner_wait")));
  end.tell();
  EXPECT_TRUE(succeeded(status_of(first)));
  EXPECT_FALSE(acquire(*opened).crashed);
}

TEST_F(OwnershipTest, TheSuccessorOfARollingRestartWaitsForTheOwnerToEnd) {
  const Pipe owns;
  const Pipe end;
  const Pipe waits;
  const pid_t first = start_owner(owns, end);
  const pid_t second = start_child([&] {
    const auto opened = open();
    waits.tell();
    return !acquire(*opened, std::chrono::seconds(60)).crashed;
  });
  waits.wait();
  end.tell();
  EXPECT_TRUE(succeeded(status_of(first)));
  EXPECT_TRUE(succeeded(status_of(second)));
}

TEST_F(OwnershipTest, ASuccessorGetsTheJournalOfAnOwnerThatIsKilledWhileItWaits) {
  const Pipe owns;
  const Pipe end;
  const pid_t first = start_owner(owns, end);
  const auto opened = open();
  std::thread killer([&] { ::kill(first, SIGKILL); });
  EXPECT_TRUE(acquire(*opened, std::chrono::seconds(60)).crashed);
  killer.join();
  EXPECT_TRUE(WIFSIGNALED(status_of(first)));
}

TEST_F(OwnershipTest, AnotherStoreOfTheSameProcessIsRefused) {
  const auto first = open();
  const auto second = open();
  static_cast<void>(acquire(*first));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*second)); }),
                HasSubstr("another bus of this process"));
  }
  // The refusals have not cost the first its lock.
  EXPECT_TRUE(succeeded(run_in_child([&] {
    const auto third = open();
    static_cast<void>(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*third)); }));
    return true;
  })));
  first->journal()->release(true);
  EXPECT_FALSE(acquire(*second).crashed);
}

TEST_F(OwnershipTest, ThreadsOfOneProcessThatRaceLeaveOneOwner) {
  std::atomic<int> owners = 0;
  std::vector<std::shared_ptr<Store>> stores;
  for (int i = 0; i < 4; ++i) stores.push_back(open());
  std::vector<std::thread> threads;
  for (const auto& store : stores) {
    threads.emplace_back([&owners, &store] {
      try {
        static_cast<void>(acquire(*store));
        ++owners;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::JournalOwned);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(owners, 1);
  EXPECT_TRUE(succeeded(run_in_child([&] {
    const auto other = open();
    static_cast<void>(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*other)); }));
    return true;
  })));
}

TEST_F(OwnershipTest, AForkedChildOwnsNothingAndTakesNothingFromItsParent) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_TRUE(succeeded(run_in_child([&] {
    static_cast<void>(error_of(ErrorCode::ForkedChild, [&] { static_cast<void>(acquire(*opened)); }));
    opened->journal()->release(true);
    const auto own = open();
    EXPECT_THAT(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*own)); }),
                HasSubstr("process " + std::to_string(::getppid())));
    return true;
  })));
  EXPECT_TRUE(succeeded(run_in_child([&] {
    const auto own = open();
    static_cast<void>(error_of(ErrorCode::JournalOwned, [&] { static_cast<void>(acquire(*own)); }));
    return true;
  })));
  append(*opened, 1, 1);
}

TEST_F(OwnershipTest, AForkedChildThatOutlivesTheOwnerDoesNotKeepTheJournal) {
  const Pipe forked;
  const Pipe end;
  const int status = run_in_child([&] {
    const auto opened = open();
    static_cast<void>(acquire(*opened));
    if (::fork() == 0) {
      forked.tell();
      end.wait();
      ::_exit(0);
    }
    ::raise(SIGKILL);
    return false;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  forked.wait();
  EXPECT_TRUE(acquire(*open()).crashed);
  end.tell();
}

TEST_F(OwnershipTest, AStoreThatGoesWithoutReleaseFreesTheJournal) {
  static_cast<void>(acquire(*open()));
  EXPECT_TRUE(acquire(*open()).crashed);
}

// --- what the last owner left ---

TEST_F(OwnershipTest, WhatAKilledOwnerWasRunningAloneIsSuspect) {
  die_as_owner([](Store& store) {
    append(store, 1, 3);
    occupy(store, 5, 2, "ship", 1);
  });
  const auto opened = open();
  const auto start = acquire(*opened);
  EXPECT_TRUE(start.crashed);
  EXPECT_EQ(start.next_id, 4);
  EXPECT_THAT(names(start.suspects), UnorderedElementsAre("2 ship alone"));
  for (const CrashSlot& slot : opened->journal()->crash_slots()) ASSERT_EQ(slot.journal_id.load(), 0);
}

TEST_F(OwnershipTest, NestedAttemptsOfOneThreadCountAsOne) {
  die_as_owner([](Store& store) {
    append(store, 1, 3);
    occupy(store, 0, 1, "ship", 7);
    occupy(store, 1, 3, "send_receipt", 7);
  });
  EXPECT_THAT(names(acquire(*open()).suspects), UnorderedElementsAre("1 ship alone", "3 send_receipt alone"));
}

TEST_F(OwnershipTest, NobodyWasAloneWhenTwoThreadsRanHandlers) {
  die_as_owner([](Store& store) {
    append(store, 1, 3);
    occupy(store, 0, 1, "ship", 1);
    occupy(store, 4095, -1, "log_it", 2);
  });
  EXPECT_THAT(names(acquire(*open()).suspects), UnorderedElementsAre("1 ship"));
}

TEST_F(OwnershipTest, WhatIsNoLongerOwedIsNotSuspect) {
  die_as_owner([](Store& store) {
    append(store, 1, 3);
    occupy(store, 0, 1, "ship", 1);
    occupy(store, 1, 2, "ship", 1);
    occupy(store, 2, 3, "nobody", 1);
    JournalBatch batch;
    batch.finished = {1};
    JournalDelivery done;
    done.journal_id = 2;
    done.handler = "ship";
    done.done = true;
    batch.changed = {done};
    static_cast<void>(store.journal()->commit(batch));
  });
  const auto start = acquire(*open());
  EXPECT_TRUE(start.crashed);
  EXPECT_THAT(start.suspects, IsEmpty());
}

TEST_F(OwnershipTest, NobodyIsSuspectAfterAnotherBootOfTheMachine) {
  {
    const auto opened = open_on_boot("first boot");
    static_cast<void>(acquire(*opened));
    append(*opened, 1, 1);
    occupy(*opened, 0, 1, "ship", 1);
  }
  const auto start = acquire(*open_on_boot("second boot"));
  EXPECT_FALSE(start.crashed);
  EXPECT_THAT(start.suspects, IsEmpty());
}

TEST_F(OwnershipTest, AnUncleanEndIsACrashWhereBootsCannotBeTold) {
  for (const auto& [died_on, found_on] :
       {std::pair("", ""), std::pair("a boot", ""), std::pair("", "a boot")}) {
    {
      const auto opened = open_on_boot(died_on);
      static_cast<void>(acquire(*opened));
      append(*opened, 1, 1);
      occupy(*opened, 0, 1, "ship", 1);
    }
    const auto opened = open_on_boot(found_on);
    const auto start = acquire(*opened);
    EXPECT_TRUE(start.crashed);
    EXPECT_THAT(names(start.suspects), ElementsAre("1 ship alone"));
    finish(*opened, {1});
    opened->journal()->release(true);
  }
}

TEST_F(OwnershipTest, NobodyIsSuspectWhenTheClockOfTheBootBeganAnew) {
  {
    const auto opened = open_on_boot("", 1'000'000);
    static_cast<void>(acquire(*opened));
    append(*opened, 1, 1);
    occupy(*opened, 0, 1, "ship", 1);
  }
  EXPECT_FALSE(acquire(*open_on_boot("", 999'999)).crashed);
}

TEST_F(OwnershipTest, SuspectsStayForTheNextWhenTakingOverFails) {
  die_as_owner([](Store& store) {
    append(store, 1, 1);
    occupy(store, 0, 1, "ship", 1);
  });
  const auto opened = open_faulty();
  {
    const faults::ScopedFault fault({.operations = {faults::Operation::SharedLock},
                                     .sqlite_code = SQLITE_IOERR_SHMLOCK,
                                     .lasting = true});
    static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*opened)); }));
  }
  EXPECT_THAT(names(acquire(*opened).suspects), UnorderedElementsAre("1 ship alone"));
}

// --- the file ---

TEST_F(OwnershipTest, TheOwnerFileIsPrivateAndNotInherited) {
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_EQ(mode_of(owner()), 0600U);
  EXPECT_LT(std::filesystem::file_size(owner()), 1024U * 1024U);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) != owner()) continue;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0);
    return;
  }
  FAIL() << "the owner file is not open";
}

TEST_F(OwnershipTest, TheOwnerFileHasTheModeOfTheOtherFiles) {
  const auto opened = open({.file_mode = 0660});
  static_cast<void>(acquire(*opened));
  EXPECT_EQ(mode_of(owner()), 0660U);
}

TEST_F(OwnershipTest, AnEmptyOrBlankOwnerFileIsANewOne) {
  write_file(owner(), "");
  EXPECT_FALSE(acquire(*open()).crashed);
  write_file(owner(), std::string(5000, '\0'));
  EXPECT_FALSE(acquire(*open()).crashed);
}

TEST_F(OwnershipTest, AForeignFileOfThatNameIsLeftAlone) {
  write_file(owner(), "alice\n");
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*open())); }),
              AllOf(HasSubstr(owner()), HasSubstr("remove it while no service runs")));
  EXPECT_EQ(read_file(owner()).substr(0, 6), "alice\n");
}

TEST_F(OwnershipTest, ALinkOrFolderOfThatNameIsRefused) {
  const auto opened = open();
  std::filesystem::create_symlink(folder_.path("elsewhere"), owner());
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*opened)); }));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("elsewhere")));
  std::filesystem::remove(owner());
  std::filesystem::create_directory(owner());
  static_cast<void>(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*opened)); }));
}

TEST_F(OwnershipTest, AnOwnerFileOfANewerTidingsIsRefused) {
  { static_cast<void>(acquire(*open())); }
  std::string content = read_file(owner());
  content[8] = 9;
  write_file(owner(), content);
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(acquire(*open())); }),
              HasSubstr("newer tidings"));
}

TEST_F(OwnershipTest, SaysWithoutTakingItWhetherTheLastOwnerEndedUncleanly) {
  const std::string boot = boot_id();
  EXPECT_FALSE(boot.empty());
  EXPECT_FALSE(OwnerFile::was_left_unclean(owner(), boot));
  const auto opened = open();
  static_cast<void>(acquire(*opened));
  EXPECT_FALSE(OwnerFile::was_left_unclean(owner(), boot));
  EXPECT_TRUE(succeeded(run_in_child([&] { return !OwnerFile::was_left_unclean(owner(), boot); })));
  opened->journal()->release(false);
  EXPECT_TRUE(OwnerFile::was_left_unclean(owner(), boot));
  EXPECT_FALSE(OwnerFile::was_left_unclean(owner(), "another boot"));
  static_cast<void>(acquire(*opened));
  opened->journal()->release(true);
  EXPECT_FALSE(OwnerFile::was_left_unclean(owner(), boot));
}

}  // namespace
}  // namespace tidings::deadletter
