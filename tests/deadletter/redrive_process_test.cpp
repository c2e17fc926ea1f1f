#include "deadletter/store_fixture.hpp"

#include "file/boot_clock.hpp"
#include "logging/record_schema.hpp"

#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/redrive.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>

// Redrives by real processes, which are killed.

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Where a process dies.
enum class Step : std::uint8_t { Claimed, BeforeBegin, Begun, InHandler, HandlerRan, Settled };

[[noreturn]] void die() {
  ::raise(SIGKILL);
  ::_exit(1);
}

/// The redrives of a store, of a process that dies at one step.
class DyingRedrives final : public Redrives {
 public:
  DyingRedrives(Redrives& real, Step step) : real_(real), step_(step) {}

  RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                      const tidings::RedriveOptions& options, Timestamp wall) override {
    return real_.mark(service, filter, options, wall);
  }
  bool changed() override { return real_.changed(); }
  LetterClaim claim(const ClaimRequest& request) override {
    LetterClaim claim = real_.claim(request);
    if (step_ == Step::Claimed && !claim.letters.empty()) die();
    return claim;
  }
  bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) override {
    if (step_ == Step::BeforeBegin) die();
    const bool begun = real_.begin(claimant, id, wall);
    if (step_ == Step::Begun) die();
    return begun;
  }
  std::vector<RedriveEnd> settle(std::string_view claimant, std::span<const RedriveResult> results) override {
    if (step_ == Step::HandlerRan) die();
    auto ended = real_.settle(claimant, results);
    if (step_ == Step::Settled) die();
    return ended;
  }
  RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease, Timestamp wall) override {
    return real_.tend(claimant, lease, wall);
  }
  std::vector<LetterKey> keys(std::string_view service, const ServedHandler& handler) override {
    return real_.keys(service, handler);
  }

 private:
  Redrives& real_;
  const Step step_;
};

class DyingStore final : public LetterSink {
 public:
  DyingStore(std::shared_ptr<Store> store, Step step)
      : store_(std::move(store)), redrives_(*store_->redrives(), step) {}

  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override {
    return store_->store(letters, when_busy);
  }
  std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                     std::string_view handler) override {
    return store_->dead_keys(service, event_type, handler);
  }
  Redrives* redrives() noexcept override { return &redrives_; }

 private:
  const std::shared_ptr<Store> store_;
  DyingRedrives redrives_;
};

