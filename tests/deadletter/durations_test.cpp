#include "deadletter/store_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/operations.hpp>

#include <SQLiteCpp/Transaction.h>

#include <chrono>
#include <future>
#include <optional>

// Every duration that the store, the reader and the operations take, at its ends.

namespace tidings::deadletter {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class DurationsTest : public StoreTest {
 protected:
  /// Runs `act` while another connection has the write lock, which goes once `act` is seen to wait.
  template <class Act>
  auto beside_a_writer(Act act) {
    SQLite::Database other(database().native(), SQLite::OPEN_READWRITE);
    std::optional<SQLite::Transaction> writes(std::in_place, other, SQLite::TransactionBehavior::IMMEDIATE);
    auto acted = std::async(std::launch::async, act);
    EXPECT_EQ(acted.wait_for(100ms), std::future_status::timeout) << "it did not wait";
    writes.reset();
    return acted.get();
  }
};

TEST_F(DurationsTest, WithTheLongestBusyTimeoutAStoreWaitsForAnotherWriter) {
  const auto opened = open({.busy_timeout = milliseconds::max()});
  const auto outcomes = beside_a_writer([&] { return store(*opened, letters(1, 1)); });
  EXPECT_EQ(places(outcomes), (std::vector{Place::Stored}));
}

TEST_F(DurationsTest, WithTheLongestBusyTimeoutOperationsWaitForAnotherWriter) {
  static_cast<void>(store(*open(), letters(1, 3)));
  Operations operations =
      Operations::open(database(), {"tester", "here"}, {.busy_timeout = milliseconds::max()});
  const auto progress = beside_a_writer([&] { return operations.discard({}, "not needed", {}); });
  EXPECT_EQ(progress.changed, 3U);
}

TEST_F(DurationsTest, WithTheLongestTimeoutAReaderAnswers) {
  static_cast<void>(store(*open(), letters(1, 3)));
  Reader reader = Reader::open(database(), {.timeout = milliseconds::max()});
  EXPECT_EQ(reader.count({}), 3);
}

TEST_F(DurationsTest, WithTheLongestOwnerWaitABusWaitsForTheOwner) {
  const auto opened = open();
  const BusOptions patient{.service = "shop",
                           .store = opened,
                           .durability = Durability::ProcessCrash,
                           .owner_wait = milliseconds::max(),
                           .logger = logging::Logger({.level = logging::Level::Off})};
  std::optional<Bus> owner(std::in_place, patient);
  auto successor = std::async(std::launch::async, [&] { return Bus(patient).snapshot().accepting; });
  EXPECT_EQ(successor.wait_for(100ms), std::future_status::timeout) << "it did not wait";
  owner.reset();
  EXPECT_TRUE(successor.get());
}

TEST_F(DurationsTest, WithTheLongestRetentionNothingResolvedIsDeleted) {
  const auto opened = open({.retention = std::chrono::hours::max()});
  static_cast<void>(store(*opened, letters(1, 3)));
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded' WHERE id < 3");
  const auto clock = std::make_shared<ManualClock>();
  static_cast<void>(opened->redrives()->tend("claimant", 30s, clock->now()));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), "3");
}

TEST_F(DurationsTest, NegativeOnesAreRefused) {
  for (const milliseconds value : {milliseconds(-1), milliseconds::min()}) {
    EXPECT_NE(error_of(ErrorCode::InvalidArgument, [&] { static_cast<void>(open({.busy_timeout = value})); }),
              "");
    EXPECT_NE(error_of(ErrorCode::InvalidArgument,
                       [&] { static_cast<void>(open({.retention = std::chrono::hours(value.count())})); }),
              "");
  }
  static_cast<void>(store(*open(), letters(1, 1)));
  for (const milliseconds value : {milliseconds(-1), milliseconds::min(), 0ms}) {
    EXPECT_NE(error_of(ErrorCode::InvalidArgument,
                       [&] { static_cast<void>(Reader::open(database(), {.timeout = value})); }),
              "");
    EXPECT_NE(
        error_of(
            ErrorCode::InvalidArgument,
            [&] {
              static_cast<void>(Operations::open(database(), {"tester", "here"}, {.busy_timeout = value}));
            }),
        "");
  }
}

}  // namespace
}  // namespace tidings::deadletter
