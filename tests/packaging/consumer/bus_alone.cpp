#include <tidings/bus.hpp>

#include <nlohmann/json.hpp>

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};

int main() {
  tidings::Bus bus{{.service = "orders"}};
  int seen = 0;
  auto subscription =
      bus.subscribe<OrderPlaced>("remember", [&](const OrderPlaced& event) { seen = event.order_id; });
  bus.publish(OrderPlaced{.order_id = 42});
  return seen == 42 ? 0 : 1;
}
