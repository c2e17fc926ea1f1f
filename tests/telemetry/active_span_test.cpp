#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/telemetry/active_span.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct OrderClosed {
  static constexpr std::string_view event_type = "shop.order_closed";
  int order{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderClosed, order)
};

class ActiveSpanTest : public testing::Test {
 protected:
  ~ActiveSpanTest() override { set_default_tracer(nullptr); }
  void trace(TracerOptions options = {}) {
    options.clock = clock_;
    tracer_ = std::make_shared<Tracer>([this](SpanData span) { spans_.push_back(std::move(span)); }, options);
    set_default_tracer(tracer_);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const SpanData& span : spans_) all.push_back(span.name);
    return all;
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Tracer> tracer_;
  std::vector<SpanData> spans_;
  logging::Capture capture_;
};

TEST_F(ActiveSpanTest, DoesNothingWithoutATracer) {
  Span span("step");
  span.set("name", "value");
  span.fail("problem");
  EXPECT_FALSE(span.is_recorded());
  EXPECT_FALSE(Context::current().traceparent);
}

TEST_F(ActiveSpanTest, WhatIsSetIsMaskedAndBoundedAndHasEachNameOnce) {
  trace();
  {
    Span span("GET /?password=hunter2");
    span.set("card", std::int64_t{4'111'111'111'111'111});
    span.set("card_too", 4'111'111'111'111'111.0);
    span.set("order", std::int64_t{1});
    span.set("order", std::int64_t{2});
    span.set("body", std::string(100'000, 'x'));
    for (int i = 0; i < 200; ++i) {
      span.set("n" + std::to_string(i), std::int64_t{i});
      span.fail(std::runtime_error("again"));
    }
  }
  ASSERT_EQ(spans_.size(), 1U);
  const SpanData& span = spans_[0];
  EXPECT_EQ(span.name.find("hunter2"), std::string::npos);
  EXPECT_EQ(span.attributes.size(), 128U);
  EXPECT_EQ(span.dropped.attributes, 200U + 4U + 1U - 128U);  // error.type is the fifth
  EXPECT_EQ(span.events.size(), 128U);
  EXPECT_EQ(span.dropped.events, 72U);
  EXPECT_EQ(span.attributes[0], (Attribute{"card", "[redacted]"}));
  EXPECT_EQ(span.attributes[1], (Attribute{"card_too", "[redacted]"}));
  EXPECT_EQ(span.attributes[2], (Attribute{"order", std::int64_t{2}}));
  EXPECT_EQ(std::get<std::string>(span.attributes[3].value).size(), 16'384U);
}

TEST_F(ActiveSpanTest, ByADeniedPathNothingIsSet) {
  logging::RedactorOptions options;
  options.paths = {"/customer_name"};
  const auto before = logging::default_redactor();
  logging::set_default_redactor(std::make_shared<logging::Redactor>(options));
  trace();
  Span("step").set("customer_name", "Jane Roe");
  logging::set_default_redactor(before);
  ASSERT_EQ(spans_.size(), 1U);
  EXPECT_THAT(spans_[0].attributes, IsEmpty());
}

TEST_F(ActiveSpanTest, SpansNestAndAreCurrentWhileTheyAreOpen) {
  trace();
  {
    const Span outer("outer", SpanKind::Server);
    clock_->advance(2ms);
    {
      const Span inner("inner");
      clock_->advance(3ms);
      capture_.logger().info("inside");
    }
  }
  EXPECT_FALSE(Context::current().traceparent);
  ASSERT_THAT(names(), ElementsAre("inner", "outer"));
  EXPECT_EQ(spans_[0].parent_span_id, spans_[1].context.span_id);
  EXPECT_EQ(spans_[0].context.trace_id, spans_[1].context.trace_id);
  EXPECT_EQ(spans_[1].parent_span_id, SpanId{});
  EXPECT_EQ(spans_[1].kind, SpanKind::Server);
  EXPECT_EQ(spans_[0].end_ns - spans_[0].start_ns, 3'000'000U);
  EXPECT_EQ(spans_[1].end_ns - spans_[1].start_ns, 5'000'000U);
  EXPECT_EQ(capture_.records("inside").at(0).at("span_id"), spans_[0].context.span_id.to_string());
}

TEST_F(ActiveSpanTest, StandsBetweenAHandlerAndWhatItPublishes) {
  trace();
  Bus bus({.service = "shop", .logger = capture_.logger(), .telemetry = {.observer = tracer_}});
  auto close = bus.subscribe("shop.order_placed", "close", [&](const Json&, const EventContext& context) {
    context.bind("order", 7);
    const Span span("charge_card");
    capture_.logger().info("inside");
    bus.publish(OrderClosed{});
  });
  bus.publish("shop.order_placed", Json{{"order", 7}});
  ASSERT_THAT(names(), ElementsAre("publish shop.order_closed", "charge_card", "process shop.order_placed",
                                   "publish shop.order_placed"));
  for (std::size_t i = 0; i + 1 < spans_.size(); ++i)
    EXPECT_EQ(spans_[i].parent_span_id, spans_[i + 1].context.span_id) << i;
  const Json record = capture_.records("inside").at(0);
  EXPECT_EQ(record.at("order"), 7) << "what was bound is there as before";
  EXPECT_EQ(record.at("handler"), "close");
}

TEST_F(ActiveSpanTest, KeepsTheContextThatItIsOpenedIn) {
  trace();
  const ContextScope scope(Context::from_id("request-1").with("tenant", "acme"));
  const Span span("step");
  EXPECT_EQ(Context::current().correlation_id.to_string(), "request-1");
  EXPECT_EQ(Context::current().fields, (ContextFields{{"tenant", "acme"}}));
  EXPECT_TRUE(Context::current().traceparent);
}

TEST_F(ActiveSpanTest, HasAttributesAndFailuresWithoutSecrets) {
  trace();
  {
    Span span("step");
    span.set("amount", std::int64_t{12});
    span.set("url", "https://user:hunter2@shop");
    span.set("password", "hunter2");
    span.fail(std::runtime_error("password=hunter2"));
  }
  const SpanData span = spans_.at(0);
  EXPECT_EQ(span.attributes.at(0), (Attribute{"amount", std::int64_t{12}}));
  EXPECT_EQ(span.status, SpanStatus::Error);
  EXPECT_EQ(span.events.at(0).name, "exception");
  std::string all = span.status_message;
  for (const Attribute& each : span.attributes) {
    EXPECT_NE(each.name, "password");
    if (const auto* text = std::get_if<std::string>(&each.value)) all += *text;
  }
  EXPECT_EQ(all.find("hunter2"), std::string::npos) << all;
}

TEST_F(ActiveSpanTest, TheDecisionOfTheTraceHolds) {
  trace();
  const auto parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  {
    const ContextScope scope(Context{.traceparent = parent});
    const Span span("step");
    EXPECT_FALSE(span.is_recorded());
    EXPECT_EQ(Context::current().traceparent, parent);
  }
  EXPECT_THAT(spans_, IsEmpty());
  trace({.keep = {.spans = 10}});
  {
    const ContextScope scope(Context{.traceparent = parent});
    { const Span works("works"); }
    EXPECT_THAT(spans_, IsEmpty());
    Span fails("fails");
    fails.fail("no");
  }
  EXPECT_THAT(names(), ElementsAre("works", "fails"));
}

TEST_F(ActiveSpanTest, NothingIsMadeInAForkedChild) {
  trace();
  {
    const Span began_in_parent("parent");
    if (::fork() == 0) {
      const Span in_child("child");
      ::_exit(in_child.is_recorded() ? 1 : 0);
    }
    int status = -1;
    ASSERT_GT(::wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_THAT(names(), ElementsAre("parent"));
}

TEST_F(ActiveSpanTest, EndsAsItBeganWhenTheTracerIsGone) {
  trace();
  {
    const Span span("step");
    set_default_tracer(nullptr);
    tracer_.reset();
    const Span none("none");
    EXPECT_FALSE(none.is_recorded());
  }
  EXPECT_THAT(names(), ElementsAre("step"));
}

}  // namespace
}  // namespace tidings::telemetry
