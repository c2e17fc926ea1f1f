#pragma once

// Without the API of opentelemetry-cpp there is nothing in this header.
#if __has_include(<opentelemetry/trace/tracer.h>)

#include <tidings/clock.hpp>
#include <tidings/error.hpp>
#include <tidings/observer.hpp>
#include <tidings/telemetry/bus_spans.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/trace_context.hpp>

#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/common/timestamp.h>
#include <opentelemetry/context/context.h>
#include <opentelemetry/nostd/shared_ptr.h>
#include <opentelemetry/nostd/string_view.h>
#include <opentelemetry/trace/scope.h>
#include <opentelemetry/trace/span.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/span_metadata.h>
#include <opentelemetry/trace/span_startoptions.h>
#include <opentelemetry/trace/trace_state.h>
#include <opentelemetry/trace/tracer.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// For a service that has opentelemetry-cpp anyway: tidings itself is not linked with it. Other services need
// nothing but <tidings/telemetry/tracer.hpp>.

namespace tidings::telemetry {

// How opentelemetry-cpp has things; for this header alone.
namespace opentelemetry_cpp {

namespace api = ::opentelemetry;

using SpanPtr = api::nostd::shared_ptr<api::trace::Span>;
/// The parent of a span that begins. An invalid context: the span that is active on this thread, if there is
/// one.
using Parent = decltype(api::trace::StartSpanOptions::parent);
/// They refer to what they are made of.
using AttributeViews = std::vector<std::pair<api::nostd::string_view, api::common::AttributeValue>>;

inline api::nostd::string_view view_of(const std::string& text) noexcept {
  return {text.data(), text.size()};
}

inline api::common::AttributeValue view_of(const AttributeValue& value) {
  if (const auto* const text = std::get_if<std::string>(&value)) return view_of(*text);
  if (const bool* const flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return *number;
  return std::get<double>(value);
}

inline AttributeViews views_of(const Attributes& attributes) {
  AttributeViews views;
  for (const Attribute& each : attributes) views.emplace_back(view_of(each.name), view_of(each.value));
  return views;
}

inline api::common::SystemTimestamp time_of(std::uint64_t since_1970_ns) noexcept {
  return api::common::SystemTimestamp(std::chrono::nanoseconds(since_1970_ns));
}

inline api::trace::SpanContext context_of(const TraceParent& trace, const std::string& tracestate = {}) {
  const auto state = tracestate.empty() ? api::trace::TraceState::GetDefault()
                                        : api::trace::TraceState::FromHeader(view_of(tracestate));
  return {api::trace::TraceId(trace.trace_id), api::trace::SpanId(trace.parent_id),
          api::trace::TraceFlags(trace.flags), false, state};
}

inline api::trace::SpanContext context_of(const SpanContext& context) {
  return context_of({context.trace_id.bytes, context.span_id.bytes, context.trace_flags}, context.tracestate);
}

inline TraceParent trace_of(const api::trace::SpanContext& context) noexcept {
  TraceParent trace;
  const auto trace_id = context.trace_id().Id();
  const auto span_id = context.span_id().Id();
  std::copy(trace_id.begin(), trace_id.end(), trace.trace_id.begin());
  std::copy(span_id.begin(), span_id.end(), trace.parent_id.begin());
  trace.flags = context.trace_flags().flags();
  return trace;
}

inline api::trace::SpanKind kind_of(SpanKind kind) noexcept {
  if (kind == SpanKind::Producer) return api::trace::SpanKind::kProducer;
  return kind == SpanKind::Consumer ? api::trace::SpanKind::kConsumer : api::trace::SpanKind::kInternal;
}

/// Not even the active span.
inline Parent no_parent() { return api::context::Context(api::trace::kIsRootSpanKey, true); }

/// A publish within a span of the application's is its child.
inline Parent parent_of_publish(const PublishStart& publish, const std::string& tracestate) {
  const auto& inherited = publish.metadata.traceparent;
  const auto active = api::trace::Tracer::GetCurrentSpan()->GetContext();
  if (!inherited || (active.IsValid() && trace_of(active).trace_id == inherited->trace_id))
    return api::trace::SpanContext::GetInvalid();
  return context_of(*inherited, tracestate);
}

/// A span that has begun, and how much of what tidings says of it has been handed over.
struct Begun {
  SpanPtr span;
  api::common::SteadyTimestamp at;
  std::size_t attributes = 0;
};

inline Begun begin(api::trace::Tracer& tracer, const SpanData& said, const Parent& parent) {
  Begun begun{{}, api::common::SteadyTimestamp(std::chrono::steady_clock::now()), said.attributes.size()};
  api::trace::StartSpanOptions options;
  options.start_system_time = time_of(said.start_ns);
  options.start_steady_time = begun.at;
  options.parent = parent;
  options.kind = kind_of(said.kind);
  std::vector<std::pair<api::trace::SpanContext, AttributeViews>> links;
  for (const SpanLink& link : said.links)
    links.emplace_back(context_of(link.context), views_of(link.attributes));
  begun.span = tracer.StartSpan(view_of(said.name), views_of(said.attributes), links, options);
  return begun;
}

/// Hands over what has come since.
inline void end(const Begun& begun, const SpanData& said) {
  api::trace::Span& span = *begun.span;
  for (std::size_t i = begun.attributes; i < said.attributes.size(); ++i)
    span.SetAttribute(view_of(said.attributes[i].name), view_of(said.attributes[i].value));
  for (const SpanEvent& event : said.events)
    span.AddEvent(view_of(event.name), time_of(event.time_ns), views_of(event.attributes));
  if (said.status == SpanStatus::Error)
    span.SetStatus(api::trace::StatusCode::kError, view_of(said.status_message));
  api::trace::EndSpanOptions options;
  const std::chrono::nanoseconds took(static_cast<std::int64_t>(said.end_ns - said.start_ns));
  options.end_steady_time = api::common::SteadyTimestamp(begun.at.time_since_epoch() + took);
  span.End(options);
}

/// What ObservedSpan::data points to. The span is active until this is destroyed.
struct Open {
  BusSpan said;
  Begun begun;
  std::optional<Begun> redrive;
  api::trace::Scope scope;
};

}  // namespace opentelemetry_cpp

struct OpenTelemetryObserverOptions {
  NewTraces new_traces = NewTraces::WhenLate;
  /// Since the publish, or since the attempt before.
  std::chrono::seconds late{60};
  std::shared_ptr<Clock> clock = system_clock();
};

/// Makes the spans of Tracer with an application's own opentelemetry-cpp: BusTelemetry::observer. Names,
/// kinds, attributes, links and events are the same (docs/telemetry.md); ids, sampling, limits and where
/// spans go are those of the application's SDK, and events bear the ids that it gives.
///
///     const auto provider = opentelemetry::trace::Provider::GetTracerProvider();
///     const auto observer = std::make_shared<OpenTelemetryObserver>(provider->GetTracer("orders"));
///     Bus bus({.service = "orders", .telemetry = {.observer = observer}});
///
/// While a publish or a handler runs its span is active on that thread, so that spans which the application
/// begins there are its children. An event that is published while a span of the application is active has it
/// as its parent, unless the event's own context is of another trace. Without an SDK, whose spans have no
/// ids, a bus goes on as without an observer. Exceptions are events of spans.
///
/// Whatever this is compiled with has to have the definitions of the library (HAVE_ABSEIL in Debian's
/// package); CMake's target opentelemetry-cpp::api has them. Needs opentelemetry-cpp 1.19 or newer.
///
/// Thread-safe. Never throws: a span for which there is no memory is left out.
class OpenTelemetryObserver final : public Observer {
 public:
  using ApiTracer = ::opentelemetry::nostd::shared_ptr<::opentelemetry::trace::Tracer>;

