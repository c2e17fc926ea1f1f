#include "file/claim_life.hpp"

#include "deadletter/operations_fixture.hpp"
#include "deadletter/pipe.hpp"
#include "file/boot_clock.hpp"
#include "file/claimant_lock.hpp"
#include "file/owner_file.hpp"

#include <tidings/bus.hpp>

#include <gmock/gmock.h>

#include <sys/wait.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>

// What decides whether a claim holds: leases, boots of the machine, and processes that live.

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;

class ClaimLifeTest : public OperationsTest {
 protected:
  static constexpr std::int64_t kNow = 1'000'000'000;
  static constexpr std::int64_t kLease = ClaimJudge::kLongestLease;

  [[nodiscard]] ClaimLife life(const std::string& claimed_by, std::int64_t until,
                               const std::string& boot = "this") const {
    return ClaimJudge(database(), boot, [] { return kNow; }).judge(claimed_by, until);
  }
  [[nodiscard]] std::filesystem::path owner() const { return owner_path(database()); }
  /// A service that sees such a boot id and claims all letters.
  [[nodiscard]] std::shared_ptr<Store> at_work(const std::string& boot, std::int64_t later = 0) const {
    StoreInternals internals;
    internals.boot_id = boot;
    internals.boot_time = [later] { return boot_time_now() + later; };
    auto service = open_store(database(), {}, std::move(internals));
    static_cast<void>(service->redrives()->mark("orders", {}, {}, failed_at(5000)));
    const std::array handlers = {ServedHandler{"orders.order_placed", "send_receipt"}};
    const auto claim = service->redrives()->claim({.service = "orders",
                                                   .claimant = "bus",
                                                   .handlers = handlers,
                                                   .most_letters = 10,
                                                   .most_bytes = 1'000'000,
                                                   .lease = std::chrono::seconds(30),
                                                   .now = {},
                                                   .wall = failed_at(5000),
                                                   .waiting = {}});
    for (const ClaimedLetter& letter : claim.letters)
      EXPECT_TRUE(service->redrives()->begin("bus", letter.id, failed_at(5001)));
    return service;
  }
};

TEST_F(ClaimLifeTest, IsThatOfItsLease) {
  EXPECT_EQ(life("this/1/bus", kNow + 1), ClaimLife::Alive);
  EXPECT_EQ(life("this/1/bus", kNow), ClaimLife::Over);
  EXPECT_EQ(life("this/1/bus", INT64_MIN), ClaimLife::Over);
}

TEST_F(ClaimLifeTest, MayBeThatOfItsLeaseWhateverBootIdSomebodySees) {
  for (const std::string claimed_by : {"other/1/bus", "/1/bus", "thi/1/bus", "", "this"}) {
    for (const std::string boot : {"this", ""}) {
      EXPECT_EQ(life(claimed_by, kNow + 1, boot), ClaimLife::Alive) << claimed_by << " seen on " << boot;
      EXPECT_EQ(life(claimed_by, kNow + kLease, boot), ClaimLife::Alive) << claimed_by << " seen on " << boot;
      EXPECT_EQ(life(claimed_by, kNow, boot), ClaimLife::Over) << claimed_by << " seen on " << boot;
    }
  }
}

TEST_F(ClaimLifeTest, IsOfAnEarlierBootWhenItRunsForLongerThanAnyLease) {
  EXPECT_EQ(life("other/1/bus", kNow + kLease + 1), ClaimLife::Over);
  EXPECT_EQ(life("/1/bus", kNow + kLease + 1, ""), ClaimLife::Over);
  EXPECT_EQ(life("other/1/bus", INT64_MAX), ClaimLife::Over);
}

TEST_F(ClaimLifeTest, IsProvedByTheLockOfAProcessThatLives) {
  ClaimantLock lock(owner(), 0600);
  lock.hold("other/1/bus");
  EXPECT_EQ(life("other/1/bus", INT64_MAX), ClaimLife::Alive);
  EXPECT_EQ(life("other/1/bus", kNow), ClaimLife::Lapsed);
  EXPECT_EQ(life("other/1/another bus", INT64_MAX), ClaimLife::Over);
  EXPECT_TRUE(succeeded(run_in_child([&] { return life("other/1/bus", INT64_MAX) == ClaimLife::Alive; })));
}

// --- the lock ---

TEST_F(ClaimLifeTest, ALockEndsWithItsProcess) {
  EXPECT_TRUE(WIFSIGNALED(run_in_child([&] {
    ClaimantLock lock(owner(), 0600);
    lock.hold("a/1/bus");
    ::raise(ClaimantLock::is_held(owner(), "a/1/bus") ? SIGKILL : 0);
    return false;
  })));
  EXPECT_FALSE(ClaimantLock::is_held(owner(), "a/1/bus"));
}

TEST_F(ClaimLifeTest, ALockIsNotThatOfAForkedChild) {
  auto lock = std::make_unique<ClaimantLock>(owner(), 0600);
  lock->hold("a/1/bus");
  const Pipe forked;
  const Pipe ended;
  const pid_t child = start_child([&] {
    forked.tell();
    ended.wait();
    lock.reset();
    return true;
  });
  forked.wait();
  EXPECT_TRUE(ClaimantLock::is_held(owner(), "a/1/bus"));
  lock.reset();
  EXPECT_FALSE(ClaimantLock::is_held(owner(), "a/1/bus"));
  ended.tell();
  EXPECT_TRUE(succeeded(status_of(child)));
}

