#include "bus_fixture.hpp"
#include "gate.hpp"

#include <tidings/context.hpp>

#include <atomic>
#include <mutex>
#include <thread>

namespace tidings::test {
namespace {

/// Holds its first commit at a gate, so that others wait to share the second.
class GatedSink final : public LetterSink {
 public:
  explicit GatedSink(LetterOutcome::Place place) : place_(place) {}

  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy) override {
    if (!passed_.exchange(true)) gate.pass();
    return std::vector<LetterOutcome>(letters.size(), {place_, 1, "full"});
  }
  std::vector<std::string> dead_keys(std::string_view, std::string_view, std::string_view) override {
    return {};
  }

  Gate gate;

 private:
  const LetterOutcome::Place place_;
  std::atomic<bool> passed_ = false;
};

/// What a record about another event may show of a request: nothing.
void expect_nothing_of_a_request(const Json& record) {
  for (const char* name : {"user", "tenant", "correlation_id", "causation_id", "trace_id", "span_id"}) {
    EXPECT_FALSE(record.contains(name)) << record;
  }
}

class RecordContextTest : public BusTest {
 protected:
  /// A request of its own: fields, scope and trace, all of which name its number.
  void publish_in_request(Bus& bus, int number) {
    const std::string name = std::to_string(number);
    const ContextScope scope(Context::from_headers({{"X-Correlation-ID", "request-" + name},
                                                    {"traceparent", "00-0000000000000000000000000000000" +
                                                                        name + "-000000000000000a-01"}})
                                 .with("user", "user-" + name));
    bus.publish(OrderPlaced{.order_id = number, .customer = {}}, {.fields = {{"tenant", "tenant-" + name}}});
  }
  void publish_together(const std::shared_ptr<GatedSink>& sink, int requests) {
    auto shared = options();
    shared.store = sink;
    Bus bus(std::move(shared));
    auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw Permanent("no"); });
    std::vector<std::jthread> publishers;
    for (int i = 1; i <= requests; ++i) publishers.emplace_back([&, i] { publish_in_request(bus, i); });
    while (bus.snapshot().letters_pending < static_cast<std::size_t>(requests)) std::this_thread::yield();
    sink->gate.open();
  }
  void expect_own_context(std::string_view name) {
    for (const Json& record : capture_.records(name)) {
      const std::string number = record.at("correlation_id").get<std::string>().substr(8);
      EXPECT_EQ(record.at("tenant"), "tenant-" + number);
      EXPECT_EQ(record.at("trace_id"), "0000000000000000000000000000000" + number);
      EXPECT_EQ(record.at("user"), "user-" + number);
    }
  }
};

TEST_F(RecordContextTest, RecordsOfLettersThatShareACommitShowTheirOwnRequestAlone) {
  publish_together(std::make_shared<GatedSink>(LetterOutcome::Place::Stored), 9);
  ASSERT_EQ(capture_.count("dead_letter_stored"), 9U);
  expect_own_context("dead_letter_stored");
  ASSERT_EQ(capture_.count("handler_exhausted_retries"), 9U);
  expect_own_context("handler_exhausted_retries");
}

TEST_F(RecordContextTest, SoDoThoseOfLettersThatWereSpilled) {
  publish_together(std::make_shared<GatedSink>(LetterOutcome::Place::Spilled), 9);
  ASSERT_EQ(capture_.count("dead_letter_spilled"), 9U);
  expect_own_context("dead_letter_spilled");
}

TEST_F(RecordContextTest, ALetterOfAStopShowsNothingOfWhoeverStopsTheBus) {
  Gate held;
  auto without_store = options();
  without_store.store = nullptr;
  Bus bus(std::move(without_store));
  auto slow = bus.subscribe<OrderPlaced>("slow", [&](const OrderPlaced&) { held.pass(); },
                                         {.dispatch = Dispatch::Queued});
  bus.publish(OrderPlaced{});
  held.await_arrival();
  publish_in_request(bus, 1);
  {
    const ContextScope scope(Context::from_id("request-2"));
    const ContextScope fields({{"user", "user-2"}});
    bus.stop(0ms);
  }
  held.open();
  const Json dropped = capture_.only("dead_letter_dropped");
  EXPECT_EQ(dropped.at("correlation_id"), "request-1");
  EXPECT_EQ(dropped.at("user"), "user-1");
  expect_nothing_of_a_request(capture_.only("bus_stopped"));
}

TEST_F(RecordContextTest, ASummaryOfHeldBackRecordsBelongsToNoRequest) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw Permanent("no"); });
  for (int i = 0; i < 150; ++i) bus.publish(OrderPlaced{});
  const ContextScope scope(Context::from_id("request-2"));
  const ContextScope fields({{"user", "user-2"}});
  bus.stop(1s);
  ASSERT_GT(capture_.count("records_held_back"), 0U);
  for (const Json& summary : capture_.records("records_held_back")) expect_nothing_of_a_request(summary);
}

TEST_F(RecordContextTest, APublishedEventIsToldOfWithItsOwnIdsAndNotThoseOfTheEventBeingHandled) {
  Bus bus(options());
  auto relay = bus.subscribe<OrderPlaced>("relay", [&](const OrderPlaced&) {
    bus.publish(OrderShipped{}, {.fields = {{"carrier", "post"}}});
  });
  const auto outer = bus.publish(OrderPlaced{}, {.fields = {{"tenant", "acme"}}});
  const Json inner = capture_.records("event_published").at(1);
  EXPECT_EQ(inner.at("causation_id"), outer.event_id.to_string());
  EXPECT_EQ(inner.at("carrier"), "post");
  EXPECT_FALSE(inner.contains("handler"));
  EXPECT_FALSE(inner.contains("attempt"));
  EXPECT_EQ(inner.at("tenant"), "acme") << "inherited";
}

}  // namespace
}  // namespace tidings::test
