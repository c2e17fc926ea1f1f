// Everything that one request causes carries its context, which is its correlation id and the facts that it
// has given: through events that cause events, through queues, and onto threads of one's own when asked to.
#include <tidings/bus.hpp>
#include <tidings/context.hpp>

#include <iostream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};
struct StockReserved {
  static constexpr std::string_view event_type = "stock.reserved";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(StockReserved, order_id)
};

int main() {
  tidings::Bus bus{{.service = "orders"}};

  // A worker of the bus runs this; the event it publishes belongs to the same request.
  auto stock = bus.subscribe<OrderPlaced>(
      "reserve_stock", [&bus](const OrderPlaced& order) { bus.publish(StockReserved{order.order_id}); },
      {.dispatch = tidings::Dispatch::Queued});

  auto shipping = bus.subscribe<StockReserved>(
      "ship", [](const StockReserved& reserved, const tidings::EventContext& context) {
        const bool has_cause = context.metadata().causation_id.has_value();
        std::cout << "ship order " << reserved.order_id << " for "
                  << context.metadata().correlation_id.to_string() << " of tenant "
                  << context.metadata().fields.find("tenant")->to_string()
                  << (has_cause ? ", caused by another event\n" : ", the first event\n");
      });

  {
    // What an HTTP server would do at the start of a request. Ids from outside are checked; a bad one is
    // replaced.
    const tidings::ContextScope request(tidings::Context::from_headers({{"X-Request-ID", "request-17"}}));
    // And once it knows who asks: what is added goes with every event that follows.
    const tidings::ContextScope authenticated({{"tenant", "acme"}, {"user_id", 42}});
    // The bus takes the context along to its own threads.
    bus.publish(OrderPlaced{1});
    if (!bus.wait_idle(10s)) return 1;

    // To a thread of one's own, it is carried by hand.
    const auto context = tidings::Context::current();
    std::thread own_thread([&bus, &context] {
      const tidings::ContextScope same_request(context);
      for (const auto& [name, value] : context.outbound_headers()) std::cout << name << ": " << value << '\n';
      bus.publish(StockReserved{2});
    });
    own_thread.join();
  }
  std::cout << (tidings::Context::current() == tidings::Context() ? "no request any more\n"
                                                                  : "still in a request\n");
}
