#pragma once

#include "deadletter/store_fixture.hpp"
#include "logging/record_schema.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/transaction.hpp>
#include <tidings/logging/capture.hpp>

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidings::deadletter {

struct Placed {
  static constexpr std::string_view event_type = "shop.placed";
  std::int64_t number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Placed, number)
};

struct Paid {
  static constexpr std::string_view event_type = "shop.paid";
  std::int64_t number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Paid, number)
};

/// Numbers in the order in which handlers came by them. Thread-safe.
class SeenNumbers {
 public:
  void add(std::int64_t number) {
    const std::lock_guard lock(mutex_);
    numbers_.push_back(number);
  }
  [[nodiscard]] std::vector<std::int64_t> all() const {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> numbers_;  // guarded by mutex_
};

/// Runs SQL on a connection; throws what SQLite says against it.
inline void execute_on(sqlite3* connection, const std::string& sql) {
  char* problem = nullptr;
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &problem) == SQLITE_OK) return;
  const std::string text = problem == nullptr ? "no message" : problem;
  sqlite3_free(problem);
  throw std::runtime_error(text);
}

/// Durable buses on a database, one after the other: what they log, and what a process leaves that is killed.
class DurableBusTest : public StoreTest {
 protected:
  [[nodiscard]] BusOptions durable() const {
    return {.service = "shop",
            .store = open(),
            .durability = Durability::ProcessCrash,
            .logger = capture_.logger()};
  }

  logging::Capture capture_;
};

/// A durable bus on a database in which an application has its table `ledger`, and the application's own
/// connection to it.
class TransactionTest : public StoreTest {
 protected:
  static constexpr auto kLong = std::chrono::seconds(30);
  static constexpr int kBusyTimeout = 10'000;  // milliseconds: the bus writes to the same file

  ~TransactionTest() override { test::expect_documented_records(capture_); }
  TransactionTest() {
    static_cast<void>(open_faulty());
    application_.emplace(database().native(), SQLite::OPEN_READWRITE, kBusyTimeout);
    application_->exec("PRAGMA synchronous = NORMAL; CREATE TABLE ledger (handler TEXT, number INTEGER)");
  }

  [[nodiscard]] BusOptions options(const StoreOptions& store = {}) const {
    return {.service = "shop",
            .store = open_faulty(store),  // whose syncs do not wait for the disk
            .durability = Durability::ProcessCrash,
            .logger = capture_.logger()};
  }
  [[nodiscard]] static StoreOptions impatient() { return {.busy_timeout = std::chrono::milliseconds(10)}; }

  [[nodiscard]] sqlite3* connection() { return application_->getHandle(); }
  void run(const char* sql) { application_->exec(sql); }
  /// Publishes in a transaction of its own.
  PublishResult publish_committed(Bus& bus, std::int64_t number, const PublishOptions& how = {}) {
    run("BEGIN IMMEDIATE");
    const auto result = publish_in(connection(), bus, Placed{number}, how);
    run("COMMIT");
    return result;
  }

  /// What a handler does with its transaction.
  static void write_ledger(const EventContext& context, std::int64_t number) {
    execute_on(transaction(context).connection(), "INSERT INTO ledger VALUES ('" +
                                                      std::string(context.handler()) + "', " +
                                                      std::to_string(number) + ")");
  }
  [[nodiscard]] std::string ledger() const {
    return query(
        "SELECT ifnull(group_concat(handler || ' ' || number, ', '), '') FROM"
        " (SELECT * FROM ledger ORDER BY handler, number)");
  }
  [[nodiscard]] std::string journalled() const { return query("SELECT count(*) FROM tidings_journal"); }
  [[nodiscard]] std::string last_problem() const {
    return capture_.records("handler_failed").back().at("error").get<std::string>();
  }

  logging::Capture capture_;
  std::optional<SQLite::Database> application_;
};

/// A handler that listens to what is published in the application's transactions.
class PublishInTest : public TransactionTest {
 protected:
  /// A queued handler that writes down what it sees.
  [[nodiscard]] Subscription listen(Bus& bus, SubscribeOptions<Placed> how = {.dispatch = Dispatch::Queued}) {
    return bus.subscribe<Placed>(
        "listen", [this](const Placed& placed) { seen_.add(placed.number); }, std::move(how));
  }
  [[nodiscard]] std::string refusal(Bus& bus, const PublishOptions& how = {}) {
    return error_of(ErrorCode::InvalidArgument,
                    [&] { static_cast<void>(publish_in(connection(), bus, Placed{1}, how)); });
  }

  SeenNumbers seen_;
};

/// Handlers that write to the ledger in the transaction of their delivery.
class HandlerTransactionTest : public TransactionTest {
 protected:
  static SubscribeOptions<Placed> queued(std::uint32_t attempts = 1) {
    return {.dispatch = Dispatch::Queued, .retry = {.max_attempts = attempts}};
  }
  template <class Handler>
  [[nodiscard]] std::string letter_after(Handler handler, const StoreOptions& store = {}) {
    Bus bus(options(store));
    const auto subscription = bus.subscribe<Placed>("pay", handler, queued());
    bus.publish(Placed{1});
    EXPECT_TRUE(bus.wait_idle(kLong));
    return query("SELECT ifnull(group_concat(error_message), '') FROM dead_letters");
  }
};

}  // namespace tidings::deadletter
