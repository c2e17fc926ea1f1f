// A handler that throws is tried again, as its retry policy says. Its publisher and the other handlers do not
// notice.
#include <tidings/bus.hpp>

#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

struct PaymentDue {
  static constexpr std::string_view event_type = "billing.payment_due";
  int invoice{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PaymentDue, invoice)
};

// A bank that is closed for the first two calls. When it knows how long, it says so.
class Bank {
 public:
  void charge(int invoice) {
    ++calls_;
    if (calls_ == 1) throw std::runtime_error("no connection");
    if (calls_ == 2) throw tidings::RetryAfter(10ms, "back in a moment");
    std::cout << "invoice " << invoice << " charged\n";
  }

 private:
  int calls_ = 0;
};

int main() {
  // The log goes to standard error: a line `handler_failed` for each failed attempt.
  tidings::Bus bus{{.service = "billing"}};
  Bank bank;

  // Queued: a worker of the bus runs it. Up to 5 attempts, with 10, 20, 40 ... ms between them, less a random
  // part.
  auto charging = bus.subscribe<PaymentDue>(
      "charge",
      [&bank](const PaymentDue& due, const tidings::EventContext& context) {
        std::cout << "attempt " << context.attempt() << " of " << context.max_attempts() << '\n';
        bank.charge(due.invoice);
      },
      {.dispatch = tidings::Dispatch::Queued,
       .retry = {.max_attempts = 5, .backoff = tidings::exponential(10ms, 1s)}});

  const auto result = bus.publish(PaymentDue{.invoice = 7});
  const bool finished = bus.wait_idle(10s);
  std::cout << "published with " << result.scheduled << " delivery still to do; "
            << (finished ? "now all is done\n" : "not done in 10 seconds\n");
}