  /// Throws Error(InvalidArgument) for null and for a negative time.
  explicit OpenTelemetryObserver(ApiTracer tracer, OpenTelemetryObserverOptions options = {})
      : tracer_(std::move(tracer)), options_(std::move(options)) {
    if (!tracer_ || !options_.clock)
      throw Error(ErrorCode::InvalidArgument, "an observer needs a tracer and a clock");
    if (options_.late.count() < 0)
      throw Error(ErrorCode::InvalidArgument, "times of OpenTelemetryObserverOptions must not be negative");
  }

  [[nodiscard]] ObservedSpan publish_started(const PublishStart& publish) override {
    return observed([&] {
      BusSpan said = begin_span(publish);
      const auto parent = opentelemetry_cpp::parent_of_publish(publish, said.span.context.tracestate);
      auto begun = opentelemetry_cpp::begin(*tracer_, said.span, parent);
      return open(std::move(said), std::move(begun));
    });
  }

  void publish_ended(const ObservedSpan& span, const PublishEnd& publish) override {
    const std::unique_ptr<opentelemetry_cpp::Open> open(open_span(span));
    unless_short_of_memory([&] {
      end_span(open->said, publish);
      opentelemetry_cpp::end(open->begun, open->said.span);
    });
  }

  [[nodiscard]] ObservedSpan attempt_started(const AttemptStart& attempt) override {
    const AttemptPlace place = place_of(attempt, options_.new_traces, options_.late);
    // No SDK can be told that a trace which begins is not sampled.
    if (!place.parent && place.sampled == false) return {};
    return observed([&] {
      BusSpan said = begin_span(attempt);
      opentelemetry_cpp::Parent parent = opentelemetry_cpp::no_parent();
      if (place.parent) parent = opentelemetry_cpp::context_of(*place.parent);
      std::optional<opentelemetry_cpp::Begun> redrive;
      if (said.redrive) {
        redrive = opentelemetry_cpp::begin(*tracer_, *said.redrive, parent);
        parent = redrive->span->GetContext();
      }
      auto begun = opentelemetry_cpp::begin(*tracer_, said.span, parent);
      return open(std::move(said), std::move(begun), std::move(redrive));
    });
  }

