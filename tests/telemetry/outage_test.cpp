#include "telemetry/exporter_fixture.hpp"

#include <tidings/bus.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <gmock/gmock.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// A bus that is traced goes on without its receiver, and is traced again when that is back.

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

struct OrderPaid {
  static constexpr std::string_view event_type = "shop.order_paid";
  std::int64_t order{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPaid, order)
};

class OutageTest : public ExporterTest {
 protected:
  static constexpr std::size_t kQueue = 6;
  static constexpr std::size_t kBatch = 3;
  static constexpr std::uint64_t kOrders = 100;  // two spans each

  OutageTest() : backend_(std::in_place), port_(backend_->port()) {
    ExporterOptions options = ExporterTest::options();
    options.traces.url = backend_->url("/v1/traces");
    options.traces.timeout = 10min;
    options.span_batches.queue = kQueue;
    options.span_batches.batch = kBatch;
    options.span_batches.give_up_after = 10min;
    exporter_ = std::make_shared<Exporter>(std::move(options));
    // It has a clock of its own: with one for both, a test would not know which of them waits.
    bus_.emplace(BusOptions{.service = "shop",
                            .logger = logging::Logger({.level = logging::Level::Off}),
                            .telemetry = {.observer = std::make_shared<Tracer>(exporter_)}});
    bus_->subscribe<OrderPaid>("note", [](const OrderPaid&) {}).keep();
  }
  ~OutageTest() override {
    bus_.reset();
    EXPECT_TRUE(exporter_->stop(kLong));
  }

  /// Publishes while all is well.
  void expect_healthy() {
    const std::uint64_t sent = exporter_->sent(ExportSignal::Traces);
    const std::uint64_t lost = exporter_->dropped();
    const PublishResult result = bus_->publish(OrderPaid{});
    send(*exporter_);
    EXPECT_EQ(exporter_->sent(ExportSignal::Traces), sent + 2);
    EXPECT_EQ(exporter_->dropped(), lost);
    EXPECT_THAT(backend_->requests().back().body, HasSubstr(result.event_id.to_string()));
  }
  /// Publishes while spans go nowhere.
  void publish_on() {
    for (std::uint64_t order = 0; order < kOrders; ++order)
      ASSERT_EQ(bus_->publish(OrderPaid{static_cast<std::int64_t>(order)}).handled, 1U);
    // All but what waits, and what is on its way, is lost by now, and counted.
    EXPECT_THAT(exporter_->dropped(), AllOf(Ge(2 * kOrders - kQueue - kBatch), Le(2 * kOrders - kQueue)));
    std::ostringstream text;
    write_metrics(text, bus_->metrics(), MetricsFormat::PrometheusText, {.exporter = exporter_.get()});
    EXPECT_THAT(text.str(), HasSubstr("\ntidings_exporter_dropped_total{signal=\"traces\"} " +
                                      std::to_string(exporter_->dropped()) + "\n"));
  }
  /// Afterwards: what waited has arrived, and every loss was told once, in a record a minute.
  void expect_recovered() {
    send(*exporter_);
    EXPECT_EQ(exporter_->sent(ExportSignal::Traces) + exporter_->dropped(), 2 * (kOrders + 1));
    expect_healthy();
    pass(1min);
    const auto records = capture_.records("telemetry_lost");
    ASSERT_THAT(records, SizeIs(AllOf(Ge(1U), Le(2U))));
    std::uint64_t told = 0;
    for (const Json& record : records) told += record.at("lost").get<std::uint64_t>();
    EXPECT_EQ(told, exporter_->dropped());
    EXPECT_EQ(records.back().at("lost_in_all"), exporter_->dropped());
  }

  std::optional<Receiver> backend_;
  const int port_;
  std::shared_ptr<Exporter> exporter_;
  std::optional<Bus> bus_;
};

TEST_F(OutageTest, AReceiverThatIsGone) {
  expect_healthy();
  backend_.reset();
  publish_on();
  for (int times = 0; times < 11; ++times) pass(5s);
  EXPECT_THAT(capture_.records("telemetry_lost"), SizeIs(1));  // a minute has not passed
  backend_.emplace(port_);
  pass(5s);
  expect_recovered();
}

TEST_F(OutageTest, AReceiverThatRefuses) {
  expect_healthy();
  backend_->answer_next({{503, {{"Retry-After", "20"}}, ""}, {429, {}, ""}, {502, {}, ""}});
  publish_on();
  pass(20s);
  pass(5s);
  pass(5s);
  expect_recovered();
}

TEST_F(OutageTest, AReceiverThatHangs) {
  expect_healthy();
  backend_->hold();
  publish_on();
  EXPECT_THAT(capture_.records("telemetry_lost"), IsEmpty()) << "its thread is with the receiver";
  backend_->release();
  expect_recovered();
}

}  // namespace
}  // namespace tidings::telemetry
