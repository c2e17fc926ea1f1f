#include <tidings/telemetry/tracer.hpp>

#include "tracing/tracer_core.hpp"

#include <tidings/bus.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tidings::telemetry {

namespace {

constexpr std::uint8_t kSampled = 1;
constexpr std::int64_t kNanosecondsOfAMicrosecond = 1'000;

void put(std::uint64_t bits, std::uint8_t* bytes) noexcept { std::memcpy(bytes, &bits, sizeof bits); }

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

AttributeValue attribute_value(const ContextValue& value) {
  const Json json = value.to_json();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer() && (!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX))
    return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  return logging::default_redactor()->redact_text(json.get<std::string>());
}

/// With the names that the application gave them: those of conventions have dots, and these cannot.
void add_fields(Attributes& attributes, const ContextFields& fields) {
  for (const auto& [name, value] : fields) {
    if (!logging::default_redactor()->denies(name)) attributes.push_back({name, attribute_value(value)});
  }
}

/// What a handler has bound as the stack of its failure is taken out of the attributes (docs/logging.md).
std::string take_stack(Attributes& attributes) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [](const Attribute& attribute) { return attribute.name == "stack"; });
  if (found == attributes.end()) return {};
  auto* const text = std::get_if<std::string>(&found->value);
  if (text == nullptr) return {};
  std::string stack = std::move(*text);
  attributes.erase(found);
  return stack;
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

}  // namespace

SpanContext span_context_of(const TraceParent& trace) {
  return {.trace_id = {trace.trace_id}, .span_id = {trace.parent_id}, .trace_flags = trace.flags};
}

std::uint64_t nanoseconds(Timestamp time) noexcept {
  return static_cast<std::uint64_t>(time.time_since_epoch().count() * kNanosecondsOfAMicrosecond);
}

void mark_failed(SpanData& span, const std::string& error_type, const std::string& message) {
  span.status = SpanStatus::Error;
  span.status_message = message;
  span.attributes.push_back({"error.type", error_type});
}

SpanId Tracer::Core::new_span_id() const noexcept {
  SpanId id;
  do {
    put(options_.random(), id.bytes.data());
  } while (id == SpanId{});
  return id;
}

TraceParent Tracer::Core::new_trace(std::optional<bool> sampled) const noexcept {
  TraceParent trace;
  put(options_.random(), trace.trace_id.data());
  put(options_.random() | 1U, trace.trace_id.data() + 8);  // not all zero
  trace.parent_id = new_span_id().bytes;
  if (sampled ? *sampled : options_.sampler.samples({trace.trace_id}, std::nullopt)) trace.flags = kSampled;
  return trace;
}

void Tracer::Core::leave_out(std::uint8_t trace_flags) const noexcept {
  if ((trace_flags & kSampled) != 0 && lose_) lose_();
}

void Tracer::Core::add_exception(SpanData& span, const ExceptionFacts& exception, Severity severity,
                                 const char* event_name) const {
  Attributes attributes = {{"exception.type", exception.type}, {"exception.message", exception.message}};
  if (!exception.stack.empty()) attributes.push_back({"exception.stacktrace", exception.stack});
  if (exceptions_.signal != ExceptionSignal::SpanEvents) {
    LogData log{.time_ns = span.end_ns, .observed_ns = span.end_ns, .severity = severity};
    log.severity_text = severity == Severity::Error ? "error" : "warning";
    log.event_name = event_name;
    log.logger = "tidings";  // the scope of the spans, too
    log.body = span.name + " failed";
    log.context = span.context;
    log.context.trace_flags |= kSampled;  // a kept trace is exported now
    log.attributes = attributes;
    log.attributes.insert(log.attributes.end(), span.attributes.begin(), span.attributes.end());
    exceptions_.logs(std::move(log));
  }
  if (exceptions_.signal != ExceptionSignal::Logs)
    span.events.push_back({.name = "exception", .time_ns = span.end_ns, .attributes = std::move(attributes)});
}

