#include <tidings/bus.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <iostream>
#include <stdexcept>

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};

// usage: consumer DATABASE. One event, one handler that fails, one dead letter.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path database = argv[1];
  std::filesystem::remove(database);
  {
    tidings::Bus bus{{.service = "orders", .store = tidings::deadletter::Store::open(database)}};
    auto receipts = bus.subscribe<OrderPlaced>(
        "send_receipt", [](const OrderPlaced&) { throw std::runtime_error("no such mailbox"); },
        {.retry = {.max_attempts = 2}});
    if (bus.publish(OrderPlaced{.order_id = 42}).dead != 1) return 1;
  }
  const auto letter = tidings::deadletter::Reader::open(database).oldest({});
  if (!letter || letter->letter.handler != "send_receipt") return 1;
  std::cout << "one dead letter, as expected\n";
  return 0;
}
