#include <tidings/telemetry/tracer.hpp>

#include "tracing/add_attribute.hpp"
#include "tracing/tracer_core.hpp"

#include <tidings/error.hpp>
#include <tidings/telemetry/bus_spans.hpp>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tidings::telemetry {

namespace {

constexpr std::uint8_t kSampled = 1;

void put(std::uint64_t bits, std::uint8_t* bytes) noexcept { std::memcpy(bytes, &bits, sizeof bits); }

}  // namespace

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

TraceParent Tracer::Core::decided(TraceParent parent) const noexcept {
  const bool sampled = options_.sampler.samples({parent.trace_id}, parent.sampled());
  parent.flags = static_cast<std::uint8_t>((parent.flags & ~kSampled) | (sampled ? kSampled : 0U));
  return parent;
}

void Tracer::Core::leave_out(std::uint8_t trace_flags) const noexcept {
  if ((trace_flags & kSampled) != 0 && lose_) lose_();
}

void Tracer::Core::add_exception(SpanData& span, const ExceptionFacts& exception, Severity severity,
                                 const char* event_name) const {
  Attributes attributes = attributes_of(exception);
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
  if (exceptions_.signal == ExceptionSignal::Logs) return;
  if (span.events.size() >= kMaxEvents) {
    ++span.dropped.events;
  } else {
    span.events.push_back({.name = "exception", .time_ns = span.end_ns, .attributes = std::move(attributes)});
  }
}

void Tracer::Core::note_exemplar(const SpanData& span, bool happened,
                                 const AttemptEnd& attempt) const noexcept {
  const bool exported = (span.context.trace_flags & kSampled) != 0 || happened;
  if (!options_.exemplars || !exported) return;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(attempt.duration);
  options_.exemplars->note(
      attempt.context.subscribed_type(), attempt.context.handler(),
      {duration, attempt.at + duration, {span.context.trace_id.bytes, span.context.span_id.bytes, kSampled}});
}

void Tracer::Core::end(SpanData span, bool happened) {
  if ((span.context.trace_flags & kSampled) != 0) return sink_(std::move(span));
  for (SpanData& each : kept_.add(std::move(span), happened, options_.clock->monotonic_now())) {
    each.context.trace_flags |= kSampled;
    sink_(std::move(each));
  }
}