void Tracer::Core::note_exemplar(const SpanData& span, bool happened,
                                 const AttemptEnd& attempt) const noexcept {
  const bool exported = (span.context.trace_flags & kSampled) != 0 || happened;
  if (!options_.exemplars || !exported) return;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(attempt.duration);
  options_.exemplars->note(
      attempt.context.subscribed_type(), attempt.context.handler(),
      {duration, attempt.at + duration, {span.context.trace_id, span.context.span_id.bytes, kSampled}});
}

void Tracer::Core::end(SpanData span, bool happened) {
  if ((span.context.trace_flags & kSampled) != 0) return sink_(std::move(span));
  for (SpanData& each : kept_.add(std::move(span), happened, options_.clock->monotonic_now())) {
    each.context.trace_flags |= kSampled;
    sink_(std::move(each));
  }
}

namespace {

/// A span of a publish or attempt that has begun: what ObservedSpan::data points to.
struct OpenSpan {
  SpanData span;
  /// Around it, if it is a redrive's.
  std::optional<SpanData> redrive;
};

OpenSpan& open_span(const ObservedSpan& span) noexcept { return *static_cast<OpenSpan*>(span.data); }

/// A span for which there is no memory is left out of `core`, a tracer's.
template <class Core, class Work>
void unless_short_of_memory(const Core& core, std::uint8_t trace_flags, const Work& work) noexcept {
  try {
    work();
  } catch (const std::bad_alloc&) {
    core.leave_out(trace_flags);
  }
}

/// Nothing is recorded if there is no memory for it; the ids go on all the same.
template <class Core, class Fill>
ObservedSpan recorded(const Core& core, const TraceParent& trace, const Fill& fill) noexcept {
  try {
    auto open = std::make_unique<OpenSpan>();
    open->span.context = span_context_of(trace);
    fill(*open);
    return {trace, true, open.release()};
  } catch (...) {
    core.leave_out(trace.flags);
    return {trace};
  }
}

}  // namespace

namespace {

TracerOptions checked(TracerOptions options) {
  if (!options.clock || !options.random)
    throw Error(ErrorCode::InvalidArgument, "a tracer needs a clock and a source of random numbers");
  if (options.late.count() < 0 || options.keep.time.count() < 0)
    throw Error(ErrorCode::InvalidArgument, "times of TracerOptions must not be negative");
  return options;
}

}  // namespace

Tracer::Tracer(const std::shared_ptr<Exporter>& exporter, TracerOptions options) {
  if (!exporter) throw Error(ErrorCode::InvalidArgument, "a tracer needs an exporter or a sink");
  core_ = std::make_shared<Core>(
      [exporter](SpanData span) { exporter->add(std::move(span)); },
      [exporter] { exporter->add_lost(ExportSignal::Traces); },
      ExceptionTelling{exporter->exceptions(), [exporter](LogData log) { exporter->add(std::move(log)); }},
      checked(std::move(options)));
}

Tracer::Tracer(Sink sink, TracerOptions options) {
  if (!sink) throw Error(ErrorCode::InvalidArgument, "a tracer needs an exporter or a sink");
  core_ = std::make_shared<Core>(std::move(sink), std::function<void()>{}, ExceptionTelling{},
                                 checked(std::move(options)));
}

Tracer::~Tracer() = default;

ObservedSpan Tracer::publish_started(const PublishStart& publish) {
  const auto& parent = publish.metadata.traceparent;
  TraceParent trace;
  if (parent) {
    if (!core_->records(*parent)) return {};  // it goes on as it is
    trace = *parent;
    trace.parent_id = core_->new_span_id().bytes;
  } else {
    trace = core_->new_trace(std::nullopt);
    if (!core_->records(trace)) return {trace};
  }
  return recorded(*core_, trace, [&](OpenSpan& open) {
    SpanData& span = open.span;
    if (parent) span.parent_span_id = {parent->parent_id};
    span.context.tracestate = publish.metadata.tracestate.str();
    span.name = "publish " + std::string(publish.event_type);
    span.kind = SpanKind::Producer;
    span.start_ns = nanoseconds(publish.metadata.published_at);
    add_messaging(span.attributes, "publish", "send", publish.event_type, publish.metadata);
    span.attributes.push_back({"tidings.durable", publish.durable});
    add_fields(span.attributes, publish.metadata.fields);
  });
}

