#include "bus_fixture.hpp"

#include <tidings/process_identity.hpp>
#include <tidings/version.hpp>

#include <unistd.h>

#include <span>
#include <stdexcept>

namespace tidings::test {
namespace {

class BusLogTest : public BusTest {};

TEST_F(BusLogTest, EveryFailedAttemptIsAWarningWithItsFacts) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw std::runtime_error("boom"); });
  const auto result = bus.publish(OrderPlaced{});
  const auto records = capture_.records("handler_failed");
  ASSERT_EQ(records.size(), 3U);
  const Json& first = records[0];
  EXPECT_EQ(first.at("level"), "warning");
  EXPECT_EQ(first.at("service"), "shop");
  EXPECT_EQ(first.at("handler"), "bad");
  EXPECT_EQ(first.at("event_type"), "orders.order_placed");
  EXPECT_EQ(first.at("event_id"), result.event_id.to_string());
  EXPECT_EQ(first.at("correlation_id"), result.correlation_id.to_string());
  EXPECT_EQ(first.at("attempt"), 1);
  EXPECT_EQ(first.at("max_attempts"), 3);
  EXPECT_TRUE(first.at("duration_ms").is_number());
  EXPECT_EQ(first.at("error_type"), "std::runtime_error");
  EXPECT_EQ(first.at("error"), "boom");
  EXPECT_EQ(first.at("retry_in_ms"), 0.0);
  EXPECT_TRUE(records[2].at("retry_in_ms").is_null());
}

TEST_F(BusLogTest, GivingUpIsOneErrorAndTheStoredLetterIsNamed) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw std::runtime_error("boom"); });
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.only("handler_exhausted_retries").at("level"), "error");
  EXPECT_EQ(capture_.only("handler_exhausted_retries").at("reason"), "exhausted");
  EXPECT_EQ(capture_.only("dead_letter_stored").at("dead_letter_id"), 1);
}

TEST_F(BusLogTest, DebugTellsOfPublishesAndHandledDeliveries) {
  Bus bus(options());
  auto good = bus.subscribe<OrderPlaced>("good", [&](const OrderPlaced&) { clock_->advance(5ms); });
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.only("event_published").at("event_type"), "orders.order_placed");
  const Json handled = capture_.only("handler_handled");
  EXPECT_EQ(handled.at("level"), "debug");
  EXPECT_EQ(handled.at("handler"), "good");
  EXPECT_EQ(handled.at("duration_ms"), 5.0);
}

TEST_F(BusLogTest, SlowHandlersAreNamed) {
  Bus bus(options());
  auto slow = bus.subscribe<OrderPlaced>("slow", [&](const OrderPlaced&) { clock_->advance(150ms); },
                                         {.slow_threshold = 100ms});
  auto quick = bus.subscribe<OrderPlaced>("quick", [&](const OrderPlaced&) { clock_->advance(50ms); },
                                          {.slow_threshold = 100ms});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.only("handler_slow").at("handler"), "slow");
  EXPECT_EQ(capture_.only("handler_slow").at("duration_ms"), 150.0);
  EXPECT_EQ(capture_.only("handler_slow").at("threshold_ms"), 100.0);
}

TEST_F(BusLogTest, TheFirstFailureOfAnInlineHandlerIsTimedFromThePublish) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad",
                                        [&](const OrderPlaced&) {
                                          clock_->advance(30ms);
                                          throw Permanent("no");
                                        },
                                        {});
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.only("handler_failed").at("duration_ms"), 30.0);
}

TEST_F(BusLogTest, StartAndStopAreLogged) {
  {
    Bus bus(options());
    EXPECT_EQ(capture_.only("bus_started").at("service"), "shop");
    EXPECT_TRUE(bus.stop(1s).drained);
  }
  EXPECT_EQ(capture_.only("bus_stopped").at("drained"), true);
}

