#include "bus/gate.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <array>
#include <atomic>
#include <thread>

// What is lost only where two features meet.

namespace tidings::deadletter {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class FeatureMixtureTest : public PublishInTest {
 protected:
  /// Publishes `count` events, each in a transaction of its own, on a connection of its own.
  void publish_each_in_a_transaction(Bus& bus, std::int64_t first, std::int64_t count) {
    SQLite::Database own(database().native(), SQLite::OPEN_READWRITE, kBusyTimeout);
    own.exec("PRAGMA synchronous = OFF");
    for (std::int64_t number = first; number < first + count; ++number) {
      own.exec("BEGIN IMMEDIATE");
      static_cast<void>(publish_in(own.getHandle(), bus, Placed{number}));
      for (int write = 0; write < 20; ++write)
        own.exec("INSERT INTO ledger VALUES ('application', " + std::to_string(number) + ")");
      own.exec("COMMIT");
      bus.notify();
    }
  }
  [[nodiscard]] std::string letters() const { return query("SELECT count(*) FROM dead_letters"); }
  /// A queued handler that gives up once the gate is open.
  [[nodiscard]] static Subscription give_up_behind(test::Gate& gate, Bus& bus) {
    return bus.subscribe<Placed>("fail",
                                 [&](const Placed&) {
                                   gate.pass();
                                   throw Permanent("no");
                                 },
                                 {.dispatch = Dispatch::Queued});
  }
};

/// While it lives neither the database nor the spill file takes anything.
class NothingTakesLetters {
 public:
  explicit NothingTakesLetters(std::filesystem::path spill) : spill_(std::move(spill)) {
    fault_.emplace(
        faults::Fault{.operations = {faults::Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    std::filesystem::remove(spill_);
    std::filesystem::create_directory(spill_);  // which no file can replace
  }
  ~NothingTakesLetters() {
    let_the_database_take_them();
    std::filesystem::remove(spill_);
  }
  /// And the spill file none yet: a letter that the database has just refused would be spilled, and imported
  /// later.
  void let_the_database_take_them() { fault_.reset(); }
  NothingTakesLetters(const NothingTakesLetters&) = delete;
  NothingTakesLetters& operator=(const NothingTakesLetters&) = delete;

 private:
  std::filesystem::path spill_;
  std::optional<faults::ScopedFault> fault_;
};

/// To be encoded once, and not again.
struct Fragile {
  static constexpr std::string_view event_type = "shop.fragile";
  std::int64_t number{};
  static inline std::atomic<int> encodings_left{0};
  friend void to_json(Json& json, const Fragile& event) {
    if (encodings_left.fetch_sub(1) <= 0) throw std::runtime_error("broken by now");
    json = Json{{"number", event.number}};
  }
  friend void from_json(const Json& json, Fragile& event) { json.at("number").get_to(event.number); }
};

TEST_F(FeatureMixtureTest, EventsInTransactionsArriveWhileHandlersEndTheirs) {
  constexpr std::int64_t kEach = 1500;
  Bus bus(options());
  const auto listening = listen(bus);
  const auto paying = bus.subscribe<Placed>(
      "pay", [](const Placed& placed, const EventContext& context) { write_ledger(context, placed.number); },
      {.dispatch = Dispatch::Queued});
  std::array<std::thread, 3> publishers;
  std::int64_t first = 0;
  for (std::thread& publisher : publishers) {
    publisher = std::thread([this, &bus, first] { publish_each_in_a_transaction(bus, first, kEach); });
    first += kEach;
  }
  for (std::thread& publisher : publishers) publisher.join();
  EXPECT_TRUE(bus.wait_idle(2 * kLong));
  EXPECT_EQ(journalled(), "0");
  EXPECT_EQ(seen_.all().size(), static_cast<std::size_t>(first));
  EXPECT_EQ(query("SELECT count(*) FROM ledger WHERE handler = 'pay'"), std::to_string(first));
}

TEST_F(FeatureMixtureTest, ALetterThatWaitsKeepsItsEventWhenAnotherHandlersTransactionEndsLast) {
  auto how = options();
  const auto clock = std::make_shared<ManualClock>();
  how.clock = clock;  // stands still: what waits in memory waits
  Bus bus(how);
  const auto failing = bus.subscribe<Placed>("fail", [](const Placed&) { throw Permanent("no"); },
                                             {.dispatch = Dispatch::Queued});
  const auto paying = bus.subscribe<Placed>("pay",
                                            [&](const Placed& placed, const EventContext& context) {
                                              while (bus.snapshot().letters_pending == 0)
                                                std::this_thread::yield();
                                              write_ledger(context, placed.number);
                                            },
                                            {.dispatch = Dispatch::Queued});
  bus.publish(Placed{1});
  while (ledger().empty()) std::this_thread::yield();
  // What a process finds that is started after a kill -9 now.
  EXPECT_EQ(query("SELECT (SELECT count(*) FROM tidings_journal) + (SELECT count(*) FROM dead_letters)"),
            "1");
  EXPECT_EQ(query("SELECT group_concat(handler) FROM tidings_journal_deliveries WHERE done"), "pay");
  clock->advance(1s);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(journalled(), "0");
  EXPECT_EQ(query("SELECT group_concat(handler) FROM dead_letters"), "fail");
  EXPECT_EQ(ledger(), "pay 1");
}

TEST_F(FeatureMixtureTest, ADurableDeliveryIsOwedUntilSomethingTakesItsLetter) {
  auto how = options();
  const auto clock = std::make_shared<ManualClock>();
  how.clock = clock;
  test::Gate gate;
  Bus bus(how);
  const auto failing = give_up_behind(gate, bus);
  bus.publish(Placed{1});
  gate.await_arrival();
  NothingTakesLetters full(spill());
  gate.open();
  while (bus.snapshot().letters_pending == 0) std::this_thread::yield();
  while (capture_.count("journal_refused") == 0) clock->advance(1s);
  EXPECT_FALSE(bus.wait_idle(1ms));
  EXPECT_EQ(journalled(), "1");
  full.let_the_database_take_them();
  while (!bus.wait_idle(1ms)) clock->advance(1s);
  EXPECT_EQ(capture_.count("dead_letter_unsaved"), 0U);
  EXPECT_EQ(query("SELECT group_concat(reason) FROM dead_letters"), "permanent");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(FeatureMixtureTest, NoMoreLettersArePendingThanWereGivenUp) {
  auto how = options(impatient());
  how.clock = std::make_shared<ManualClock>();  // stands still: what waits in memory waits
  Bus bus(how);
  std::atomic<int> ended{0};
  const auto handling = bus.subscribe<Placed>("handle", [&](const Placed&) { ++ended; },
                                              {.dispatch = Dispatch::Queued, .concurrency = 1});
  bus.publish(Placed{1});
  bus.publish(Placed{2});
  while (ended < 2) std::this_thread::yield();
  EXPECT_EQ(bus.snapshot().letters_pending, 0U);
}

TEST_F(FeatureMixtureTest, ALetterThatNothingTakesUntilTheEndLeavesItsEventInTheJournal) {
  test::Gate gate;
  {
    std::optional<NothingTakesLetters> full;
    Bus bus(options());
    const auto failing = give_up_behind(gate, bus);
    bus.publish(Placed{1});
    gate.await_arrival();
    full.emplace(spill());
    gate.open();
    while (bus.snapshot().letters_pending == 0) std::this_thread::yield();
    EXPECT_EQ(bus.stop(0ms).left_in_journal, 1U);
    EXPECT_EQ(capture_.count("dead_letter_unsaved"), 0U);
  }
  EXPECT_EQ(capture_.count("dead_letter_unsaved"), 1U);
  EXPECT_EQ(journalled(), "1");
  Bus next(options());
  const auto listening = listen(next);
  const auto handled = next.subscribe<Placed>(
      "fail", [this](const Placed& placed) { seen_.add(placed.number); }, {.dispatch = Dispatch::Queued});
  EXPECT_TRUE(next.wait_idle(kLong));
  EXPECT_THAT(seen_.all(), ElementsAre(1));
}

TEST_F(FeatureMixtureTest, TheLetterOfADurableEventTakesWhatTheJournalHas) {
  for (const Dispatch dispatch : {Dispatch::Inline, Dispatch::Queued}) {
    Fragile::encodings_left = 1;
    Bus bus(options());
    const auto failing =
        bus.subscribe<Fragile>("fail", [](const Fragile&) { throw Permanent("no"); }, {.dispatch = dispatch});
    bus.publish(Fragile{7});
    EXPECT_TRUE(bus.wait_idle(kLong));
  }
  EXPECT_EQ(letters(), "2");
  EXPECT_EQ(query("SELECT group_concat(DISTINCT event_data) FROM dead_letters"), R"({"number":7})");
  EXPECT_EQ(query("SELECT max(json_array_length(attempts)) FROM dead_letters"), "1");
  EXPECT_EQ(journalled(), "0");
}

TEST_F(FeatureMixtureTest, AnIdempotencyKeyAndTheLetterOfItsUnhandledEventAreOneCommit) {
  auto how = options();
  how.unhandled = Unhandled::DeadLetter;
  Bus bus(how);
  const auto first = bus.publish(Placed{1}, {.idempotency_key = "once"});
  EXPECT_EQ(first.dead, 1U);
  const auto repeat = bus.publish(Placed{1}, {.idempotency_key = "once"});
  EXPECT_TRUE(repeat.duplicate);
  EXPECT_EQ(repeat.event_id, first.event_id);
  EXPECT_EQ(repeat.dead, 0U);
  EXPECT_EQ(query("SELECT group_concat(event_id) FROM dead_letters"), first.event_id.to_string());
}

TEST_F(FeatureMixtureTest, WhatIsOwedToNobodyIsToldBySnapshotAndStop) {
  {
    Bus bus(options());
    const auto paying =
        bus.subscribe<Placed>("pay", [](const Placed&) { throw std::runtime_error("closed"); },
                              {.dispatch = Dispatch::Queued, .retry = {.backoff = constant(1h)}});
    bus.publish(Placed{1});
    const auto report = bus.stop(0ms);
    EXPECT_EQ(report.left_in_journal, 1U);
    EXPECT_EQ(report.owed_to_nobody, 0U);
    EXPECT_FALSE(report.drained);
  }
  Bus bus(options());
  const auto listening = listen(bus);
  EXPECT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(bus.snapshot().owed_to_nobody, 1U);
  EXPECT_EQ(bus.snapshot().handlers.at(0).owed, 0U);
  const auto report = bus.stop(0ms);
  EXPECT_EQ(report.left_in_journal, 0U);
  EXPECT_EQ(report.owed_to_nobody, 1U);
  EXPECT_TRUE(report.drained);
}

TEST_F(FeatureMixtureTest, ABusIsNotIdleWhileTheJournalOwesASubscribedHandlerSomething) {
  Bus bus(options());
  const auto listening = listen(bus);
  EXPECT_TRUE(bus.wait_idle(kLong));
  // The bus does not know of it, and so nobody works on it.
  execute(
      "INSERT INTO tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding,"
      " attributes, source, service, correlation_id, causation_depth, published_at, handlers) VALUES (1000,"
      " '017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 'shop.placed', 1, '{\"number\":1}', 'json', '{}', 'shop',"
      " 'shop', 'c', 0, 1, '[\"listen\"]')");
  EXPECT_FALSE(bus.wait_idle(20ms));
  EXPECT_EQ(bus.snapshot().handlers.at(0).owed, 1U);
  const auto report = bus.stop(kLong);
  EXPECT_EQ(report.left_in_journal, 1U);
  EXPECT_FALSE(report.drained);
}

}  // namespace
}  // namespace tidings::deadletter
