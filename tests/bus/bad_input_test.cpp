#include "bus_fixture.hpp"

#include <functional>
#include <string>

namespace tidings::test {
namespace {

class BadInputTest : public BusTest {
 protected:
  Bus bus_{options()};
  std::function<void(const Json&)> ignore_ = [](const Json&) {};

  void expect_refused(const std::function<void()>& call) {
    EXPECT_EQ(error_code_of(call), ErrorCode::InvalidArgument);
  }
};

const std::vector<std::string>& bad_names() {
  static const std::vector<std::string> names = {
      "",      std::string(201, 'x'), "two words", "line\nbreak", "quote\"", "nul\0x",
      "tick'", "back\\slash",         "\x1b[31m",  "caf\xc3\xa9"};
  return names;
}

TEST_F(BadInputTest, RefusesBadHandlerNames) {
  for (const auto& name : bad_names()) {
    if (name == "nul") continue;
    expect_refused([&] { auto s = bus_.subscribe("a.type", name, ignore_); });
  }
  expect_refused([&] { auto s = bus_.subscribe("a.type", std::string("nul\0x", 5), ignore_); });
}

TEST_F(BadInputTest, RefusesBadEventTypes) {
  for (const auto& name : bad_names()) {
    if (name == "nul") continue;
    expect_refused([&] { auto s = bus_.subscribe(name, "handler", ignore_); });
    expect_refused([&] { bus_.publish(name, Json::object()); });
  }
  expect_refused([&] { auto s = bus_.subscribe("*", "handler", ignore_); });
}

TEST_F(BadInputTest, RefusesBadServices) {
  for (const auto& name : bad_names()) {
    if (name == "nul") continue;
    expect_refused([&] {
      auto bad = options();
      bad.service = name;
      Bus bus(bad);
    });
  }
}

TEST_F(BadInputTest, AcceptsNamesOfTheGreatestLength) {
  const std::string longest(200, 'x');
  auto subscription = bus_.subscribe(longest, longest, ignore_);
  EXPECT_EQ(bus_.publish(longest, Json::object()).handled, 1U);
}

TEST_F(BadInputTest, RefusesADuplicateHandlerNameAndFreesItOnUnsubscribe) {
  auto first = bus_.subscribe<OrderPlaced>("mail", [](const OrderPlaced&) {});
  EXPECT_EQ(error_code_of([&] { auto s = bus_.subscribe<OrderPlaced>("mail", [](const OrderPlaced&) {}); }),
            ErrorCode::DuplicateHandler);
  auto other_type = bus_.subscribe<OrderShipped>("mail", [](const OrderShipped&) {});
  first.reset();
  auto again = bus_.subscribe<OrderPlaced>("mail", [](const OrderPlaced&) {});
  EXPECT_EQ(bus_.publish(OrderPlaced{}).handled, 1U);
}

TEST_F(BadInputTest, RefusesANameThatAHandlerOfAllEventsHasInEachTypeAndTheReverse) {
  const auto nothing = [](const Json&) {};
  auto all = bus_.subscribe_all("audit", nothing);
  EXPECT_EQ(error_code_of([&] { auto s = bus_.subscribe<OrderPlaced>("audit", [](const OrderPlaced&) {}); }),
            ErrorCode::DuplicateHandler);
  auto one = bus_.subscribe<OrderPlaced>("mail", [](const OrderPlaced&) {});
  EXPECT_EQ(error_code_of([&] { auto s = bus_.subscribe_all("mail", nothing); }),
            ErrorCode::DuplicateHandler);
  EXPECT_EQ(bus_.publish(OrderPlaced{}).handled, 2U);
}

TEST_F(BadInputTest, RefusesZeroAndNegativeAmounts) {
  const auto subscribe = [&](SubscribeOptions<OrderPlaced> with) {
    return [this, with] {
      auto s = bus_.subscribe<OrderPlaced>(
          "h", [](const OrderPlaced&) {}, with);
    };
  };
  expect_refused(subscribe({.retry = {.max_attempts = 0}}));
  expect_refused(subscribe({.retry = {.give_up_after = 0ms}}));
  expect_refused(subscribe({.retry = {.give_up_after = -1ms}}));
  expect_refused(subscribe({.dispatch = Dispatch::Queued, .concurrency = 0}));
  expect_refused(subscribe({.dispatch = Dispatch::Queued, .queue_capacity = 0}));
  expect_refused(subscribe({.slow_threshold = 0ms}));
  expect_refused([] { static_cast<void>(constant(0ms)); });
  expect_refused([] { static_cast<void>(constant(-1ms)); });
  expect_refused([] { static_cast<void>(exponential(0ms, 1s)); });
  expect_refused([] { static_cast<void>(exponential(2s, 1s)); });
}

TEST_F(BadInputTest, RefusesOptionsThatAreForQueuedHandlersOnly) {
  expect_refused(
      [&] { auto s = bus_.subscribe<OrderPlaced>("h", [](const OrderPlaced&) {}, {.concurrency = 2}); });
  expect_refused([&] {
    auto s = bus_.subscribe<OrderPlaced>("h", [](const OrderPlaced&) {},
                                         {.ordering_key = [](const OrderPlaced& e) { return e.customer; }});
  });
}

TEST_F(BadInputTest, RefusesBadBusOptions) {
  const auto with = [&](const std::function<void(BusOptions&)>& change) {
    expect_refused([&] {
      auto bad = options();
      change(bad);
      Bus bus(bad);
    });
  };
  with([](BusOptions& o) { o.workers = 0; });
  with([](BusOptions& o) { o.max_causation_depth = 0; });
  with([](BusOptions& o) { o.stop_deadline = -1ms; });
  with([](BusOptions& o) { o.clock = nullptr; });
  with([](BusOptions& o) { o.ids = nullptr; });
  with([](BusOptions& o) { o.source = "a source with spaces"; });
}

TEST_F(BadInputTest, RefusesHostileCorrelationIdsAndDeliversNothing) {
  int calls = 0;
  auto handler = bus_.subscribe<OrderPlaced>("h", [&](const OrderPlaced&) { ++calls; });
  for (const std::string& id :
       {std::string("a\r\nSet-Cookie: x"), std::string("nul\0", 4), std::string(129, 'x'),
        std::string(1024 * 1024, 'x'), std::string("sp ace"), std::string("\x7f")}) {
    expect_refused([&] { bus_.publish(OrderPlaced{}, {.correlation_id = id}); });
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(BadInputTest, QuotesAndSqlInACorrelationIdAreJustCharacters) {
  const std::string id = "';DROP-TABLE/**/dead_letters;--\"";
  EXPECT_EQ(bus_.publish(OrderPlaced{}, {.correlation_id = id}).correlation_id.to_string(), id);
}

TEST_F(BadInputTest, RefusesBadSourcesAndContextFields) {
  expect_refused([&] { bus_.publish(OrderPlaced{}, {.source = "not a uri"}); });
  expect_refused([&] { bus_.publish(OrderPlaced{}, {.source = std::string(1025, 'x')}); });
  expect_refused([&] { bus_.publish(OrderPlaced{}, {.fields = {{"Tenant", "acme"}}}); });
  expect_refused([&] { bus_.publish(OrderPlaced{}, {.fields = {{"tenant", "a\nb"}}}); });
  const auto foreign = ContextFields::of_stored({{"1st", "of a CloudEvent"}});
  expect_refused([&] { bus_.publish(OrderPlaced{}, {.fields = foreign}); });
}

TEST_F(BadInputTest, RefusesDataThatNestsTooDeepAndBadVersions) {
  Json deep = 1;
  for (int level = 0; level < 10'000; ++level) deep = Json::array({std::move(deep)});
  expect_refused([&] { bus_.publish("a.type", deep); });
  expect_refused([&] { bus_.publish("a.type", Json::object(), {}, 0); });
}

TEST_F(BadInputTest, RefusesEverythingAfterStop) {
  auto handler = bus_.subscribe<OrderPlaced>("h", [](const OrderPlaced&) {});
  bus_.stop();
  EXPECT_EQ(error_code_of([&] { bus_.publish(OrderPlaced{}); }), ErrorCode::BusStopped);
  EXPECT_EQ(error_code_of([&] { bus_.publish("x", Json::object()); }), ErrorCode::BusStopped);
  EXPECT_EQ(error_code_of([&] { auto s = bus_.subscribe<OrderShipped>("h", [](const OrderShipped&) {}); }),
            ErrorCode::BusStopped);
}

TEST_F(BadInputTest, AnOrderingKeyThatThrowsRefusesTheWholePublish) {
  int calls = 0;
  auto other = bus_.subscribe<OrderPlaced>("other", [&](const OrderPlaced&) { ++calls; });
  auto keyed = bus_.subscribe<OrderPlaced>(
      "keyed", [](const OrderPlaced&) {},
      {.dispatch = Dispatch::Queued,
       .ordering_key = [](const OrderPlaced&) -> std::string { throw std::runtime_error("no key"); }});
  EXPECT_THROW(bus_.publish(OrderPlaced{}), std::runtime_error);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(bus_.snapshot().handlers[1].queued, 0U);
}

}  // namespace
}  // namespace tidings::test