class RedriveProcessTest : public StoreTest {
 protected:
  [[nodiscard]] std::filesystem::path ledger() const { return folder_.path("ledger"); }
  /// What a handler does: one line of a file, which survives the process.
  void write_down(const Json& order) const {
    const int file = ::open(ledger().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const std::string line = order.at("order_id").dump() + "\n";
    EXPECT_EQ(::write(file, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    ::close(file);
  }
  std::vector<int> ledger_entries() const {
    std::vector<int> entries;
    for (const std::string& line : lines_of(ledger())) entries.push_back(std::stoi(line));
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  void store_marked(std::uint64_t count) {
    const auto opened = open();
    static_cast<void>(store(*opened, letters(1, count)));
    static_cast<void>(opened->redrives()->mark("orders", {}, {}, failed_at(5000)));
  }
  /// A service that redrives what is marked, and dies at a step or ends when nothing is claimed or marked.
  bool serve(const std::shared_ptr<LetterSink>& sink, bool dies_in_handler = false) const {
    Bus bus({.service = "orders", .store = sink, .logger = logging::Logger({.level = logging::Level::Off})});
    const auto handler = bus.subscribe("orders.order_placed", "send_receipt", [&](const Json& order) {
      if (dies_in_handler) die();
      write_down(order);
    });
    while (query("SELECT count(*) FROM dead_letters WHERE redrive_requested_at IS NOT NULL"
                 " AND reprocessed_at IS NULL") != "0") {
      if (!bus.wait_idle(std::chrono::seconds(30))) return false;
    }
    return true;
  }
  /// A store to which the leases of all who died are over.
  std::shared_ptr<Store> open_later() const {
    StoreInternals later;
    later.boot_time = [] { return boot_time_now() + 31'000'000; };
    return open_store(database(), {}, std::move(later));
  }
};

/// A process has died while it redrove the only letter of a key that parks.
class CrashedKeyTest : public RedriveProcessTest {
 protected:
  static SubscribeOptions<Json> parking() {
    return {.dispatch = Dispatch::Queued,
            .ordering_key = [](const Json&) { return std::string("key"); },
            .after_death = AfterDeath::Park};
  }
  void SetUp() override {
    DeadLetter first = letter(1);
    first.ordering_key = "key";
    static_cast<void>(store(*open(), {first}));
    static_cast<void>(open()->redrives()->mark("orders", {}, {}, failed_at(5000)));
    ASSERT_TRUE(WIFSIGNALED(run_in_child([&] { return serve(open(), true); })));
  }
  /// A store whose leases end when `over_` is set.
  [[nodiscard]] std::shared_ptr<Store> open_for_a_while() {
    StoreInternals internals;
    internals.boot_time = [this] { return boot_time_now() + (over_ ? 31'000'000 : 0); };
    return open_store(database(), {}, std::move(internals));
  }

  std::atomic<bool> over_{false};
};

TEST_F(CrashedKeyTest, WhatTheUpkeepHasFoundIsAChange) {
  const auto opened = open_for_a_while();
  Redrives& redrives = *opened->redrives();
  const auto tend = [&] { return redrives.tend("other", std::chrono::seconds(30), failed_at(9000)); };
  EXPECT_TRUE(redrives.changed());
  EXPECT_TRUE(tend().crashed.empty());
  EXPECT_FALSE(redrives.changed());
  over_ = true;
  EXPECT_EQ(tend().crashed.size(), 1U);
  EXPECT_TRUE(redrives.changed());
  EXPECT_TRUE(tend().crashed.empty());
  EXPECT_FALSE(redrives.changed());
}

TEST_F(CrashedKeyTest, NewEventsOfTheKeyAreParkedWithoutAnybodysWriting) {
  const auto clock = std::make_shared<ManualClock>();
  Bus bus({.service = "orders",
           .store = open_for_a_while(),
           .logger = logging::Logger({.level = logging::Level::Off}),
           .clock = clock});
  auto handler = bus.subscribe(
      "orders.order_placed", "send_receipt", [](const Json&) {}, parking());
  bus.publish("orders.order_placed", Json{{"order_id", 2}});
  clock->await_waiter();
  EXPECT_FALSE(bus.wait_idle(std::chrono::milliseconds(1)));
  over_ = true;
  for (int second = 0; second < 3; ++second) {
    clock->advance(std::chrono::seconds(1));
    clock->await_waiter();
  }
  EXPECT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_EQ(query("SELECT group_concat(reason) FROM (SELECT reason FROM dead_letters ORDER BY id)"),
            "crashed,parked");
}

/// Letters of one key, the first of which a process was redriving when it died.
class CrashedLaneTest : public StoreTest {
 protected:
  void SetUp() override {
    for (std::uint64_t number = 1; number <= 4; ++number) {
      DeadLetter each = letter(number);
      each.ordering_key = number == 4 ? "other" : "key";
      static_cast<void>(store(*opened_, {each}));
    }
    static_cast<void>(redrives().mark("orders", {}, {}, failed_at(5000)));
  }
  [[nodiscard]] Redrives& redrives() const { return *opened_->redrives(); }
  std::size_t claim(std::size_t most, bool parks) {
    const std::vector<ServedHandler> handlers = {{"orders.order_placed", "send_receipt", parks}};
    return redrives()
        .claim({.service = "orders",
                .claimant = "dead",
                .handlers = handlers,
                .most_letters = most,
                .most_bytes = 1U << 16U,
                .lease = std::chrono::seconds(30),
                .now = {},
                .wall = failed_at(6000),
                .waiting = {}})
        .letters.size();
  }
  /// Another bus, of another service, cleans up.
  RedriveUpkeep tend_later() {
    boot_time_ += 31'000'000;
    return redrives().tend("other", std::chrono::seconds(30), failed_at(9000));
  }
  [[nodiscard]] std::string marked() const {
    return query(
        "SELECT ifnull(group_concat(id), '') FROM (SELECT id FROM dead_letters WHERE redrive_requested_at > "
        "0 ORDER BY id)");
  }
  [[nodiscard]] std::shared_ptr<Store> open_at_a_time() {
    StoreInternals internals;
    internals.boot_time = [this] { return boot_time_; };
    return open_store(database(), {}, std::move(internals));
  }

  std::int64_t boot_time_ = boot_time_now();
  const std::shared_ptr<Store> opened_ = open_at_a_time();
};

TEST_F(CrashedLaneTest, WhatIsParkedBehindACrashIsUnmarkedAndTheRequestEnds) {
  ASSERT_EQ(claim(1, true), 1U);
  ASSERT_TRUE(redrives().begin("dead", 1, failed_at(7000)));
  EXPECT_THAT(crashed_in(tend_later()), ElementsAre(1));
  EXPECT_EQ(marked(), "4");
  execute("UPDATE dead_letters SET redrive_requested_at = NULL WHERE id = 4");
  static_cast<void>(redrives().changed());
  EXPECT_EQ(tend_later().ended.size(), 1U);
}

TEST_F(CrashedLaneTest, SoIsWhatTheDeadProcessHadClaimedAndNotBegun) {
  ASSERT_EQ(claim(9, true), 4U);
  ASSERT_TRUE(redrives().begin("dead", 1, failed_at(7000)));
  const auto upkeep = tend_later();
  EXPECT_THAT(crashed_in(upkeep), ElementsAre(1));
  EXPECT_EQ(upkeep.returned, 1U);
  EXPECT_EQ(marked(), "4");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE claimed_by IS NOT NULL"), "0");
}

TEST_F(CrashedLaneTest, SoIsWhatIsParkedBehindALetterThatCannotBeRead) {
  ASSERT_EQ(claim(1, true), 1U);
  ASSERT_TRUE(redrives().begin("dead", 1, failed_at(7000)));
  execute("UPDATE dead_letters SET correlation_id = '' WHERE id = 1");
  EXPECT_THAT(crashed_in(tend_later()), ElementsAre(1));
  EXPECT_EQ(marked(), "4");
  static_cast<void>(redrives().mark("orders", {}, {}, failed_at(9500)));
  EXPECT_EQ(marked(), "1,2,3,4");
  EXPECT_EQ(claim(9, true), 1U);  // the first is set aside
  EXPECT_EQ(marked(), "4");
}

TEST_F(CrashedLaneTest, AKeyThatGoesOnStaysMarked) {
  ASSERT_EQ(claim(9, true), 4U);  // the handler parked once
  EXPECT_EQ(tend_later().returned, 4U);
  ASSERT_EQ(claim(9, false), 4U);
  ASSERT_TRUE(redrives().begin("dead", 1, failed_at(7000)));
  EXPECT_THAT(crashed_in(tend_later()), ElementsAre(1));
  EXPECT_EQ(marked(), "2,3,4");
}

TEST_F(CrashedLaneTest, TheUpkeepHasTheLetterAsItIsNowWithoutItsPayload) {
  ASSERT_EQ(claim(1, true), 1U);
  ASSERT_TRUE(redrives().begin("dead", 1, failed_at(7000)));
  const RedriveUpkeep upkeep = tend_later();
  ASSERT_EQ(crashed_in(upkeep), std::vector<std::int64_t>{1});
  const RedriveResult& crashed = upkeep.crashed.front();
  EXPECT_EQ(crashed.end, RedriveResult::End::Failed);
  EXPECT_EQ(crashed.letter.metadata.event_id, event_id(1));
  EXPECT_EQ(crashed.letter.reason, Reason::Crashed);
  EXPECT_EQ(crashed.letter.attempts.size(), 2U);
  EXPECT_EQ(crashed.letter.data.bytes, "");
}

TEST_F(RedriveProcessTest, ADeathInARedriveIsLoggedWithTheContextOfItsLetter) {
  DeadLetter request = letter(1);
  request.metadata.correlation_id = CorrelationId::parse("request-7").value();
  request.metadata.traceparent =
      TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  request.metadata.fields = {{"tenant", "acme"}, {"user_id", 42}};
  static_cast<void>(store(*open(), {request}));
  static_cast<void>(open()->redrives()->mark("orders", {}, {}, failed_at(5000)));
  ASSERT_TRUE(WIFSIGNALED(run_in_child([&] { return serve(open(), true); })));

  logging::Capture capture;
  {
    Bus bus({.service = "billing", .store = open_later(), .logger = capture.logger()});
    ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  }
  const Json record = capture.only("redrive_crashed");
  const Json expected = {{"dead_letter_id", 1},
                         {"event_id", event_id(1).to_string()},
                         {"correlation_id", "request-7"},
                         {"trace_id", "0af7651916cd43dd8448eb211c80319c"},
                         {"event_type", "orders.order_placed"},
                         {"handler", "send_receipt"},
                         {"tenant", "acme"},
                         {"user_id", 42},
                         {"reason", "crashed"},
                         {"error_type", "tidings::crashed"}};
  for (const auto& [name, value] : expected.items()) EXPECT_EQ(record.value(name, Json()), value) << name;
  test::expect_documented_records(capture);
}

class KilledAt : public RedriveProcessTest, public testing::WithParamInterface<Step> {};

TEST_P(KilledAt, LosesNoLetterAndHoldsNoneBeyondItsLease) {
  const Step step = GetParam();
  store_marked(3);
  const int status = run_in_child(
      [&] { return serve(std::make_shared<DyingStore>(open(), step), step == Step::InHandler); });
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto handled_before = ledger_entries();

  EXPECT_TRUE(serve(open_later()));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "3");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE claimed_by IS NOT NULL"), "0");
  const std::string crashed = query("SELECT count(*) FROM dead_letters WHERE reprocessed_at IS NULL");
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE error_type = 'tidings::crashed'"
                  " AND reason = 'crashed' AND json_array_length(attempts) = 2"),
            crashed);
  const bool before = step < Step::Begun;
  const bool during = !before && step < Step::Settled;
  EXPECT_TRUE(!before || crashed == "0") << crashed;
  EXPECT_TRUE(!during || crashed != "0") << crashed;
  // Nothing was handled twice, and each letter that was not handled says that it crashed.
  const auto handled = ledger_entries();
  EXPECT_EQ(std::set<int>(handled.begin(), handled.end()).size(), handled.size());
  EXPECT_GE(handled.size() + std::stoul(crashed), 3U);
  EXPECT_GE(handled.size(), handled_before.size());
}

INSTANTIATE_TEST_SUITE_P(Steps, KilledAt,
                         testing::Values(Step::Claimed, Step::BeforeBegin, Step::Begun, Step::InHandler,
                                         Step::HandlerRan, Step::Settled));

TEST_F(RedriveProcessTest, AClaimThatLivesIsLeftAlone) {
  store_marked(1);
  const int status = run_in_child([&] { return serve(std::make_shared<DyingStore>(open(), Step::Claimed)); });
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto successor = open();
  EXPECT_EQ(successor->redrives()->tend("successor", std::chrono::seconds(30), failed_at(9000)).returned, 0U);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE claimed_by IS NOT NULL"), "1");
}

TEST_F(RedriveProcessTest, TwoServicesOnOneFileDeliverEachLetterOnce) {
  constexpr int kLetters = 500;
  store_marked(kLetters);
  int barrier[2];
  ASSERT_EQ(::pipe(barrier), 0);
  std::vector<pid_t> services;
  for (int service = 0; service < 2; ++service) {
    services.push_back(start_child([&] {
      ::close(barrier[1]);
      const auto store = open();
      char nothing = 0;
      EXPECT_EQ(::read(barrier[0], &nothing, 1), 0);  // until the parent lets both go
      return serve(store);
    }));
  }
  ::close(barrier[0]);
  ::close(barrier[1]);
  for (const pid_t service : services) EXPECT_TRUE(succeeded(status_of(service)));
  std::vector<int> expected;
  for (int number = 1; number <= kLetters; ++number) expected.push_back(number);
  EXPECT_EQ(ledger_entries(), expected);
  EXPECT_EQ(query("SELECT state || succeeded || ' ' || failed FROM tidings_redrives"), "finished500 0");
}

}  // namespace
}  // namespace tidings::deadletter
