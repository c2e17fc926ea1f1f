#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/memory_letter_sink.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct OrderPaid {
  static constexpr std::string_view event_type = "shop.order_paid";
  std::int64_t order{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(OrderPaid, order)
};

constexpr auto kLongWait = 30s;

/// What a tracer gave. Thread-safe.
class Spans {
 public:
  void add(SpanData span) {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  [[nodiscard]] std::vector<SpanData> all() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }
  [[nodiscard]] std::vector<SpanData> named(const std::string& name) const {
    std::vector<SpanData> found;
    for (const SpanData& span : all()) {
      if (span.name == name) found.push_back(span);
    }
    return found;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    spans_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<SpanData> spans_;
};

std::optional<AttributeValue> attribute(const SpanData& span, const std::string& name) {
  for (const Attribute& each : span.attributes) {
    if (each.name == name) return each.value;
  }
  return std::nullopt;
}

std::string text(const SpanData& span, const std::string& name) {
  const auto value = attribute(span, name);
  return value && std::holds_alternative<std::string>(*value) ? std::get<std::string>(*value) : "none";
}

class TracerTest : public testing::Test {
 protected:
  BusOptions options(TracerOptions how = {}) {
    how.clock = clock_;
    return {.service = "shop",
            .store = letters_,
            .logger = capture_.logger(),
            .telemetry = {.observer = std::make_shared<Tracer>(
                              [this](SpanData span) { spans_.add(std::move(span)); }, how)},
            .clock = clock_};
  }
  static SubscribeOptions<OrderPaid> once() { return {.retry = {.max_attempts = 1}}; }
  [[nodiscard]] static std::vector<SpanId> links(const SpanData& span) {
    std::vector<SpanId> ids;
    for (const SpanLink& link : span.links) ids.push_back(link.context.span_id);
    return ids;
  }
  [[nodiscard]] static Context unsampled() {
    return {.traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")};
  }
  void advance(std::chrono::microseconds step) {
    clock_->await_waiter();
    clock_->advance(step);
  }

  Spans spans_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  logging::Capture capture_;
  std::shared_ptr<MemoryLetterSink> letters_ = std::make_shared<MemoryLetterSink>();
};

TEST_F(TracerTest, OnePublishToThreeHandlersOfWhichOneDiesIsSevenSpans) {
  Bus bus(options());
  auto first = bus.subscribe<OrderPaid>("first", [](const OrderPaid&) {});
  auto second = bus.subscribe<OrderPaid>("second", [](const OrderPaid&) {});
  auto dies = bus.subscribe<OrderPaid>("dies", [](const OrderPaid&) { throw std::runtime_error("no"); },
                                       {.retry = {.max_attempts = 3}});
  const auto result = bus.publish(OrderPaid{7});
  EXPECT_EQ(spans_.all().size(), 1U + 1U + 1U + 3U + 1U);
  const SpanData publish = spans_.named("publish shop.order_paid").at(0);
  EXPECT_EQ(publish.parent_span_id, SpanId{});
  EXPECT_EQ(publish.kind, SpanKind::Producer);
  EXPECT_EQ(publish.status, SpanStatus::Unset);
  EXPECT_EQ(text(publish, "messaging.message.id"), result.event_id.to_string());
  EXPECT_EQ(text(publish, "messaging.message.conversation_id"), result.correlation_id.to_string());
  const auto attempts = spans_.named("process shop.order_paid");
  ASSERT_EQ(attempts.size(), 5U);
  for (const SpanData& attempt : attempts) {
    EXPECT_EQ(attempt.context.trace_id, publish.context.trace_id);
    EXPECT_EQ(attempt.parent_span_id, publish.context.span_id);
    EXPECT_EQ(attempt.kind, SpanKind::Consumer);
    EXPECT_EQ(links(attempt).front(), publish.context.span_id);
  }
  EXPECT_EQ(text(attempts[0], "messaging.destination.subscription.name"), "first");
  EXPECT_EQ(text(attempts[0], "error.type"), "none");
  EXPECT_EQ(text(attempts[2], "error.type"), "std::runtime_error");
  EXPECT_EQ(attribute(attempts[2], "tidings.will_retry"), AttributeValue(true));
  EXPECT_EQ(attribute(attempts[4], "tidings.will_retry"), AttributeValue(false));
  EXPECT_THAT(links(attempts[3]), ElementsAre(publish.context.span_id, attempts[2].context.span_id));
  EXPECT_THAT(links(attempts[4]), ElementsAre(publish.context.span_id, attempts[3].context.span_id));
  const SpanData death = spans_.named("give up shop.order_paid").at(0);
  EXPECT_EQ(death.parent_span_id, attempts[4].context.span_id);
  EXPECT_EQ(death.status, SpanStatus::Error);
  EXPECT_EQ(attribute(death, "tidings.letter.id"), AttributeValue(std::int64_t{1}));
  EXPECT_EQ(death.events.at(0).name, "tidings.letter.committed");
}

TEST_F(TracerTest, ARetryThatHealsLeavesThePublishUnharmed) {
  Bus bus(options());
  int calls = 0;
  auto heals = bus.subscribe<OrderPaid>("heals",
                                        [&](const OrderPaid&) {
                                          if (++calls == 1) throw std::runtime_error("no");
                                        },
                                        {.retry = {.max_attempts = 2}});
  bus.publish(OrderPaid{});
  EXPECT_EQ(spans_.named("publish shop.order_paid").at(0).status, SpanStatus::Unset);
  EXPECT_EQ(spans_.named("process shop.order_paid").at(1).status, SpanStatus::Unset);
  EXPECT_THAT(spans_.named("give up shop.order_paid"), IsEmpty());
}

TEST_F(TracerTest, ContextFieldsAndWhatIsBoundAreAttributesButNoSecrets) {
  Bus bus(options());
  auto binds = bus.subscribe<OrderPaid>("binds", [](const OrderPaid&, const EventContext& context) {
    context.bind({{"card", "visa"}, {"password", "hunter2"}});
  });
  const ContextScope scope({{"tenant", "acme"}, {"user_id", 42}, {"api_key", "hunter2"}});
  bus.publish(OrderPaid{});
  const SpanData attempt = spans_.named("process shop.order_paid").at(0);
  EXPECT_EQ(text(attempt, "tenant"), "acme");
  EXPECT_EQ(attribute(attempt, "user_id"), AttributeValue(std::int64_t{42}));
  EXPECT_EQ(text(attempt, "card"), "visa");
  for (const SpanData& span : spans_.all()) {
    EXPECT_EQ(attribute(span, "api_key"), std::nullopt);
    EXPECT_EQ(attribute(span, "password"), std::nullopt);
  }
}

TEST_F(TracerTest, ARetryAfterAMinuteBeginsATraceWithLinksAndOneBeforeDoesNot) {
  for (const auto delay : {59s, 60s}) {
    spans_.clear();
    Bus bus(options());
    int calls = 0;
    auto heals = bus.subscribe<OrderPaid>("heals",
                                          [&](const OrderPaid&) {
                                            if (++calls == 1) throw std::runtime_error("no");
                                          },
                                          {.retry = {.max_attempts = 2, .backoff = constant(delay)}});
    bus.publish(OrderPaid{});
    advance(delay);
    ASSERT_TRUE(bus.wait_idle(kLongWait));
    const SpanData publish = spans_.named("publish shop.order_paid").at(0);
    const auto attempts = spans_.named("process shop.order_paid");
    ASSERT_EQ(attempts.size(), 2U);
    const bool late = delay == 60s;
    EXPECT_EQ(attempts[1].context.trace_id != publish.context.trace_id, late);
    EXPECT_EQ(attempts[1].parent_span_id, late ? SpanId{} : publish.context.span_id);
    EXPECT_THAT(links(attempts[1]), ElementsAre(publish.context.span_id, attempts[0].context.span_id));
  }
}

TEST_F(TracerTest, TheUserSaysWhetherTracesBegin) {
  for (const auto choice : {NewTraces::Never, NewTraces::Always}) {
    spans_.clear();
    Bus bus(options({.new_traces = choice}));
    auto inlines = bus.subscribe<OrderPaid>("inline", [](const OrderPaid&) {});
    auto queued = bus.subscribe<OrderPaid>("queued", [](const OrderPaid&) {}, {.dispatch = Dispatch::Queued});
    bus.publish(OrderPaid{});
    ASSERT_TRUE(bus.wait_idle(kLongWait));
    const SpanData publish = spans_.named("publish shop.order_paid").at(0);
    for (const SpanData& attempt : spans_.named("process shop.order_paid")) {
      const bool is_inline = text(attempt, "messaging.destination.subscription.name") == "inline";
      EXPECT_EQ(attempt.context.trace_id == publish.context.trace_id,
                is_inline || choice == NewTraces::Never);
    }
  }
}

TEST_F(TracerTest, ARedriveOfTheNextDayIsANewTraceWithALinkToTheFailedAttempt) {
  Bus bus(options());
  bool broken = true;
  auto heals = bus.subscribe<OrderPaid>(
      "heals",
      [&](const OrderPaid&) {
        if (broken) throw std::runtime_error("no");
      },
      once());
  bus.publish(OrderPaid{});
  const SpanData failed = spans_.named("process shop.order_paid").at(0);
  broken = false;
  advance(24h);
  static_cast<void>(bus.redrive({}));
  ASSERT_TRUE(bus.wait_idle(kLongWait));
  const SpanData redrive = spans_.named("redrive shop.order_paid").at(0);
  const SpanData attempt = spans_.named("process shop.order_paid").at(1);
  EXPECT_NE(redrive.context.trace_id, failed.context.trace_id);
  EXPECT_EQ(redrive.parent_span_id, SpanId{});
  EXPECT_EQ(attempt.parent_span_id, redrive.context.span_id);
  EXPECT_THAT(links(attempt), testing::Contains(failed.context.span_id));
  EXPECT_EQ(attribute(redrive, "tidings.letter.id"), AttributeValue(std::int64_t{1}));
}

TEST_F(TracerTest, AnUnsampledParentSendsNothingAndItsFlagGoesOn) {
  Bus bus(options());
  std::optional<TraceParent> seen;
  auto dies = bus.subscribe<OrderPaid>(
      "dies",
      [&](const OrderPaid&, const EventContext& context) {
        seen = context.metadata().traceparent;
        throw std::runtime_error("no");
      },
      once());
  const ContextScope scope(unsampled());
  bus.publish(OrderPaid{});
  EXPECT_THAT(spans_.all(), IsEmpty());
  EXPECT_EQ(seen, unsampled().traceparent);
}

TEST_F(TracerTest, ASamplerDecidesForTracesThatBeginHere) {
  Bus bus(options({.sampler = Sampler::always_off()}));
  std::optional<TraceParent> seen;
  auto note = bus.subscribe<OrderPaid>(
      "note", [&](const OrderPaid&, const EventContext& context) { seen = context.metadata().traceparent; });
  bus.publish(OrderPaid{});
  EXPECT_THAT(spans_.all(), IsEmpty());
  ASSERT_TRUE(seen) << "others are to know that it is not sampled";
  EXPECT_FALSE(seen->sampled());
}

TEST_F(TracerTest, ASamplerThatFollowsNoParentDecidesForTracesThatComeInToo) {
  for (const bool comes_sampled : {false, true}) {
    for (const auto& [sampler, samples] : {std::pair{Sampler::always_on(), true},
                                           {Sampler::always_off(), false},
                                           {Sampler::ratio(0), false}}) {
      Bus bus(options({.sampler = sampler}));
      std::optional<TraceParent> seen;
      auto note = bus.subscribe<OrderPaid>("note", [&](const OrderPaid&, const EventContext& context) {
        seen = context.metadata().traceparent;
      });
      Context incoming = unsampled();
      incoming.traceparent->flags = comes_sampled ? 1 : 0;
      const ContextScope scope(incoming);
      const std::size_t before = spans_.all().size();
      bus.publish(OrderPaid{});
      EXPECT_EQ(spans_.all().size() - before, samples ? 2U : 0U);
      ASSERT_TRUE(seen);
      EXPECT_EQ(seen->trace_id, incoming.traceparent->trace_id);
      EXPECT_EQ(seen->sampled(), samples) << "others are to know";
    }
  }
}

TEST_F(TracerTest, AKeptTraceArrivesWholeWhenAnAttemptFails) {
  Bus bus(options({.keep = {.spans = 100}}));
  bool broken = false;
  auto first = bus.subscribe<OrderPaid>("first", [](const OrderPaid&) {});
  auto dies = bus.subscribe<OrderPaid>(
      "dies",
      [&](const OrderPaid&) {
        if (broken) throw std::runtime_error("no");
      },
      once());
  const ContextScope scope(unsampled());
  bus.publish(OrderPaid{});
  EXPECT_THAT(spans_.all(), IsEmpty());
  broken = true;
  bus.publish(OrderPaid{});
  EXPECT_EQ(spans_.named("publish shop.order_paid").size(), 2U) << "both are of one trace";
  EXPECT_EQ(spans_.named("process shop.order_paid").size(), 4U);
  EXPECT_EQ(spans_.named("give up shop.order_paid").size(), 1U);
  for (const SpanData& span : spans_.all()) EXPECT_EQ(span.context.trace_flags, 1);
}

TEST_F(TracerTest, ASlowAttemptBringsItsTraceToo) {
  Bus bus(options({.keep = {.spans = 100, .slower_than = 100ms}}));
  auto slow = bus.subscribe<OrderPaid>("slow", [&](const OrderPaid&) { clock_->advance(101ms); });
  const ContextScope scope(unsampled());
  bus.publish(OrderPaid{});
  EXPECT_EQ(spans_.all().size(), 2U);
}

TEST_F(TracerTest, WhatIsKeptIsBoundedAndForgotten) {
  Bus bus(options({.keep = {.spans = 4, .time = 60s}}));
  bool broken = false;
  auto dies = bus.subscribe<OrderPaid>(
      "dies",
      [&](const OrderPaid&) {
        if (broken) throw std::runtime_error("no");
      },
      once());
  const auto publish_in_trace = [&](char digit) {
    const std::string trace(32, digit);
    const ContextScope scope(
        Context{.traceparent = TraceParent::parse("00-" + trace + "-b7ad6b7169203331-00")});
    bus.publish(OrderPaid{});
  };
  for (const char digit : {'1', '2', '3'}) publish_in_trace(digit);  // six spans: the first trace had to go
  broken = true;
  publish_in_trace('1');
  EXPECT_EQ(spans_.named("publish shop.order_paid").size(), 1U);
  spans_.clear();
  clock_->advance(61s);  // the others are too old
  publish_in_trace('3');
  EXPECT_EQ(spans_.named("publish shop.order_paid").size(), 1U);
}

TEST_F(TracerTest, RefusesWhatCannotWork) {
  EXPECT_THROW(Tracer{std::shared_ptr<Exporter>()}, Error);
  EXPECT_THROW(Tracer{Tracer::Sink()}, Error);
  EXPECT_THROW(Tracer([](const SpanData&) {}, {.late = -1s}), Error);
  EXPECT_THROW(Tracer([](const SpanData&) {}, {.keep = {.slower_than = 1ms}}), Error) << "nothing is kept";
}

}  // namespace
}  // namespace tidings::telemetry
