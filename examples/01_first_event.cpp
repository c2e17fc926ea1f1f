// An event is a struct. Handlers subscribe to it; publish runs them.
#include <tidings/bus.hpp>

#include <cstdint>
#include <iostream>
#include <string>

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  std::int64_t order_id{};
  std::string customer;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id, customer)
};

int main() {
  tidings::Bus bus{{.service = "orders"}};

  // A handler has a name, which is how logs and dead letters will call it, and is subscribed for as long as
  // this object lives.
  auto greeting = bus.subscribe<OrderPlaced>("greet_customer", [](const OrderPlaced& order) {
    std::cout << "Thank you, " << order.customer << "!\n";
  });

  // It may also ask what is known about the delivery.
  auto shipping = bus.subscribe<OrderPlaced>("ship_order", [](const OrderPlaced& order,
                                                              const tidings::EventContext& context) {
    std::cout << context.handler() << " got " << context.event_type() << " number " << order.order_id << '\n';
  });

  const tidings::PublishResult result = bus.publish(OrderPlaced{.order_id = 42, .customer = "Ada"});
  std::cout << "handled by " << result.handled << '\n';

  // Once reset() has returned, the handler never runs again.
  greeting.reset();
  const auto second = bus.publish(OrderPlaced{.order_id = 43, .customer = "Grace"});
  std::cout << "handled by " << second.handled << '\n';
}
