#include <tidings/bus.hpp>
#include <tidings/context.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/memory_letter_sink.hpp>
#include <tidings/telemetry/opentelemetry_observer.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opentelemetry/exporters/memory/in_memory_span_data.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter_factory.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/samplers/always_on_factory.h>
#include <opentelemetry/sdk/trace/samplers/parent_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/span_data.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/noop.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

namespace api = ::opentelemetry;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kLongWait = 30s;

/// A span as a test looks at it, of the SDK's exporter or of tidings' own tracer.
struct SeenSpan {
  std::string name;
  std::string trace;
  std::string id;
  std::string parent = {};
  std::string kind = {};
  std::string status = {};
  std::map<std::string, std::string> attributes = {};
  /// `name attribute=value ...`.
  std::vector<std::string> events = {};
  std::vector<std::string> links = {};
  std::chrono::nanoseconds begin{};
  std::chrono::nanoseconds duration{};
};

std::string text_of(const api::sdk::common::OwnedAttributeValue& value) {
  if (api::nostd::holds_alternative<std::string>(value)) return api::nostd::get<std::string>(value);
  if (api::nostd::holds_alternative<bool>(value)) return api::nostd::get<bool>(value) ? "true" : "false";
  if (api::nostd::holds_alternative<std::int64_t>(value))
    return std::to_string(api::nostd::get<std::int64_t>(value));
  return api::nostd::holds_alternative<double>(value) ? std::to_string(api::nostd::get<double>(value)) : "?";
}

std::string text_of(const AttributeValue& value) {
  if (const auto* const text = std::get_if<std::string>(&value)) return *text;
  if (const bool* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  return std::to_string(std::get<double>(value));
}

std::string event_text(const std::string& name, const std::map<std::string, std::string>& attributes) {
  std::string text = name;
  for (const auto& [key, value] : attributes) text += " " + key + "=" + value;
  return text;
}

template <class AnyAttributes>
std::map<std::string, std::string> texts_of(const AnyAttributes& attributes) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : attributes) texts.emplace(name, text_of(value));
  return texts;
}

SeenSpan seen(const api::sdk::trace::SpanData& span) {
  const auto ids = opentelemetry_cpp::trace_of(span.GetSpanContext());
  SeenSpan all{.name = std::string(span.GetName()), .trace = ids.trace_id_text(), .id = ids.parent_id_text()};
  if (span.GetParentSpanId().IsValid()) {
    const api::trace::SpanContext parent(span.GetTraceId(), span.GetParentSpanId(), {}, false);
    all.parent = opentelemetry_cpp::trace_of(parent).parent_id_text();
  }
  const std::map<api::trace::SpanKind, std::string> kinds = {{api::trace::SpanKind::kInternal, "internal"},
                                                             {api::trace::SpanKind::kProducer, "producer"},
                                                             {api::trace::SpanKind::kConsumer, "consumer"}};
  all.kind = kinds.at(span.GetSpanKind());
  if (span.GetStatus() == api::trace::StatusCode::kError)
    all.status = "error: " + std::string(span.GetDescription());
  all.attributes = texts_of(span.GetAttributes());
  for (const auto& event : span.GetEvents())
    all.events.push_back(event_text(event.GetName(), texts_of(event.GetAttributes())));
  for (const auto& link : span.GetLinks())
    all.links.push_back(opentelemetry_cpp::trace_of(link.GetSpanContext()).parent_id_text());
  all.begin = span.GetStartTime().time_since_epoch();
  all.duration = span.GetDuration();
  return all;
}

SeenSpan seen(const SpanData& span) {
  SeenSpan all{
      .name = span.name, .trace = span.context.trace_id.to_string(), .id = span.context.span_id.to_string()};
  if (span.parent_span_id != SpanId{}) all.parent = span.parent_span_id.to_string();
  const std::map<SpanKind, std::string> kinds = {
      {SpanKind::Internal, "internal"}, {SpanKind::Producer, "producer"}, {SpanKind::Consumer, "consumer"}};
  all.kind = kinds.at(span.kind);
  if (span.status == SpanStatus::Error) all.status = "error: " + span.status_message;
  all.attributes = texts_of(span.attributes);
  for (const SpanEvent& event : span.events)
    all.events.push_back(event_text(event.name, texts_of(event.attributes)));
  for (const SpanLink& link : span.links) all.links.push_back(link.context.span_id.to_string());
  all.begin = std::chrono::nanoseconds(span.start_ns);
  all.duration = std::chrono::nanoseconds(span.end_ns - span.start_ns);
  return all;
}