void Tracer::publish_ended(const ObservedSpan& observed, const PublishEnd& publish) {
  const std::unique_ptr<OpenSpan> open(&open_span(observed));
  unless_short_of_memory(*core_, open->span.context.trace_flags, [&] {
    SpanData& span = open->span;
    span.end_ns = span.start_ns + static_cast<std::uint64_t>(publish.duration.count());
    if (publish.result == nullptr) {
      mark_failed(span, "refused", "the event was not accepted");
    } else if (publish.result->duplicate) {
      span.attributes.push_back({"tidings.duplicate", true});
    }
    core_->end(std::move(span), publish.result == nullptr);
  });
}

ObservedSpan Tracer::attempt_started(const AttemptStart& attempt) {
  const Metadata& metadata = attempt.context.metadata();
  const auto& published = metadata.traceparent;
  const TracerOptions& options = core_->options();
  std::optional<SpanContext> previous;
  if (attempt.previous != nullptr) previous = span_context_of_attempt(*attempt.previous, published);
  const Timestamp since =
      attempt.previous != nullptr ? attempt.previous->at + attempt.previous->duration : metadata.published_at;
  const bool late = attempt.letter_id != 0 || attempt.recovered || attempt.at - since >= options.late;
  const bool begins = !published || (options.new_traces == NewTraces::WhenLate && late) ||
                      (options.new_traces == NewTraces::Always && !attempt.inside_publish);
  const std::optional<bool> decided = published ? std::optional(published->sampled()) : std::nullopt;
  TraceParent trace;
  SpanId parent;
  if (begins) {
    trace = core_->new_trace(decided);
  } else {
    // An attempt soon after one that began a trace goes on in that.
    const bool in_new_trace = previous && previous->trace_id.bytes != published->trace_id;
    trace = *published;
    parent = {published->parent_id};
    if (in_new_trace) {
      trace.trace_id = previous->trace_id.bytes;
      parent = previous->span_id;
    }
    trace.parent_id = core_->new_span_id().bytes;
  }
  if (!core_->records(trace)) return published ? ObservedSpan{} : ObservedSpan{trace};
  return recorded(*core_, trace, [&](OpenSpan& open) {
    SpanData& span = open.span;
    span.parent_span_id = parent;
    span.name = "process " + std::string(attempt.context.event_type());
    span.kind = SpanKind::Consumer;
    span.start_ns = nanoseconds(attempt.at);
    if (published) span.links.push_back({span_context_of(*published)});
    if (previous) span.links.push_back({*previous});
    add_messaging(span.attributes, "process", "process", attempt.context.event_type(), metadata);
    span.attributes.push_back(
        {"messaging.destination.subscription.name", std::string(attempt.context.handler())});
    span.attributes.push_back({"tidings.attempt.id", attempt.context.idempotency_key() + "/" +
                                                         std::to_string(attempt.context.attempt())});
    span.attributes.push_back({"tidings.attempt.number", std::int64_t{attempt.context.attempt()}});
    if (attempt.recovered) span.attributes.push_back({"tidings.recovered", true});
    add_fields(span.attributes, metadata.fields);
    if (attempt.letter_id == 0) return;
    span.attributes.push_back({"tidings.letter.id", attempt.letter_id});
    SpanData& around = open.redrive.emplace();
    around.context = span.context;
    around.context.span_id = core_->new_span_id();
    around.parent_span_id = std::exchange(span.parent_span_id, around.context.span_id);
    around.name = "redrive " + std::string(attempt.context.event_type());
    around.start_ns = span.start_ns;
    around.links = span.links;
    add_messaging(around.attributes, "redrive", nullptr, attempt.context.event_type(), metadata);
    around.attributes.push_back({"tidings.letter.id", attempt.letter_id});
  });
}

