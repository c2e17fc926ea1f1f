// A durable event is in the database before publish returns, and stays there until every handler is done.
// What a process leaves undone, however it ends, the next one does.
#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

struct PaymentReceived {
  static constexpr std::string_view event_type = "shop.payment_received";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PaymentReceived, order_id)
};

tidings::BusOptions durable(const std::filesystem::path& database) {
  return {.service = "shop",
          .store = tidings::deadletter::Store::open(database),
          .durability = tidings::Durability::PowerLoss};
}

int main(int argc, char** argv) {
  const std::filesystem::path database = argc > 1 ? argv[1] : "shop.db";
  {
    tidings::Bus bus{durable(database)};
    auto ledger = bus.subscribe<PaymentReceived>(
        "write_ledger", [](const PaymentReceived&) { throw std::runtime_error("the ledger is closed"); },
        {.retry = {.max_attempts = 5, .backoff = tidings::constant(500ms)}});

    // A key that is used again is recognised: asking twice does no harm.
    const auto first = bus.publish(PaymentReceived{7}, {.idempotency_key = "payment-7"});
    const auto again = bus.publish(PaymentReceived{7}, {.idempotency_key = "payment-7"});
    std::cout << "scheduled " << first.scheduled << ", the second time a duplicate: " << again.duplicate
              << '\n';
    std::cout << "left in the journal: " << bus.stop(0ms).left_in_journal << '\n';
  }

  // As after a restart: the handler's name is what its deliveries are owed to.
  tidings::Bus bus{durable(database)};
  auto ledger = bus.subscribe<PaymentReceived>(
      "write_ledger",
      [](const PaymentReceived& payment, const tidings::EventContext& context) {
        std::cout << "order " << payment.order_id << ", attempt " << context.attempt() << " of "
                  << context.max_attempts() << '\n';
      },
      {.dispatch = tidings::Dispatch::Queued, .retry = {.max_attempts = 5}});
  return bus.wait_idle(30s) ? 0 : 1;
}