/// Ids are different each time: the places where they first occur are not.
std::string shape_of(const std::vector<SeenSpan>& spans) {
  std::map<std::string, std::string> names = {{"", "none"}};
  const auto name = [&](const std::string& id) {
    return names.emplace(id, std::to_string(names.size())).first->second;
  };
  std::string shape;
  for (const SeenSpan& span : spans) {
    shape += span.name + " [" + span.kind + "] trace " + name(span.trace) + " id " + name(span.id) +
             " parent " + name(span.parent) + " " + span.status + "\n";
    for (const auto& [key, value] : span.attributes) {
      const bool is_id = key.starts_with("messaging.message.") || key == "tidings.attempt.id";
      shape += "  " + key + "=" + (is_id ? "some id" : value) + "\n";
    }
    for (const std::string& event : span.events) shape += "  event " + event + "\n";
    for (const std::string& link : span.links) shape += "  link " + name(link) + "\n";
    shape += "  took " + std::to_string(span.duration.count()) + "\n";
  }
  return shape;
}

class OpenTelemetryObserverTest : public ::testing::Test {
 protected:
  OpenTelemetryObserverTest() {
    auto processor = api::sdk::trace::SimpleSpanProcessorFactory::Create(
        api::exporter::memory::InMemorySpanExporterFactory::Create(data_));
    provider_ = api::sdk::trace::TracerProviderFactory::Create(
        std::move(processor), api::sdk::resource::Resource::Create({}),
        api::sdk::trace::ParentBasedSamplerFactory::Create(
            api::sdk::trace::AlwaysOnSamplerFactory::Create()));
    tracer_ = provider_->GetTracer("orders");
    observer_ =
        std::make_shared<OpenTelemetryObserver>(tracer_, OpenTelemetryObserverOptions{.clock = clock_});
  }
  BusOptions options(std::shared_ptr<Observer> observer) {
    return {.service = "shop",
            .store = std::make_shared<MemoryLetterSink>(),
            .logger = capture_.logger(),
            .telemetry = {.observer = std::move(observer)},
            .clock = clock_};
  }
  void advance(std::chrono::microseconds step) {
    clock_->await_waiter();
    clock_->advance(step);
  }
  /// All that were exported since it was last called, in the order in which they ended.
  [[nodiscard]] std::vector<SeenSpan> exported() {
    std::vector<SeenSpan> all;
    for (const auto& span : data_->GetSpans()) all.push_back(seen(*span));
    return all;
  }
  static SeenSpan named(const std::vector<SeenSpan>& spans, const std::string& name) {
    for (const SeenSpan& span : spans) {
      if (span.name == name) return span;
    }
    throw std::logic_error("there is no span " + name);
  }

  std::shared_ptr<api::exporter::memory::InMemorySpanData> data_;
  std::unique_ptr<api::trace::TracerProvider> provider_;
  api::nostd::shared_ptr<api::trace::Tracer> tracer_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  logging::Capture capture_;
  std::shared_ptr<OpenTelemetryObserver> observer_;
};

TEST_F(OpenTelemetryObserverTest, MakesTheSpansThatTidingsOwnTracerMakes) {
  std::mutex mutex;
  std::vector<SeenSpan> own;
  const auto tracer = std::make_shared<Tracer>(
      [&](const SpanData& span) {
        const std::lock_guard lock(mutex);
        own.push_back(seen(span));
      },
      TracerOptions{.clock = clock_});
  const auto run = [&](std::shared_ptr<Observer> observer) {
    Bus bus(options(std::move(observer)));
    bool broken = true;
    auto works = bus.subscribe("shop.paid", "works", [&](const Json&, const EventContext& context) {
      context.bind("card", "visa");
      clock_->advance(7ms);
    });
    auto dies = bus.subscribe("shop.paid", "dies",
                              [&](const Json&, const EventContext& context) {
                                context.bind({{"stack", "charge at card.cpp:7"}, {"api_key", "hunter2"}});
                                if (broken) throw std::runtime_error("no, password=hunter2");
                              },
                              {.retry = {.max_attempts = 2}});
    {
      const ContextScope scope({{"tenant", "acme"}, {"user_id", 42}, {"share", 0.5}, {"test", true}});
      bus.publish("shop.paid", Json{{"order", 7}});
    }
    broken = false;
    advance(24h);
    static_cast<void>(bus.redrive({}));
    EXPECT_TRUE(bus.wait_idle(kLongWait));
  };
  run(tracer);
  run(observer_);
  const auto all = exported();
  EXPECT_EQ(shape_of(all), shape_of(own));
  EXPECT_THAT(all, SizeIs(7));
  EXPECT_EQ(shape_of(all).find("hunter2"), std::string::npos);
}