TEST_F(ClaimLifeTest, ALockIsTakenAnewWhenSomebodyHasRemovedTheFile) {
  ClaimantLock lock(owner(), 0600);
  lock.hold("a/1/bus");
  std::filesystem::remove(owner());
  EXPECT_FALSE(ClaimantLock::is_held(owner(), "a/1/bus"));
  lock.hold("a/1/bus");
  EXPECT_TRUE(ClaimantLock::is_held(owner(), "a/1/bus"));
}

TEST_F(ClaimLifeTest, ALockStandsBesideTheOwnershipOfTheJournal) {
  ClaimantLock lock(owner(), 0600);
  lock.hold("a/1/bus");
  const auto durable = open();
  EXPECT_FALSE(durable->journal()->acquire("orders", std::chrono::milliseconds(0)).crashed);
  EXPECT_TRUE(ClaimantLock::is_held(owner(), "a/1/bus"));
  durable->journal()->release(true);
  EXPECT_TRUE(ClaimantLock::is_held(owner(), "a/1/bus"));
  EXPECT_FALSE(OwnerFile::was_left_unclean(owner(), boot_id()));
}

TEST_F(ClaimLifeTest, WithoutALockIsJudgedByTheLease) {
  std::filesystem::create_directory(owner());
  ClaimantLock lock(owner(), 0600);
  lock.hold("a/1/bus");
  EXPECT_EQ(life("a/1/bus", kNow + 1), ClaimLife::Alive);
  EXPECT_EQ(life("a/1/bus", kNow), ClaimLife::Over);
}

// --- tools beside a service that sees another boot ---

TEST_F(ClaimLifeTest, LettersAtWorkAreLeftAloneWhateverBootIdTheServiceSees) {
  for (const std::string boot : {"", "5b6a7f1e-0000-4000-8000-000000000000"}) {
    store_letters(1, 3);
    const auto service = at_work(boot);
    EXPECT_EQ(operations().discard({}, "", {}).running, 3) << boot;
    EXPECT_EQ(operations().erase({}, {}).progress.running, 3) << boot;
    EXPECT_EQ(operations().count_erasable({}).progress.running, 3) << boot;
    EXPECT_THROW(static_cast<void>(operations().edit(1, {{"order_id", 7}})), Error) << boot;
    EXPECT_EQ(reader().count({.resolved = false, .running = true}), 3) << boot;
    EXPECT_TRUE(reader().find(1)->claim->alive) << boot;
    EXPECT_EQ(reader().examine(false).claims.live, 3) << boot;
    execute(
        "UPDATE dead_letters SET claimed_by = NULL, claimed_until = NULL, redrive_started_at = NULL,"
        " redrive_requested_at = NULL");
  }
}

TEST_F(ClaimLifeTest, LettersAtWorkAreLeftAloneThoughTheirLeaseWasNotRenewed) {
  const auto service = at_work(boot_id(), -3600'000'000);
  EXPECT_EQ(operations().discard({}, "", {}).running, 3);
  EXPECT_TRUE(reader().find(1)->claim->alive);
}

TEST_F(ClaimLifeTest, LettersOfAProcessThatDiedAreTakenOnceTheirLeaseIsOver) {
  EXPECT_TRUE(succeeded(run_in_child([&] { return at_work("", -3600'000'000) != nullptr; })));
  EXPECT_EQ(operations().discard({}, "", {}).changed, 3);
}

TEST_F(ClaimLifeTest, AnotherBusTakesNoLetterFromOneThatSeesAnotherBootId) {
  const auto service = at_work("");
  const auto other = open();
  const auto upkeep = other->redrives()->tend("other", std::chrono::seconds(30), failed_at(6000));
  EXPECT_TRUE(upkeep.crashed.empty());
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE claimed_by IS NOT NULL"), "3");
}

TEST_F(ClaimLifeTest, AnotherBusTakesLettersWhoseLeaseWasNotRenewed) {
  const auto service = at_work(boot_id(), -3600'000'000);
  const auto other = open();
  const auto upkeep = other->redrives()->tend("other", std::chrono::seconds(30), failed_at(6000));
  EXPECT_THAT(crashed_in(upkeep), ElementsAre(1, 2, 3));
}

TEST_F(ClaimLifeTest, AServiceProcessWithoutABootIdKeepsItsLettersFromAToolsProcess) {
  const Pipe at_work;
  const Pipe go_on;
  const pid_t service = start_child([&] {
    StoreInternals internals;
    internals.boot_id = "";
    Bus bus({.service = "orders",
             .store = open_store(database(), {}, std::move(internals)),
             .logger = logging::Logger({.level = logging::Level::Off})});
    const auto handler = bus.subscribe("orders.order_placed", "send_receipt", [&](const Json&) {
      at_work.tell();
      go_on.wait();
    });
    static_cast<void>(bus.redrive({.ids = {{1}}}));
    return bus.wait_idle(std::chrono::seconds(30));
  });
  at_work.wait();
  EXPECT_EQ(operations().discard({}, "", {}).running, 1);
  EXPECT_THROW(static_cast<void>(operations().edit(1, {{"order_id", 7}})), Error);
  go_on.tell();
  EXPECT_TRUE(succeeded(status_of(service)));
  EXPECT_EQ(query("SELECT resolution FROM dead_letters WHERE id = 1"), "reprocessed");
}

}  // namespace
}  // namespace tidings::deadletter
