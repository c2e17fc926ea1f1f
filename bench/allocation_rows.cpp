#include "counted_new.hpp"
#include "inline_contenders.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"

#include <tidings/context.hpp>

#include <memory>
#include <string>

// Heap allocations of an inline publish. Counted, not timed; the first publishes of a thread are not counted.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kHandlers = 4;
constexpr std::uint64_t kEvents = 1'000;
constexpr std::size_t kRounds = 5;

const std::string kPlainRow = "heap allocations, inline publish";
const std::string kGivenRow = "heap allocations, correlation id of 128 characters given";
const std::string kNestedRow = "heap allocations, such an id inherited in a handler";

std::string longest_id() { return std::string(CorrelationId::kMaxLength, 'c'); }

/// Allocations for each call of `publish`, once it has been called before.
template <class Publish>
double allocations_each(std::uint64_t calls, Publish&& publish) {
  publish(calls);
  const AllocationCount count;
  publish(calls);
  return static_cast<double>(count.so_far()) / static_cast<double>(calls);
}

void prove_that_it_counts() {
  const AllocationCount count;
  auto memory = std::make_unique<int>(1);
  benchmark::DoNotOptimize(memory);
  require_equal(count.so_far(), 1, "count of one allocation");
}

double plain() {
  Bus bus{quiet_bus()};
  TidingsContender contender(bus, kHandlers);
  return allocations_each(kEvents, contender);
}

double with_given_id() {
  Bus bus{quiet_bus()};
  const TidingsContender contender(bus, kHandlers);
  const std::string id = longest_id();
  return allocations_each(kEvents, [&](std::uint64_t events) {
    checked(kHandlers, events, [&] {
      publish_each(events, [&](const OrderPlaced& event) { bus.publish(event, {.correlation_id = id}); });
    });
  });
}

struct OrderReceived {
  static constexpr std::string_view event_type = "bench.order_received";
  std::uint64_t events = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderReceived, events)
};

double nested() {
  Bus bus{quiet_bus()};
  const TidingsContender contender(bus, kHandlers);
  const auto outer = bus.subscribe<OrderReceived>("publish-on", [&](const OrderReceived& received) {
    publish_each(received.events, [&](const OrderPlaced& event) { bus.publish(event); });
  });
  const ContextScope scope(Context::from_id(longest_id())
                               .with({{"user_id", 42},
                                      {"tenant", "a name too long for a small string"},
                                      {"path", "/orders/42/receipts/latest"},
                                      {"trusted", true}}));
  return allocations_each(kEvents, [&](std::uint64_t events) {
    checked(kHandlers, events, [&] { bus.publish(OrderReceived{events}); });
  });
}

template <class Count>
Row row_of(const std::string& name, Count count) {
  std::vector<double> counts;
  while (counts.size() < kRounds) counts.push_back(count());
  return absolute(name, "", counts, at_most(0));
}

std::vector<Row> measure(const Settings&) {
  prove_that_it_counts();
  return {row_of(kPlainRow, plain), row_of(kGivenRow, with_given_id), row_of(kNestedRow, nested)};
}

}  // namespace

void add_allocation_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kPlainRow, kGivenRow, kNestedRow}, measure});
}

}  // namespace tidings::bench
