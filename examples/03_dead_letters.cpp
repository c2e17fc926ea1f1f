// What a handler cannot handle becomes a dead letter: a row in SQLite with the event, every attempt, and the
// cause.
#include <tidings/bus.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  std::string email;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id, email)
};

void send_receipt(const OrderPlaced& order) {
  // Trying again helps when a server was down, and never when there is nobody to write to.
  if (order.email.empty()) throw tidings::Permanent("customer has no address");
  throw std::runtime_error("mail server of " + order.email + " does not answer");
}

int main(int argc, char** argv) {
  const std::filesystem::path database = argc > 1 ? argv[1] : "orders.db";
  {
    tidings::Bus bus{{.service = "orders", .store = tidings::deadletter::Store::open(database)}};
    auto receipts = bus.subscribe<OrderPlaced>("send_receipt", send_receipt, {.retry = {.max_attempts = 3}});

    for (const auto& order :
         {OrderPlaced{1, "ada@example.org"}, OrderPlaced{2, ""}, OrderPlaced{3, "bob@example.org"}}) {
      std::cout << "order " << order.order_id << ": dead letters " << bus.publish(order).dead << '\n';
    }
  }

  // Any process may read while services write. check-dead-letters is one that does: run it on this database.
  auto letters = tidings::deadletter::Reader::open(database);
  for (const auto& stored : letters.list({.resolved = false}, 10).letters) {
    std::cout << stored.letter.handler << ", " << to_string(stored.letter.reason) << " after "
              << stored.letter.attempts.size() << " attempts: " << stored.letter.error_message << '\n';
  }
  for (const auto& group : letters.groups({}, 10)) {
    std::cout << group.count << " with one cause, such as: " << group.sample_error << '\n';
  }
}
