#include "deadletter/store_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/recovery.hpp>
#include <tidings/deadletter/transaction.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/minutes.hpp>

#include <SQLiteCpp/Database.h>
#include <signal.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace tidings::deadletter {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Timestamp kMinute = Timestamp(std::chrono::days(20'000));
constexpr auto kPatience = 30s;

struct Paid {
  static constexpr std::string_view event_type = "orders.paid";
  int order{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Paid, order)
};

MinuteRow row(Timestamp minute, std::uint64_t handled, const std::string& handler = "ship") {
  MinuteRow result{minute, "orders.paid", handler, {}};
  result.counts.handled = handled;
  result.counts.durations[duration_class(1ms)] = handled;
  return result;
}

class MinutesTest : public StoreTest {
 protected:
  static void add(Store& store, const std::vector<MinuteRow>& rows, std::string_view service = "shop") {
    store.minutes()->add(service, rows);
  }
  static void keep(Store& store, const std::vector<MinuteRow>& rows) {
    add(store, rows);
    store.minutes()->flush();
  }
  [[nodiscard]] DeliveryRates rates(const RateFilter& filter = {}) const {
    return Reader::open(database()).rates(filter).value();
  }
  /// The sum over all minutes.
  [[nodiscard]] DeliveryCounts counts(const std::string& handler) const {
    DeliveryCounts sum;
    for (const DeliveryRate& each : rates({.handler = handler}).rates) sum += each.counts;
    return sum;
  }
  [[nodiscard]] std::string kept() const {
    return query("SELECT coalesce(sum(handled), 0) FROM tidings_minutes");
  }
};

TEST_F(MinutesTest, AddsUpWhatIsCountedInOneMinute) {
  const auto store = open();
  keep(*store, {row(kMinute, 3)});
  keep(*store, {row(kMinute, 4), row(kMinute, 1, "bill"), row(kMinute + 1min, 5)});
  EXPECT_EQ(query("SELECT count(*) FROM tidings_minutes"), "3");
  EXPECT_EQ(counts("ship").handled, 12U);
  EXPECT_EQ(counts("ship").durations[duration_class(1ms)], 12U);
  EXPECT_EQ(query("SELECT took_1ms FROM tidings_minutes ORDER BY minute, handler DESC"), "7");
}

TEST_F(MinutesTest, KeepsEveryCount) {
  MinuteRow each = row(kMinute, 0);
  std::uint64_t number = 0;
  for (auto* const count : {&each.counts.published, &each.counts.handled, &each.counts.failed,
                            &each.counts.dead, &each.counts.slow})
    *count = ++number;
  for (auto& count : each.counts.durations) count = ++number;
  const auto store = open();
  keep(*store, {each});
  EXPECT_EQ(counts("ship"), each.counts);
  EXPECT_EQ(query("SELECT took_longer FROM tidings_minutes"), std::to_string(number));
}

TEST_F(MinutesTest, AreChosenByTimeServiceTypeAndHandler) {
  const auto store = open();
  add(*store, {row(kMinute, 1), row(kMinute + 1min, 2), row(kMinute + 2min, 4), row(kMinute, 8, "bill")});
  add(*store, {row(kMinute, 16)}, "other");
  store->minutes()->flush();
  const auto handled = [&](const RateFilter& filter) {
    std::uint64_t sum = 0;
    for (const DeliveryRate& each : rates(filter).rates) sum += each.counts.handled;
    return sum;
  };
  EXPECT_EQ(handled({}), 31U);
  EXPECT_EQ(handled({.service = "other"}), 16U);
  EXPECT_EQ(handled({.handler = "bill"}), 8U);
  EXPECT_EQ(handled({.event_type = "orders.unpaid"}), 0U);
  EXPECT_EQ(handled({.since = kMinute + 90s}), 6U);  // a part of the second minute
  EXPECT_EQ(handled({.since = kMinute + 1min, .until = kMinute + 2min}), 2U);
  const DeliveryRates all = rates();
  EXPECT_EQ(all.from, kMinute);
  EXPECT_EQ(all.to, kMinute + 3min);
  EXPECT_EQ(rates({.handler = "nobody"}).from, std::nullopt);
}

