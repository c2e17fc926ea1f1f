#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::bench {

/// What every dispatch and queue row publishes, through tidings and through the yardsticks alike.
struct OrderPlaced {
  static constexpr std::string_view event_type = "bench.order_placed";
  std::int64_t order_id = 0;
  std::int64_t amount_in_cents = 0;
  std::string customer = "customer-7";
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPlaced, order_id, amount_in_cents, customer)
};

/// What the handlers of one thread have seen.
struct Tally {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

inline thread_local constinit Tally tally;

/// The handler of the dispatch rows: little work, but work that depends on the event and can be checked.
class Handle {
 public:
  explicit Handle(std::uint64_t weight) noexcept : weight_(weight) {}
  void operator()(const OrderPlaced& event) const noexcept {
    ++tally.count;
    tally.sum += weight_ * static_cast<std::uint64_t>(event.order_id);
  }

 private:
  std::uint64_t weight_;
};

/// What `handlers` of weights 1, 2, 3 ... make of events with the ids 1, 2, 3 ... `events`.
[[nodiscard]] constexpr Tally expected_tally(std::uint64_t handlers, std::uint64_t events) noexcept {
  return {handlers * events, handlers * (handlers + 1) / 2 * (events * (events + 1) / 2)};
}

}  // namespace tidings::bench