TEST_F(BusLogTest, TheStartSaysTheVersionAndTheConfigurationInEffect) {
  set_process_identity({.host = "web-7", .environment = "staging", .release = "orders@1.4.2"});
  const Bus bus(options());
  set_process_identity({});
  Json record = capture_.only("bus_started");
  EXPECT_EQ(record.at("pid"), ::getpid());
  EXPECT_EQ(record.at("compiler"), compiler());
  for (const char* changing : {"timestamp", "pid", "compiler", "spdlog_version", "fmt_version"}) {
    EXPECT_EQ(record.erase(changing), 1U) << changing;
  }
  EXPECT_EQ(record, (Json{{"level", "info"},
                          {"event", "bus_started"},
                          {"service", "shop"},
                          {"environment", "staging"},
                          {"release", "orders@1.4.2"},
                          {"host", "web-7"},
                          {"version", version()},
                          {"source", "shop"},
                          {"durable_letters", true},
                          {"database", nullptr},
                          {"durability", "none"},
                          {"workers", 2},
                          {"metrics", false},
                          {"unhandled", "warn"},
                          {"max_causation_depth", 64},
                          {"max_crashes", 3},
                          {"idempotency_window_h", 168},
                          {"owner_wait_ms", 0},
                          {"stop_deadline_ms", 10000},
                          {"log_level", "trace"},
                          {"log_format", "json"},
                          {"log_outputs", {"spdlog"}},
                          {"log_process_fields", "environment,release"},
                          {"log_source_from", "off"},
                          {"log_redaction", "secrets"},
                          {"error_redaction", "secrets"}}));
}

/// Is where a secret is.
class SecretSink final : public LetterSink {
 public:
  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> /*letters*/,
                                                 WhenBusy /*when_busy*/) override {
    return {};
  }
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view /*service*/,
                                                   std::string_view /*event_type*/,
                                                   std::string_view /*handler*/) override {
    return {};
  }
  [[nodiscard]] std::string location() const override { return "https://db1/shop?access_token=abc123"; }
  [[nodiscard]] Json configuration() const override {
    return {{"spill_path", "/var/spill?token=abc123"}, {"retention_h", 720}, {"workers", "not the sink's"}};
  }
};

TEST_F(BusLogTest, TheStartShowsNoSecret) {
  BusOptions with_secrets = options();
  with_secrets.store = std::make_shared<SecretSink>();
  with_secrets.source = "https://app:hunter2@shop.example/";
  const Bus bus(std::move(with_secrets));
  EXPECT_EQ(capture_.only("bus_started").at("database"), "https://db1/shop?access_token=[redacted]");
  EXPECT_EQ(capture_.only("bus_started").at("source"), "https://app:[redacted]@shop.example/");
  EXPECT_EQ(capture_.only("bus_started").at("spill_path"), "/var/spill?token=[redacted]");
}

TEST_F(BusLogTest, TheStartHasWhatTheSinkSaysOfItself) {
  BusOptions with_sink = options();
  with_sink.store = std::make_shared<SecretSink>();
  const Bus bus(std::move(with_sink));
  const Json record = capture_.only("bus_started");
  EXPECT_EQ(record.at("retention_h"), 720);
  EXPECT_EQ(record.at("workers"), 2);
}

TEST_F(BusLogTest, RecordsBeyondAHundredASecondAreHeldBackAndCounted) {
  Bus bus(options());
  auto bad = bus.subscribe<OrderPlaced>("bad", [](const OrderPlaced&) { throw Permanent("no"); });
  for (int i = 0; i < 250; ++i) bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.count("handler_failed"), 100U);
  EXPECT_EQ(letters_->letters().size(), 250U);
  bus.stop(1s);
  bool told = false;
  for (const Json& record : capture_.records("records_held_back")) {
    if (record.at("record") == "handler_failed")
      told = record.at("held_back") == 150 && record.at("handler") == "bad";
  }
  EXPECT_TRUE(told);
}

TEST_F(BusLogTest, AnotherCauseIsNotHeldBackWithThem) {
  Bus bus(options());
  bool other = false;
  auto bad = bus.subscribe<OrderPlaced>("bad",
                                        [&](const OrderPlaced&) {
                                          if (other) throw std::logic_error("something else");
                                          throw Permanent("no");
                                        },
                                        {.retry = {.max_attempts = 1}});
  for (int i = 0; i < 150; ++i) bus.publish(OrderPlaced{});
  other = true;
  bus.publish(OrderPlaced{});
  EXPECT_EQ(capture_.count("handler_failed"), 101U);
}

TEST_F(BusLogTest, RecordsOfAHandlerCarryTheEventByThemselves) {
  Bus bus(options());
  const auto log = capture_.logger();
  auto handler = bus.subscribe<OrderPlaced>("chatty", [&](const OrderPlaced&) { log.info("inside"); });
  const auto result = bus.publish(OrderPlaced{}, {.fields = {{"tenant", "acme"}}});
  const Json record = capture_.only("inside");
  EXPECT_EQ(record.at("event_id"), result.event_id.to_string());
  EXPECT_EQ(record.at("handler"), "chatty");
  EXPECT_EQ(record.at("attempt"), 1);
  EXPECT_EQ(record.at("tenant"), "acme");
}

}  // namespace
}  // namespace tidings::test
