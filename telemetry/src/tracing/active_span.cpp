#include <tidings/telemetry/active_span.hpp>

#include "tracing/add_attribute.hpp"
#include "tracing/tracer_core.hpp"

#include <tidings/context.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/logging/error_description.hpp>
#include <tidings/logging/redactor.hpp>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tidings {

namespace {

constexpr std::size_t kMaxProblemBytes = 4096;

/// Of one process: in a forked child a thread that is not there may hold the mutex for ever.
struct DefaultTracer {
  explicit DefaultTracer(const DefaultTracer* parents) : before(parents) {}

  const DefaultTracer* before;  // the parent process's, which is left as it is
  std::uint64_t generation = detail::fork_generation();
  detail::Mutex mutex;
  std::shared_ptr<telemetry::Tracer> tracer TIDINGS_GUARDED_BY(mutex);
};

/// That of this process. Never destroyed: destructors of statics may have spans. Throws std::bad_alloc.
DefaultTracer& default_tracer() {
  static std::atomic<DefaultTracer*> current{nullptr};
  DefaultTracer* found = current.load();
  while (found == nullptr || found->generation != detail::fork_generation()) {
    auto own = std::make_unique<DefaultTracer>(found);
    if (current.compare_exchange_strong(found, own.get())) return *own.release();
  }
  return *found;
}

std::shared_ptr<telemetry::Tracer> current_tracer() {
  DefaultTracer& current = default_tracer();
  const detail::MutexLock lock(current.mutex);
  return current.tracer;
}

std::shared_ptr<telemetry::Tracer> tracer_or_none() noexcept {
  try {
    return current_tracer();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

const Context& no_context() {
  static const auto& none = *new Context;  // never destroyed, as above
  return none;
}

}  // namespace

void telemetry::set_default_tracer(std::shared_ptr<Tracer> tracer) {
  const bool makes = tracer != nullptr;
  {  // what was there ends without the mutex
    DefaultTracer& current = default_tracer();
    const tidings::detail::MutexLock lock(current.mutex);
    current.tracer.swap(tracer);
    tidings::detail::makes_spans.store(makes);
  }
}

struct Span::Open {
  std::shared_ptr<telemetry::Tracer::Core> core;
  const std::uint64_t generation = detail::fork_generation();
  Instant began{};
  TraceParent trace;
  bool recorded = false;
  bool failed = false;
  telemetry::SpanData span = {};
  detail::AmbientFrame frame = {};
};

void Span::open(std::string_view name, telemetry::SpanKind kind) noexcept {
  const auto tracer = tracer_or_none();
  if (!tracer) return;
  const telemetry::Tracer::Core& core = *tracer->core_;
  const detail::AmbientFrame* const around = detail::ambient_frame;
  const TraceParent* const parent = around == nullptr ? nullptr : around->traceparent();
  try {
    auto open = std::make_unique<Open>();
    open->core = tracer->core_;
    if (parent != nullptr) {
      open->trace = core.decided(*parent);
      if (open->trace == *parent && !core.records(*parent)) return;  // its trace goes on as it is
      open->trace.parent_id = core.new_span_id().bytes;
      open->span.parent_span_id = {parent->parent_id};
      open->span.context.tracestate = around->tracestate();
    } else {
      open->trace = core.new_trace(std::nullopt);
    }
    open->recorded = core.records(open->trace);
    if (open->recorded) {
      const std::string tracestate = std::move(open->span.context.tracestate);
      open->span.context = telemetry::span_context_of(open->trace);
      open->span.context.tracestate = tracestate;
      open->span.name = logging::default_redactor()->redact_text(name);
      open->span.kind = kind;
      open->span.start_ns = telemetry::nanoseconds(core.options().clock->now());
      open->began = core.options().clock->monotonic_now();
    }
    if (around != nullptr) {
      open->frame = *around;
    } else {
      open->frame.scope = &no_context();
    }
    open->frame.span = &open->trace;
    open->frame.previous = around;
    open_ = open.release();
    detail::ambient_frame = &open_->frame;
  } catch (...) {  // no memory: no span
    if (parent != nullptr) core.leave_out(parent->flags);
  }
}

void Span::close() noexcept {
  const std::unique_ptr<Open> open(std::exchange(open_, nullptr));
  // Any other order, or another thread, would leave a pointer to a dead frame behind.
  assert(detail::ambient_frame == &open->frame);
  detail::ambient_frame = open->frame.previous;
  if (!open->recorded || open->generation != detail::fork_generation()) return;
  try {
    const auto took = open->core->options().clock->monotonic_now() - open->began;
    open->span.end_ns = open->span.start_ns + static_cast<std::uint64_t>(took.count());
    open->core->end(std::move(open->span), open->failed);
  } catch (...) {  // no memory
    open->core->leave_out(open->trace.flags);
  }
}

bool Span::is_recorded() const noexcept { return open_ != nullptr && open_->recorded; }

void Span::set(std::string_view name, telemetry::AttributeValue value) noexcept {
  if (!is_recorded()) return;
  try {
    telemetry::SpanData& span = open_->span;
    telemetry::add_attribute(span.attributes, span.dropped.attributes, name, std::move(value));
  } catch (...) {
    return;
  }
}

void Span::fail(const std::exception& error) noexcept {
  if (!is_recorded()) return;
  try {
    const logging::ErrorDescription what = logging::describe_error(error);
    const std::string message = logging::printable_error(what.message, kMaxProblemBytes);
    open_->failed = true;
    open_->span.end_ns = telemetry::nanoseconds(open_->core->options().clock->now());  // of the event
    telemetry::mark_failed(open_->span, what.type, message);
    // The convention wants no name of an event where nothing but the exception is known.
    open_->core->add_exception(open_->span, {what.type, message}, telemetry::Severity::Warning, "");
  } catch (...) {
    return;
  }
}

void Span::fail(std::string_view problem) noexcept {
  if (!is_recorded()) return;
  try {
    open_->failed = true;
    open_->span.status = telemetry::SpanStatus::Error;
    open_->span.status_message = logging::printable_error(problem, kMaxProblemBytes);
  } catch (...) {
    return;
  }
}

}  // namespace tidings