void Tracer::attempt_ended(const ObservedSpan& observed, const AttemptEnd& attempt) {
  const std::unique_ptr<OpenSpan> open(&open_span(observed));
  unless_short_of_memory(*core_, open->span.context.trace_flags, [&] {
    SpanData& span = open->span;
    span.end_ns = span.start_ns + static_cast<std::uint64_t>(attempt.duration.count());
    add_fields(span.attributes, attempt.context.bound());
    if (attempt.failure != nullptr) {
      mark_failed(span, attempt.failure->error_type, attempt.failure->error_message);
      span.attributes.push_back({"tidings.will_retry", attempt.retry_in.has_value()});
      const std::string stack = take_stack(span.attributes);
      core_->add_exception(span, {attempt.failure->error_type, attempt.failure->error_message, stack},
                           attempt.retry_in ? Severity::Warning : Severity::Error,
                           "messaging.process.exception");
    }
    const bool happened = attempt.failure != nullptr || core_->is_slow(attempt.duration);
    if (open->redrive) {
      open->redrive->end_ns = span.end_ns;
      if (attempt.failure != nullptr)
        mark_failed(*open->redrive, attempt.failure->error_type, attempt.failure->error_message);
      core_->end(*std::move(open->redrive), happened);
    }
    if (attempt.failure == nullptr) core_->note_exemplar(span, happened, attempt);
    core_->end(std::move(span), happened);
  });
}

void Tracer::Core::give_up(const DeadLetter& letter, const LetterOutcome& outcome) {
  const auto& published = letter.metadata.traceparent;
  SpanContext parent = span_context_of(*published);
  if (!letter.attempts.empty()) {
    if (const auto last = span_context_of_attempt(letter.attempts.back(), published)) parent = *last;
  }
  SpanData span;
  span.context = parent;
  span.context.span_id = new_span_id();
  span.parent_span_id = parent.span_id;
  span.name = "give up " + letter.event_type;
  span.start_ns = nanoseconds(letter.failed_at);
  span.end_ns = std::max(span.start_ns, nanoseconds(options_.clock->now()));
  add_messaging(span.attributes, "give up", nullptr, letter.event_type, letter.metadata);
  if (!letter.handler.empty())
    span.attributes.push_back({"messaging.destination.subscription.name", letter.handler});
  span.attributes.push_back({"tidings.reason", std::string(to_string(letter.reason))});
  mark_failed(span, letter.error_type, letter.error_message);
  SpanEvent commit{.name = "tidings.letter.committed", .time_ns = span.end_ns};
  switch (outcome.place) {
    case LetterOutcome::Place::Stored:
    case LetterOutcome::Place::AlreadyStored:
      span.attributes.push_back({"tidings.letter.id", outcome.id});
      break;
    case LetterOutcome::Place::Spilled:
      commit.name = "tidings.letter.spilled";
      break;
    case LetterOutcome::Place::Unsaved:
      commit.name = "tidings.letter.unsaved";
      break;
    case LetterOutcome::Place::Repeat:
      return;
  }
  span.events.push_back(std::move(commit));
  end(std::move(span), true);
}

void Tracer::letters_kept(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) {
  for (std::size_t index = 0; index < letters.size(); ++index) {
    const auto& published = letters[index].metadata.traceparent;
    if (!published || !core_->records(*published)) continue;
    unless_short_of_memory(*core_, published->flags,
                           [&] { core_->give_up(letters[index], outcomes[index]); });
  }
}

void Tracer::recovery_started(const RecoveryStart& recovery) {
  const TraceParent trace = core_->new_trace(std::nullopt);
  if (!core_->records(trace)) return;
  unless_short_of_memory(*core_, trace.flags, [&] {
    SpanData span;
    span.context = span_context_of(trace);
    span.name = "recover";
    span.start_ns = span.end_ns = nanoseconds(core_->options().clock->now());
    span.attributes = {{"messaging.system", "tidings"},
                       {"messaging.operation.name", "recover"},
                       {"messaging.batch.message_count", static_cast<std::int64_t>(recovery.events)},
                       {"tidings.crashed", recovery.crashed}};
    core_->end(std::move(span), recovery.crashed);
  });
}

}  // namespace tidings::telemetry