TEST_F(OpenTelemetryObserverTest, EventsAndRecordsBearTheIdsOfTheSdk) {
  Bus bus(options(observer_));
  std::optional<TraceParent> events;
  auto note = bus.subscribe("shop.paid", "note", [&](const Json&, const EventContext& context) {
    events = context.metadata().traceparent;
    capture_.logger().info("inside");
  });
  bus.publish("shop.paid", Json{{"order", 7}});
  const auto all = exported();
  const SeenSpan publish = named(all, "publish shop.paid");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->trace_id_text(), publish.trace);
  EXPECT_EQ(events->parent_id_text(), publish.id);
  EXPECT_TRUE(events->sampled());
  EXPECT_EQ(capture_.records("inside").at(0).at("span_id"), named(all, "process shop.paid").id);
}

TEST_F(OpenTelemetryObserverTest, SpansOfTheApplicationAreParentsAndChildren) {
  Bus bus(options(observer_));
  auto step = bus.subscribe("shop.paid", "step", [&](const Json&) {
    auto span = tracer_->StartSpan("charge_card");
    const api::trace::Scope active(span);
    bus.publish("shop.charged", Json{});
    span->End();
  });
  auto request = tracer_->StartSpan("POST /orders");
  {
    const api::trace::Scope active(request);
    bus.publish("shop.paid", Json{{"order", 7}});
  }
  request->End();
  const auto all = exported();
  std::vector<std::string> names;
  for (const SeenSpan& span : all) names.push_back(span.name);
  ASSERT_THAT(names, ElementsAre("publish shop.charged", "charge_card", "process shop.paid",
                                 "publish shop.paid", "POST /orders"));
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    EXPECT_EQ(all[i].parent, all[i + 1].id) << all[i].name;
    EXPECT_EQ(all[i].trace, all[i + 1].trace);
  }
  EXPECT_FALSE(api::trace::Tracer::GetCurrentSpan()->GetContext().IsValid());
}

TEST_F(OpenTelemetryObserverTest, AQueuedAttemptIsActiveOnItsWorker) {
  Bus bus(options(observer_));
  auto step =
      bus.subscribe("shop.paid", "step", [&](const Json&) { tracer_->StartSpan("charge_card")->End(); },
                    {.dispatch = Dispatch::Queued});
  bus.publish("shop.paid", Json{{"order", 7}});
  ASSERT_TRUE(bus.wait_idle(kLongWait));
  const auto all = exported();
  EXPECT_EQ(named(all, "charge_card").parent, named(all, "process shop.paid").id);
  EXPECT_EQ(named(all, "process shop.paid").parent, named(all, "publish shop.paid").id);
}

TEST_F(OpenTelemetryObserverTest, ATraceThatComesInGoesOnAndAnUnsampledOneStaysSo) {
  Bus bus(options(observer_));
  std::optional<TraceParent> events;
  std::string state;
  auto step = bus.subscribe("shop.paid", "step", [&](const Json&, const EventContext& context) {
    events = context.metadata().traceparent;
    state = context.metadata().tracestate.str();
    tracer_->StartSpan("charge_card")->End();
  });
  const auto publish_in = [&](const std::string& flags) {
    const ContextScope scope(Context{
        .traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flags),
        .tracestate = "vendor=1"});
    bus.publish("shop.paid", Json{{"order", 7}});
    return exported();
  };
  const SeenSpan publish = named(publish_in("01"), "publish shop.paid");
  EXPECT_EQ(publish.trace, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(publish.parent, "b7ad6b7169203331");
  EXPECT_EQ(state, "vendor=1");
  EXPECT_THAT(publish_in("00"), IsEmpty()) << "not even the application's own span";
  EXPECT_EQ(events->trace_id_text(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_FALSE(events->sampled());
}

TEST_F(OpenTelemetryObserverTest, WithoutAnSdkABusGoesOnAsWithoutAnObserver) {
  const api::nostd::shared_ptr<api::trace::Tracer> none(std::make_shared<api::trace::NoopTracer>());
  Bus bus(options(std::make_shared<OpenTelemetryObserver>(none)));
  std::optional<TraceParent> events;
  auto note = bus.subscribe("shop.paid", "note", [&](const Json&, const EventContext& context) {
    events = context.metadata().traceparent;
  });
  const ContextScope scope(
      Context{.traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")});
  bus.publish("shop.paid", Json{{"order", 7}});
  EXPECT_EQ(events, scope.context().traceparent);
}

TEST_F(OpenTelemetryObserverTest, RefusesWhatCannotWork) {
  EXPECT_THROW(OpenTelemetryObserver{OpenTelemetryObserver::ApiTracer()}, Error);
  EXPECT_THROW(OpenTelemetryObserver(tracer_, {.clock = nullptr}), Error);
  EXPECT_THROW(OpenTelemetryObserver(tracer_, {.late = -1s}), Error);
}

}  // namespace
}  // namespace tidings::telemetry
