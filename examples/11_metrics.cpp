// The metrics and the health of a service, on its own HTTP server: /metrics for Prometheus, /healthz for who
// restarts the service or sends it work. The server is cpp-httplib's; any other will do. With the argument
// `serve` it goes on until its standard input ends.
#include <httplib.h>
#include <tidings/deadletter/store.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include <tidings/bus.hpp>
#include <tidings/metrics.hpp>

#include <chrono>
#include <iostream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

using namespace std::chrono_literals;

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};

/// Serves what whoever watches the service asks for. None of it waits for the bus.
void serve_watchers(httplib::Server& server, const tidings::Bus& bus,
                    const tidings::telemetry::CounterRegistry& own) {
  server.Get("/metrics", [&](const httplib::Request& request, httplib::Response& response) {
    const auto format = tidings::telemetry::metrics_format_for(request.get_header_value("Accept"));
    std::ostringstream text;
    tidings::telemetry::write_metrics(text, bus.metrics(), format, {.own = &own});
    response.set_content(text.str(), std::string(tidings::telemetry::content_type(format)));
  });
  server.Get("/healthz", [&](const httplib::Request&, httplib::Response& response) {
    const tidings::Snapshot now = bus.snapshot();
    const bool healthy = now.accepting && now.journal_problem.empty();
    response.status = healthy ? 200 : 503;
    response.set_content(healthy ? "ok\n" : "not accepting events: " + now.journal_problem + "\n",
                         "text/plain");
  });
}

int main(int argc, char**) {
  tidings::Bus bus{{.service = "orders",
                    .store = tidings::deadletter::Store::open("metrics.db"),
                    .durability = tidings::Durability::ProcessCrash}};
  tidings::telemetry::CounterRegistry own;
  auto& refused = own.counter("orders_refused", "Orders refused, by reason.", {{"reason", "stock"}});
  auto receipt =
      bus.subscribe<OrderPlaced>("send_receipt",
                                 [](const OrderPlaced& order, const tidings::EventContext& context) {
                                   if (order.order_id % 3 == 0) throw tidings::Permanent("no such customer");
                                   if (order.order_id % 3 == 1 && context.attempt() == 1)
                                     throw std::runtime_error("the mail server is busy");
                                 },
                                 {.dispatch = tidings::Dispatch::Queued,
                                  .retry = {.max_attempts = 2, .backoff = tidings::constant(500ms)}});

  httplib::Server server;
  serve_watchers(server, bus, own);
  server.Post("/orders/(\\d+)", [&](const httplib::Request& request, httplib::Response& response) {
    const int order = std::stoi(request.matches[1]);
    response.status = order == 0 ? 409 : 202;
    order == 0 ? refused.add() : static_cast<void>(bus.publish(OrderPlaced{order}));
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&server] { server.listen_after_bind(); });

  if (argc > 1) {
    std::cout << port << std::endl;
    std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  } else {
    httplib::Client client("127.0.0.1", port);
    for (int order = 0; order < 7; ++order) client.Post("/orders/" + std::to_string(order));
    if (!bus.wait_idle(10s)) return 1;
    std::istringstream text(client.Get("/metrics")->body);
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("tidings_handler_attempts_total{event_type=\"orders") ||
          line.starts_with("orders_"))
        std::cout << line << '\n';
    }
    std::cout << client.Get("/healthz")->body;
  }
  server.stop();
  serving.join();
  return 0;
}
