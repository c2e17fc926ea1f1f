#include <tidings/telemetry/bus_spans.hpp>

#include "tracing/add_attribute.hpp"
#include "tracing/span_parts.hpp"

#include <tidings/bus.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace tidings::telemetry {

namespace {

/// The span of an attempt that has been made, of an event that bears `events`.
std::optional<SpanContext> span_context_of_attempt(const Attempt& attempt,
                                                   const std::optional<TraceParent>& events) {
  if (!attempt.span_id) return std::nullopt;
  SpanContext context{.span_id = *attempt.span_id, .trace_flags = events ? events->flags : std::uint8_t{0}};
  if (attempt.trace_id) {
    context.trace_id = *attempt.trace_id;
  } else if (events) {
    context.trace_id = {events->trace_id};
  } else {
    return std::nullopt;
  }
  return context;
}

std::optional<SpanContext> previous_span(const AttemptStart& attempt) {
  if (attempt.previous == nullptr) return std::nullopt;
  return span_context_of_attempt(*attempt.previous, attempt.context.metadata().traceparent);
}

AttributeValue context_attribute(const ContextValue& value) {
  const Json json = value.to_json();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer() && (!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX))
    return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  return json.get<std::string>();
}

/// With the names that the application gave them: those of conventions have dots, and these cannot.
void add_fields(SpanData& span, const ContextFields& fields) {
  for (const auto& [name, value] : fields)
    add_attribute(span.attributes, span.dropped.attributes, name, context_attribute(value));
}

/// What a handler has bound as the stack of its failure (docs/logging.md), which is no attribute then. A
/// field of the event of that name is none. Empty if there is none.
std::string stack_among(const ContextFields& bound) {
  const ContextValue* const stack = bound.find("stack");
  const std::string* const text = stack != nullptr ? stack->text() : nullptr;
  return text != nullptr ? logging::default_redactor()->redact_text(*text) : std::string();
}

void add_messaging(Attributes& attributes, const char* operation, const char* type,
                   std::string_view event_type, const Metadata& metadata) {
  attributes.push_back({"messaging.system", "tidings"});
  attributes.push_back({"messaging.operation.name", operation});
  if (type != nullptr) attributes.push_back({"messaging.operation.type", type});
  attributes.push_back({"messaging.destination.name", std::string(event_type)});
  attributes.push_back({"messaging.message.id", metadata.event_id.to_string()});
  attributes.push_back({"messaging.message.conversation_id", metadata.correlation_id.to_string()});
}

SpanData redrive_span(const AttemptStart& attempt, const SpanData& of_attempt) {
  SpanData around;
  around.name = "redrive " + std::string(attempt.context.event_type());
  around.start_ns = of_attempt.start_ns;
  around.links = of_attempt.links;
  add_messaging(around.attributes, "redrive", nullptr, attempt.context.event_type(),
                attempt.context.metadata());
  around.attributes.push_back({"tidings.letter.id", attempt.letter_id});
  return around;
}

}  // namespace

SpanContext span_context_of(const TraceParent& trace) {
  return {.trace_id = {trace.trace_id}, .span_id = {trace.parent_id}, .trace_flags = trace.flags};
}

std::uint64_t nanoseconds(Timestamp time) noexcept {
  constexpr std::int64_t kNanosecondsOfAMicrosecond = 1'000;
  return static_cast<std::uint64_t>(time.time_since_epoch().count() * kNanosecondsOfAMicrosecond);
}

void mark_failed(SpanData& span, const std::string& error_type, const std::string& message) {
  span.status = SpanStatus::Error;
  span.status_message = message;
  for (Attribute& each : span.attributes) {
    if (each.name == "error.type") {
      each.value = error_type;
      return;
    }
  }
  span.attributes.push_back({"error.type", error_type});
}

AttemptPlace place_of(const AttemptStart& attempt, NewTraces new_traces, std::chrono::seconds late) {
  const Metadata& metadata = attempt.context.metadata();
  const auto& published = metadata.traceparent;
  AttemptPlace place;
  if (!published) return place;
  place.sampled = published->sampled();
  const Timestamp since =
      attempt.previous != nullptr ? attempt.previous->at + attempt.previous->duration : metadata.published_at;
  const bool is_late = attempt.letter_id != 0 || attempt.recovered || attempt.at - since >= late;
  if ((new_traces == NewTraces::WhenLate && is_late) ||
      (new_traces == NewTraces::Always && !attempt.inside_publish))
    return place;
  place.parent = *published;
  // An attempt soon after one that began a trace goes on in that.
  const auto previous = previous_span(attempt);
  if (previous && previous->trace_id.bytes != published->trace_id) {
    place.parent->trace_id = previous->trace_id.bytes;
    place.parent->parent_id = previous->span_id.bytes;
  }
  return place;
}

BusSpan begin_span(const PublishStart& publish) {
  SpanData span;
  span.context.tracestate = publish.metadata.tracestate.str();
  span.name = "publish " + std::string(publish.event_type);
  span.kind = SpanKind::Producer;
  span.start_ns = nanoseconds(publish.metadata.published_at);
  add_messaging(span.attributes, "publish", "send", publish.event_type, publish.metadata);
  span.attributes.push_back({"tidings.durable", publish.durable});
  add_fields(span, publish.metadata.fields);
  return {.span = std::move(span)};
}