  void attempt_ended(const ObservedSpan& span, const AttemptEnd& attempt) override {
    const std::unique_ptr<opentelemetry_cpp::Open> open(open_span(span));
    unless_short_of_memory([&] {
      BusSpan& said = open->said;
      if (const auto exception = end_span(said, attempt))
        said.span.events.push_back({"exception", said.span.end_ns, attributes_of(*exception)});
      opentelemetry_cpp::end(open->begun, said.span);
      if (open->redrive) opentelemetry_cpp::end(*open->redrive, *said.redrive);
    });
  }

  void letters_kept(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) override {
    for (std::size_t index = 0; index < letters.size(); ++index) {
      unless_short_of_memory([&] {
        const auto said = letter_span(letters[index], outcomes[index], options_.clock->now());
        if (!said) return;
        SpanContext parent = said->context;
        parent.span_id = said->parent_span_id;
        opentelemetry_cpp::end(
            opentelemetry_cpp::begin(*tracer_, *said, opentelemetry_cpp::context_of(parent)), *said);
      });
    }
  }

  void recovery_started(const RecoveryStart& recovery) override {
    unless_short_of_memory([&] {
      const SpanData said = recovery_span(recovery, options_.clock->now());
      opentelemetry_cpp::end(opentelemetry_cpp::begin(*tracer_, said, opentelemetry_cpp::no_parent()), said);
    });
  }

 private:
  static opentelemetry_cpp::Open* open_span(const ObservedSpan& span) noexcept {
    return static_cast<opentelemetry_cpp::Open*>(span.data);
  }

  template <class Work>
  static void unless_short_of_memory(const Work& work) noexcept {
    try {
      work();
    } catch (const std::bad_alloc&) {
      return;
    }
  }

  template <class Begin>
  static ObservedSpan observed(const Begin& begin) noexcept {
    try {
      return begin();
    } catch (...) {
      return {};
    }
  }

  /// Also of a trace that is not sampled: spans of the application's have to see that.
  static ObservedSpan open(BusSpan&& said, opentelemetry_cpp::Begun&& begun,
                           std::optional<opentelemetry_cpp::Begun>&& redrive = std::nullopt) {
    const auto context = begun.span->GetContext();
    if (!context.IsValid()) return {};
    const auto span = begun.span;
    auto opened = std::unique_ptr<opentelemetry_cpp::Open>(new opentelemetry_cpp::Open{
        std::move(said), std::move(begun), std::move(redrive), opentelemetry_cpp::api::trace::Scope(span)});
    return {opentelemetry_cpp::trace_of(context), true, opened.release()};
  }

  const ApiTracer tracer_;
  const OpenTelemetryObserverOptions options_;
};

}  // namespace tidings::telemetry

#endif
