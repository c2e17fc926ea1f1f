// A service behind HTTP: each request opens a context, whose ids and facts are in every event, record and
// letter that follows, in the calls to other services, and in the response. The server is cpp-httplib's; with
// any other the same four steps are taken.
#include <httplib.h>
#include <tidings/bus.hpp>
#include <tidings/context.hpp>
#include <tidings/logging/timing_block.hpp>

#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

using namespace std::chrono_literals;

struct OrderPlaced {
  static constexpr std::string_view event_type = "orders.order_placed";
  int order_id{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id)
};

using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

/// Sends a request to its handler. Returns the status of the response; what the handler threw is in the
/// record.
int answer(const Handler& handle, const httplib::Request& request, httplib::Response& response,
           tidings::logging::TimingBlock& finished) {
  try {
    handle(request, response);
    return response.status;
  } catch (const tidings::Error& error) {  // of a publish that was refused
    finished.fail();
    return error.code() == tidings::ErrorCode::InvalidArgument ? 400 : 503;
  } catch (...) {
    finished.fail();
    return 500;
  }
}

/// Wraps a handler of requests.
Handler in_context(const tidings::logging::Logger& log, Handler handle) {
  return [log, handle = std::move(handle)](const httplib::Request& request, httplib::Response& response) {
    // 1. The context comes from the headers, which are not trusted, and from the request itself.
    const tidings::Headers headers(request.headers.begin(), request.headers.end());
    const tidings::ContextScope ids(tidings::Context::from_headers(headers));
    std::optional<tidings::ContextScope> facts;
    bool accepted = true;
    try {
      facts.emplace(ids.context().with(
          {{"method", request.method}, {"path", request.path}, {"client_address", request.remote_addr}}));
    } catch (const tidings::Error&) {
      accepted = false;  // A path of 5 KiB, say, or with control characters: no context takes it.
    }
    // 2. The response tells the caller under which id the request is found.
    for (const auto& [name, value] : ids.context().response_headers()) response.set_header(name, value);
    // 3. One record at the end of each request, with its duration in milliseconds; of one that was refused
    // too.
    tidings::logging::TimingBlock finished(log, tidings::logging::Level::Info, "request_finished");
    response.status = accepted ? answer(handle, request, response, finished) : 400;
    finished.add("status", response.status);
  };
}

int main() {
  const tidings::logging::Logger log({.service = "orders"});
  tidings::Bus bus{{.service = "orders"}};
  httplib::Server server;
  const int port = server.bind_to_any_port("127.0.0.1");

  server.Post("/orders", in_context(log, [&bus](const httplib::Request&, httplib::Response& response) {
                // Once it is known who asks, that becomes a part of the context.
                const tidings::ContextScope authenticated({{"user_id", 42}, {"tenant", "acme"}});
                bus.publish(OrderPlaced{.order_id = 17});
                response.status = 202;
              }));

  // Another service, in truth: it sees what came with the call.
  server.Get("/stock/(.*)", in_context(log, [](const httplib::Request& request, httplib::Response& response) {
               std::cout << "stock asked for in request " << request.get_header_value("X-Correlation-ID")
                         << '\n';
               response.status = 204;
             }));

  // A worker of the bus runs this, after the request has been answered.
  auto reserve = bus.subscribe<OrderPlaced>(
      "reserve_stock",
      [port](const OrderPlaced& order, const tidings::EventContext& context) {
        context.bind("order_id",
                     order.order_id);  // in the records and the letter of this attempt, if it fails
        for (const auto& [name, value] : context.metadata().fields)
          if (name != "client_address") std::cout << name << " = " << value.to_string() << '\n';
        // 4. Calls to other services carry the ids.
        const auto outbound = tidings::Context::current().outbound_headers();
        httplib::Client stock("127.0.0.1", port);
        stock.Get("/stock/book", httplib::Headers(outbound.begin(), outbound.end()));
      },
      {.dispatch = tidings::Dispatch::Queued});

  std::thread serving([&server] { server.listen_after_bind(); });
  httplib::Client client("127.0.0.1", port);
  const auto answer =
      client.Post("/orders", httplib::Headers{{"X-Request-ID", "request-17"}}, "", "text/plain");
  const bool idle = bus.wait_idle(10s);
  if (answer) {
    std::cout << answer->status << " X-Request-ID: " << answer->get_header_value("X-Request-ID") << '\n'
              << "readable by scripts: " << answer->get_header_value("Access-Control-Expose-Headers") << '\n';
  }
  const std::string long_path = "/stock/" + std::string(5000, 'x');
  if (const auto refused = client.Get(long_path, httplib::Headers{{"X-Request-ID", "request-18"}}))
    std::cout << refused->status << " X-Request-ID: " << refused->get_header_value("X-Request-ID") << '\n';
  server.stop();
  serving.join();
  return idle && answer ? 0 : 1;
}