BusSpan begin_span(const AttemptStart& attempt) {
  const Metadata& metadata = attempt.context.metadata();
  BusSpan begun;
  SpanData& span = begun.span;
  span.name = "process " + std::string(attempt.context.event_type());
  span.kind = SpanKind::Consumer;
  span.context.tracestate = metadata.tracestate.str();
  span.start_ns = nanoseconds(attempt.at);
  if (metadata.traceparent) span.links.push_back({span_context_of(*metadata.traceparent)});
  if (const auto previous = previous_span(attempt)) span.links.push_back({*previous});
  add_messaging(span.attributes, "process", "process", attempt.context.event_type(), metadata);
  span.attributes.push_back(
      {"messaging.destination.subscription.name", std::string(attempt.context.handler())});
  span.attributes.push_back({"tidings.attempt.id", attempt.context.idempotency_key() + "/" +
                                                       std::to_string(attempt.context.attempt())});
  span.attributes.push_back({"tidings.attempt.number", std::int64_t{attempt.context.attempt()}});
  if (attempt.recovered) span.attributes.push_back({"tidings.recovered", true});
  add_fields(span, metadata.fields);
  if (attempt.letter_id != 0) {
    span.attributes.push_back({"tidings.letter.id", attempt.letter_id});
    begun.redrive = redrive_span(attempt, span);
  }
  return begun;
}

Attributes attributes_of(const ExceptionFacts& exception) {
  Attributes attributes = {{"exception.type", exception.type}, {"exception.message", exception.message}};
  if (!exception.stack.empty()) attributes.push_back({"exception.stacktrace", exception.stack});
  return attributes;
}

void end_span(BusSpan& publish_span, const PublishEnd& publish) {
  SpanData& span = publish_span.span;
  span.end_ns = span.start_ns + static_cast<std::uint64_t>(publish.duration.count());
  if (publish.result == nullptr) {
    mark_failed(span, "refused", "the event was not accepted");
  } else if (publish.result->duplicate) {
    span.attributes.push_back({"tidings.duplicate", true});
  }
}

std::optional<ExceptionFacts> end_span(BusSpan& attempt_span, const AttemptEnd& attempt) {
  SpanData& span = attempt_span.span;
  span.end_ns = span.start_ns + static_cast<std::uint64_t>(attempt.duration.count());
  if (attempt_span.redrive) attempt_span.redrive->end_ns = span.end_ns;
  const ContextFields bound = attempt.context.bound();
  const std::string stack = attempt.failure != nullptr ? stack_among(bound) : std::string();
  for (const auto& [name, value] : bound) {
    if (stack.empty() || name != "stack")
      add_attribute(span.attributes, span.dropped.attributes, name, context_attribute(value));
  }
  if (attempt.failure == nullptr) return std::nullopt;
  const Attempt& failure = *attempt.failure;
  mark_failed(span, failure.error_type, failure.error_message);
  span.attributes.push_back({"tidings.will_retry", attempt.retry_in.has_value()});
  if (attempt_span.redrive) mark_failed(*attempt_span.redrive, failure.error_type, failure.error_message);
  return ExceptionFacts{failure.error_type, failure.error_message, stack};
}

std::optional<SpanData> letter_span(const DeadLetter& letter, const LetterOutcome& outcome, Timestamp now) {
  const auto& published = letter.metadata.traceparent;
  if (!published || outcome.place == LetterOutcome::Place::Repeat) return std::nullopt;
  SpanContext parent = span_context_of(*published);
  if (!letter.attempts.empty()) {
    if (const auto last = span_context_of_attempt(letter.attempts.back(), published)) parent = *last;
  }
  SpanData span;
  span.context = parent;
  span.context.span_id = {};
  span.parent_span_id = parent.span_id;
  span.name = "give up " + letter.event_type;
  span.start_ns = nanoseconds(letter.failed_at);
  span.end_ns = std::max(span.start_ns, nanoseconds(now));
  add_messaging(span.attributes, "give up", nullptr, letter.event_type, letter.metadata);
  if (!letter.handler.empty())
    span.attributes.push_back({"messaging.destination.subscription.name", letter.handler});
  span.attributes.push_back({"tidings.reason", std::string(to_string(letter.reason))});
  mark_failed(span, letter.error_type, letter.error_message);
  SpanEvent commit{.name = "tidings.letter.committed", .time_ns = span.end_ns};
  if (outcome.place == LetterOutcome::Place::Spilled) {
    commit.name = "tidings.letter.spilled";
  } else if (outcome.place == LetterOutcome::Place::Unsaved) {
    commit.name = "tidings.letter.unsaved";
  } else {
    span.attributes.push_back({"tidings.letter.id", outcome.id});
  }
  span.events.push_back(std::move(commit));
  return span;
}

SpanData recovery_span(const RecoveryStart& recovery, Timestamp now) {
  SpanData span;
  span.name = "recover";
  span.start_ns = span.end_ns = nanoseconds(now);
  span.attributes = {{"messaging.system", "tidings"},
                     {"messaging.operation.name", "recover"},
                     {"messaging.batch.message_count", static_cast<std::int64_t>(recovery.events)},
                     {"tidings.crashed", recovery.crashed}};
  return span;
}

}  // namespace tidings::telemetry
