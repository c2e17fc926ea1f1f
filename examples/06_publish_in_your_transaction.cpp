// The order and its event are committed together, in the application's own database: there is never one
// without the other, wherever the process dies.
#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/deadletter/transaction.hpp>

#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

using namespace std::chrono_literals;

struct OrderPlaced {
  static constexpr std::string_view event_type = "shop.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};

using Connection = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Connection open_database(const std::filesystem::path& path) {
  sqlite3* connection = nullptr;
  sqlite3_open(path.c_str(), &connection);
  sqlite3_busy_timeout(connection, 5000);  // milliseconds: the bus writes to the same file
  sqlite3_exec(connection,
               "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY)",
               nullptr, nullptr, nullptr);
  return {connection, &sqlite3_close};
}

void place_order(sqlite3* database, tidings::Bus& bus, int order_id, bool paid) {
  sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  const auto insert = "INSERT INTO orders VALUES (" + std::to_string(order_id) + ")";
  sqlite3_exec(database, insert.c_str(), nullptr, nullptr, nullptr);
  tidings::deadletter::publish_in(database, bus, OrderPlaced{order_id});
  sqlite3_exec(database, paid ? "COMMIT" : "ROLLBACK", nullptr, nullptr, nullptr);
  bus.notify();
}

int main(int argc, char** argv) {
  const std::filesystem::path path = argc > 1 ? argv[1] : "shop.db";
  const Connection database = open_database(path);

  // The database is the application's: tidings adds its tables, and touches nothing else.
  tidings::Bus bus{{.service = "shop",
                    .store = tidings::deadletter::Store::open(path, {.adopt = true}),
                    .durability = tidings::Durability::ProcessCrash}};
  auto receipts = bus.subscribe<OrderPlaced>("send_receipt", [](const OrderPlaced& order) {
    std::cout << "receipt for order " << order.order_id << '\n';
  });

  place_order(database.get(), bus, 1, true);
  place_order(database.get(), bus, 2, false);
  place_order(database.get(), bus, 3, true);
  return bus.wait_idle(30s) ? 0 : 1;
}
