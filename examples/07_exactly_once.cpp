// What a handler writes in the transaction of its delivery is written exactly once: through retries, a crash
// at any moment, and a redrive.
#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/deadletter/transaction.hpp>

#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

struct PaymentReceived {
  static constexpr std::string_view event_type = "shop.payment_received";
  int account{};
  int cents{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PaymentReceived, account, cents)
};

struct BalanceChanged {
  static constexpr std::string_view event_type = "shop.balance_changed";
  int account{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(BalanceChanged, account)
};

void execute(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(database));
  }
}

int balance_of(const std::filesystem::path& path, int account) {
  sqlite3* database = nullptr;
  sqlite3_open(path.c_str(), &database);
  const auto question = "SELECT cents FROM balances WHERE account = " + std::to_string(account);
  sqlite3_stmt* row = nullptr;
  sqlite3_prepare_v2(database, question.c_str(), -1, &row, nullptr);
  const int cents = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int(row, 0) : 0;
  sqlite3_finalize(row);
  sqlite3_close(database);
  return cents;
}

int main(int argc, char** argv) {
  const std::filesystem::path path = argc > 1 ? argv[1] : "shop.db";
  const auto store = tidings::deadletter::Store::open(path);
  sqlite3* database = nullptr;
  sqlite3_open(path.c_str(), &database);
  execute(database,
          "CREATE TABLE IF NOT EXISTS balances (account INTEGER PRIMARY KEY, cents INTEGER);"
          "INSERT OR IGNORE INTO balances VALUES (7, 0)");
  sqlite3_close(database);

  tidings::Bus bus{{.service = "shop", .store = store, .durability = tidings::Durability::ProcessCrash}};
  bool ledger_is_open = false;
  auto book = bus.subscribe<PaymentReceived>(
      "book_payment",
      [&](const PaymentReceived& payment, const tidings::EventContext& context) {
        const auto transaction = tidings::deadletter::transaction(context);
        execute(transaction.connection(), "UPDATE balances SET cents = cents + " +
                                              std::to_string(payment.cents) +
                                              " WHERE account = " + std::to_string(payment.account));
        bus.publish(BalanceChanged{payment.account});  // if the payment is booked, and only then
        if (!ledger_is_open) throw std::runtime_error("the ledger is closed");
      },
      {.retry = {.max_attempts = 3}});
  auto notify = bus.subscribe<BalanceChanged>("notify_owner", [&](const BalanceChanged& changed) {
    std::cout << "account " << changed.account << " has " << balance_of(path, changed.account) << " cents\n";
  });

  // Three attempts add to the balance and fail: nothing of that is kept.
  std::cout << "dead: " << bus.publish(PaymentReceived{7, 100}).dead << '\n';
  std::cout << "balance " << balance_of(path, 7) << '\n';

  ledger_is_open = true;
  bus.redrive({});
  if (!bus.wait_idle(30s)) return 1;
  std::cout << "balance " << balance_of(path, 7) << '\n';
}