TEST_F(MinutesTest, GoWithTheNextLettersWithoutACommitOfTheirOwn) {
  const auto store = open();
  add(*store, {row(kMinute, 3)});
  EXPECT_EQ(kept(), "0");
  EXPECT_THAT(places(this->store(*store, letters(1, 1))), ElementsAre(Place::Stored));
  EXPECT_EQ(kept(), "3");
  store->minutes()->flush();
  EXPECT_EQ(kept(), "3");
}

TEST_F(MinutesTest, GoWithTheJournalsNextBatch) {
  const auto store = open();
  static_cast<void>(store->journal()->acquire("shop", 0ms));
  add(*store, {row(kMinute, 3)});
  store->journal()->commit({});
  EXPECT_EQ(kept(), "3");
  store->journal()->release(true);
}

TEST_F(MinutesTest, ThatCannotBeKeptHoldNoLetterUp) {
  const auto store = open();
  execute("ALTER TABLE tidings_minutes RENAME TO tidings_minutes_away");
  add(*store, {row(kMinute, 3)});
  EXPECT_THAT(places(this->store(*store, letters(1, 2))), ElementsAre(Place::Stored, Place::Stored));
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { store->minutes()->flush(); }),
              HasSubstr("tidings_minutes"));
  execute("ALTER TABLE tidings_minutes_away RENAME TO tidings_minutes");
  store->minutes()->flush();
  EXPECT_EQ(kept(), "3");
}

TEST_F(MinutesTest, WaitWhileTheDatabaseIsBusy) {
  const auto store = open({.busy_timeout = 1ms});
  add(*store, {row(kMinute, 3)});
  {
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { store->minutes()->flush(); }),
                HasSubstr("orders.db"));
  }
  keep(*store, {row(kMinute, 4)});
  EXPECT_EQ(kept(), "7");
}

TEST_F(MinutesTest, AreDeletedWhenTheirTimeIsOver) {
  const auto store = open({.minutes_retention = 2h});
  for (int minute = 0; minute <= 180; ++minute) keep(*store, {row(kMinute + minute * 1min, 1)});
  EXPECT_EQ(rates().from, kMinute + 1h);
  EXPECT_EQ(counts("ship").handled, 121U);
}