namespace {

/// What ObservedSpan::data points to.
BusSpan& open_span(const ObservedSpan& span) noexcept { return *static_cast<BusSpan*>(span.data); }

/// A span for which there is no memory is left out of `core`, a tracer's.
template <class Core, class Work>
void unless_short_of_memory(const Core& core, std::uint8_t trace_flags, const Work& work) noexcept {
  try {
    work();
  } catch (const std::bad_alloc&) {
    core.leave_out(trace_flags);
  }
}

/// Nothing is recorded if there is no memory for it; the ids go on all the same. `parent` is null for a root.
template <class Core, class Start>
ObservedSpan recorded(const Core& core, const TraceParent& trace, const TraceParent* parent,
                      const Start& start) noexcept {
  try {
    auto open = std::make_unique<BusSpan>(begin_span(start));
    open->span.context.trace_id = {trace.trace_id};
    open->span.context.span_id = {trace.parent_id};
    open->span.context.trace_flags = trace.flags;
    if (parent != nullptr) open->span.parent_span_id = {parent->parent_id};
    return {trace, true, open.release()};
  } catch (...) {
    core.leave_out(trace.flags);
    return {trace};
  }
}

TracerOptions checked(TracerOptions options) {
  if (!options.clock || !options.random)
    throw Error(ErrorCode::InvalidArgument, "a tracer needs a clock and a source of random numbers");
  if (options.late.count() < 0 || options.keep.time.count() < 0)
    throw Error(ErrorCode::InvalidArgument, "times of TracerOptions must not be negative");
  if (options.keep.spans == 0 && options.keep.slower_than)
    throw Error(ErrorCode::InvalidArgument,
                "KeepUnsampled::slower_than is set, but KeepUnsampled::spans is 0: nothing would be kept");
  // Later is never; and nothing overflows.
  constexpr std::chrono::hours kForEver{24 * 366 * 100};
  options.late = std::min<std::chrono::seconds>(options.late, kForEver);
  options.keep.time = std::min<std::chrono::seconds>(options.keep.time, kForEver);
  if (options.keep.slower_than)
    options.keep.slower_than = std::min<std::chrono::milliseconds>(*options.keep.slower_than, kForEver);
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
  core_ = std::make_shared<Core>(std::move(sink), std::function<void()>(), ExceptionTelling{},
                                 checked(std::move(options)));
}

Tracer::~Tracer() = default;

ObservedSpan Tracer::publish_started(const PublishStart& publish) {
  const auto& parent = publish.metadata.traceparent;
  TraceParent trace;
  if (parent) {
    trace = core_->decided(*parent);
    if (!core_->records(trace)) return trace == *parent ? ObservedSpan{} : ObservedSpan{trace};
    trace.parent_id = core_->new_span_id().bytes;
  } else {
    trace = core_->new_trace(std::nullopt);
    if (!core_->records(trace)) return {trace};
  }
  return recorded(*core_, trace, parent ? &*parent : nullptr, publish);
}

void Tracer::publish_ended(const ObservedSpan& observed, const PublishEnd& publish) {
  const std::unique_ptr<BusSpan> open(&open_span(observed));
  unless_short_of_memory(*core_, open->span.context.trace_flags, [&] {
    end_span(*open, publish);
    core_->end(std::move(open->span), publish.result == nullptr);
  });
}

ObservedSpan Tracer::attempt_started(const AttemptStart& attempt) {
  const TracerOptions& options = core_->options();
  const AttemptPlace place = place_of(attempt, options.new_traces, options.late);
  TraceParent trace;
  if (place.parent) {
    trace = *place.parent;
    trace.parent_id = core_->new_span_id().bytes;
  } else {
    trace = core_->new_trace(place.sampled);
  }
  if (!core_->records(trace)) return place.sampled ? ObservedSpan{} : ObservedSpan{trace};
  const ObservedSpan observed = recorded(*core_, trace, place.parent ? &*place.parent : nullptr, attempt);
  if (!observed.recorded) return observed;
  BusSpan& open = open_span(observed);
  if (open.redrive) {
    open.redrive->context = open.span.context;
    open.redrive->context.span_id = core_->new_span_id();
    open.redrive->parent_span_id = std::exchange(open.span.parent_span_id, open.redrive->context.span_id);
  }
  return observed;
}

void Tracer::attempt_ended(const ObservedSpan& observed, const AttemptEnd& attempt) {
  const std::unique_ptr<BusSpan> open(&open_span(observed));
  unless_short_of_memory(*core_, open->span.context.trace_flags, [&] {
    SpanData& span = open->span;
    const auto exception = end_span(*open, attempt);
    if (exception)
      core_->add_exception(span, *exception, attempt.retry_in ? Severity::Warning : Severity::Error,
                           "messaging.process.exception");
    const bool happened = exception || core_->is_slow(attempt.duration);
    if (!exception) core_->note_exemplar(span, happened, attempt);
    core_->end(std::move(span), happened);
    if (open->redrive) core_->end(*std::move(open->redrive), happened);
  });
}

void Tracer::Core::give_up(const DeadLetter& letter, const LetterOutcome& outcome) {
  auto span = letter_span(letter, outcome, options_.clock->now());
  if (!span) return;
  span->context.span_id = new_span_id();
  end(*std::move(span), true);
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
    SpanData span = recovery_span(recovery, core_->options().clock->now());
    span.context = span_context_of(trace);
    core_->end(std::move(span), recovery.crashed);
  });
}

}  // namespace tidings::telemetry