TEST_F(MinutesTest, AreDeletedAfterAClockWasFarAheadForAMoment) {
  const auto store = open({.minutes_retention = 2h});
  keep(*store, {row(kMinute + std::chrono::days(1'000), 1)});
  for (int minute = 0; minute <= 180; ++minute) keep(*store, {row(kMinute + minute * 1min, 1)});
  EXPECT_EQ(rates().from, kMinute + 1h);
}

TEST_F(MinutesTest, ThatCannotBeReadFailALetterWithTheErrorOfTheDisk) {
  keep(*open(), {row(kMinute, 3)});
  std::uint64_t number = 0;
  int failed = 0;
  for (int nth = 1; nth <= 60; ++nth) {
    const auto store = open_faulty();
    add(*store, {row(kMinute, 1)});
    const faults::ScopedFault fault({.operations = {faults::Operation::Read},
                                     .nth = nth,
                                     .sqlite_code = SQLITE_IOERR_READ,
                                     .lasting = true});
    ++number;
    const auto outcomes = this->store(*store, letters(number, number));
    ASSERT_EQ(outcomes.size(), 1U);
    if (outcomes.front().place == Place::Stored) continue;
    ++failed;
    EXPECT_THAT(outcomes.front().problem, HasSubstr("disk I/O error")) << nth;
  }
  EXPECT_GT(failed, 0);
}

TEST_F(MinutesTest, AreKeptForEverWithoutARetention) {
  const auto store = open({.minutes_retention = 0h});
  keep(*store, {row(kMinute, 1)});
  keep(*store, {row(kMinute + std::chrono::days(1'000), 1)});
  EXPECT_EQ(counts("ship").handled, 2U);
}

TEST_F(MinutesTest, RefuseANegativeRetention) {
  EXPECT_THAT(
      error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(open({.minutes_retention = -1h})); }),
      HasSubstr("minutes_retention"));
}

TEST_F(MinutesTest, OfSeveralProcessesAddUp) {
  static_cast<void>(open());
  std::vector<pid_t> children;
  for (int child = 0; child < 3; ++child) {
    children.push_back(start_child([&] {
      const auto store = open();
      for (int i = 0; i < 50; ++i) keep(*store, {row(kMinute, 1)});
      return true;
    }));
  }
  for (const pid_t child : children) EXPECT_TRUE(succeeded(status_of(child)));
  EXPECT_EQ(counts("ship").handled, 150U);
  EXPECT_EQ(query("SELECT count(*) FROM tidings_minutes"), "1");
}

TEST_F(MinutesTest, AreInBackupsAndInWhatIsRecovered) {
  {
    const auto store = open();
    static_cast<void>(this->store(*store, letters(1, 3)));
    keep(*store, {row(kMinute, 3), row(kMinute, 4, "")});
    store->backup(folder_.path("copy.db"));
  }
  EXPECT_EQ(Reader::open(folder_.path("copy.db")).rates({}).value().rates.size(), 2U);
  const auto report = recover(database(), folder_.path("recovered.db"));
  EXPECT_EQ(report.of("tidings_minutes").saved(), 2);
  const auto rates = Reader::open(folder_.path("recovered.db")).rates({}).value();
  ASSERT_EQ(rates.rates.size(), 2U);
  EXPECT_EQ(rates.rates[1].counts, row(kMinute, 3).counts);
}

// --- with a bus ---

BusOptions shop(std::shared_ptr<Store> store) {
  return {.service = "shop",
          .store = std::move(store),
          .logger = logging::Logger({.service = "shop", .level = logging::Level::Critical})};
}

TEST_F(MinutesTest, OfABusAreThereWhenItHasStopped) {
  Bus bus([&] {
    BusOptions options = shop(open());
    options.durability = Durability::ProcessCrash;
    return options;
  }());
  const auto fails = [](const Paid& event) {
    if (event.order % 5 == 0) throw Permanent("never");
  };
  auto queued = bus.subscribe<Paid>("queued", fails, {.dispatch = Dispatch::Queued});
  auto handled_inline = bus.subscribe<Paid>("inline", fails);
  for (int order = 0; order < 50; ++order) {
    bus.publish(Paid{order});
    bus.publish(Paid{order}, {.durability = Durability::None});
  }
  ASSERT_TRUE(bus.wait_idle(kPatience));
  bus.stop();
  for (const char* handler : {"queued", "inline"}) {
    EXPECT_EQ(counts(handler).handled, 80U) << handler;
    EXPECT_EQ(counts(handler).failed, 20U) << handler;
    EXPECT_EQ(counts(handler).dead, 20U) << handler;
  }
  EXPECT_EQ(counts("").published, 100U);
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "40");
}

// All ways in and out at once, on a clock that is set back and forth, while half of the transactions are
// rolled back.
TEST_F(MinutesTest, AreWhatHandlersSawAndWhatTheLettersSay) {
  const auto clock = std::make_shared<ManualClock>();
  std::atomic<std::uint64_t> returned{0};
  std::atomic<std::uint64_t> thrown{0};
  std::uint64_t accepted = 0;
  std::uint64_t rolled_back = 0;
  const auto fails_at_times = [&](const Paid& event, const EventContext& context) {
    if (event.order % 7 == 0 || (event.order % 3 == 0 && context.attempt() == 1)) {
      ++thrown;
      throw std::runtime_error("not now");
    }
    ++returned;
  };
  const auto in_its_transaction = [&](const Paid& event, const EventContext& context) {
    const Transaction own = transaction(context);
    const std::string row = "INSERT INTO ledger VALUES (" + std::to_string(event.order) + ")";
    EXPECT_EQ(sqlite3_exec(own.connection(), row.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    if (event.order % 5 == 0) {
      ++thrown;
      throw Permanent("rolled back");
    }
    ++returned;
  };
  const RetryPolicy retry{.max_attempts = 2, .backoff = none()};
  const auto store = open_faulty();  // whose syncs do not wait for the disk
  execute("CREATE TABLE ledger (number INTEGER)");
  {
    BusOptions options = shop(store);
    options.durability = Durability::ProcessCrash;
    options.clock = clock;
    Bus bus(options);
    bus.subscribe<Paid>("queued", fails_at_times, {.dispatch = Dispatch::Queued, .retry = retry}).keep();
    bus.subscribe<Paid>("inline", fails_at_times, {.retry = retry}).keep();
    bus.subscribe<Paid>("bank", in_its_transaction, {.dispatch = Dispatch::Queued}).keep();
    SQLite::Database application(database().native(), SQLite::OPEN_READWRITE, 5'000);
    for (int order = 1; order <= 300; ++order) {
      clock->set_wall(kMinute + (order % 2 == 0 ? 90s : 10s) * order);
      bus.publish(Paid{order});
      ++accepted;
      application.exec("BEGIN IMMEDIATE");
      publish_in(application.getHandle(), bus, Paid{order});
      if (order % 2 == 0) {
        application.exec("COMMIT");
        bus.notify();
        ++accepted;
      } else {
        application.exec("ROLLBACK");
        ++rolled_back;
      }
    }
    ASSERT_TRUE(bus.wait_idle(kPatience));
  }
  const DeliveryCounts all = [&] {
    DeliveryCounts sum;
    for (const DeliveryRate& each : rates().rates) sum += each.counts;
    return sum;
  }();
  EXPECT_EQ(all.handled, returned);
  EXPECT_EQ(all.failed, thrown);
  EXPECT_EQ(std::to_string(all.dead), query("SELECT count(*) FROM dead_letters"));
  EXPECT_EQ(all.published, accepted + rolled_back);  // these count at once
  EXPECT_EQ(all.handled + all.dead, accepted * 3);
  EXPECT_EQ(query("SELECT count(*) FROM ledger"), std::to_string(counts("bank").handled));
}

TEST_F(MinutesTest, HaveNoDeathThatWasRolledBack) {
  BusOptions options = shop(open());
  options.durability = Durability::ProcessCrash;
  options.unhandled = Unhandled::DeadLetter;
  {
    Bus bus(options);
    bus.subscribe<Paid>("bank",
                        [&](const Paid&, const EventContext& context) {
                          static_cast<void>(transaction(context).connection());
                          bus.publish("orders.nobodys", Json::object());
                          throw Permanent("rolled back");
                        },
                        {.dispatch = Dispatch::Queued})
        .keep();
    bus.publish(Paid{1});
    ASSERT_TRUE(bus.wait_idle(kPatience));
  }
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "1");
  EXPECT_EQ(query("SELECT sum(dead) FROM tidings_minutes"), "1");
}

TEST_F(MinutesTest, LoseNoMoreThanTheLastSecondWhenTheProcessIsKilled) {
  constexpr std::uint64_t kFirst = 1'000;
  constexpr std::uint64_t kLast = 10;
  static_cast<void>(open());
  const pid_t child = start_child([&] {
    Bus bus(shop(open()));
    auto handler = bus.subscribe<Paid>("handler", [](const Paid&) {});
    for (std::uint64_t i = 0; i < kFirst; ++i) bus.publish(Paid{});
    while (counts("handler").handled < kFirst) std::this_thread::yield();
    for (std::uint64_t i = 0; i < kLast; ++i) bus.publish(Paid{});
    ::raise(SIGKILL);
    return false;
  });
  EXPECT_TRUE(WIFSIGNALED(status_of(child)));
  EXPECT_GE(counts("handler").handled, kFirst);
  EXPECT_LE(counts("handler").handled, kFirst + kLast);
  EXPECT_EQ(counts("").published, counts("handler").handled);
}

}  // namespace
}  // namespace tidings::deadletter
