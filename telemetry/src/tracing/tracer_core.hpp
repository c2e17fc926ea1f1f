#pragma once

#include "tracing/kept_traces.hpp"
#include "tracing/span_parts.hpp"

#include <tidings/telemetry/bus_spans.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/log.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/telemetry/tracer.hpp>
#include <tidings/trace_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace tidings::telemetry {

/// Where a tracer tells of exceptions.
struct ExceptionTelling {
  ExceptionSignal signal = ExceptionSignal::SpanEvents;
  /// Takes log records; thread-safe, must not throw. Not called for SpanEvents.
  std::function<void(LogData)> logs = {};
};

/// Ids, the decision about each trace, and where spans go. Thread-safe.
class Tracer::Core {
 public:
  /// `lose` is called for each sampled span that could not be made, and may be empty.
  Core(Sink sink, std::function<void()> lose, ExceptionTelling exceptions, TracerOptions options)
      : sink_(std::move(sink)),
        lose_(std::move(lose)),
        exceptions_(std::move(exceptions)),
        options_(std::move(options)),
        kept_(options_.keep) {}

  [[nodiscard]] const TracerOptions& options() const noexcept { return options_; }

  [[nodiscard]] SpanId new_span_id() const noexcept;
  /// The root of a new trace. `sampled`: as is decided already.
  [[nodiscard]] TraceParent new_trace(std::optional<bool> sampled) const noexcept;
  /// A trace that came in, with the flag that the sampler gives it: its own, if the sampler follows parents.
  [[nodiscard]] TraceParent decided(TraceParent parent) const noexcept;
  [[nodiscard]] bool records(const TraceParent& trace) const noexcept {
    return trace.sampled() || kept_.on();
  }
  [[nodiscard]] bool is_slow(std::chrono::nanoseconds duration) const noexcept {
    return options_.keep.slower_than && duration > *options_.keep.slower_than;
  }

  /// A span of a trace with these flags is left out, because there is no memory for it.
  void leave_out(std::uint8_t trace_flags) const noexcept;
  /// The span has failed at its `end_ns`, and will be exported: the exception becomes an event of it, a log
  /// record named `event_name`, or both. Throws std::bad_alloc.
  void add_exception(SpanData& span, const ExceptionFacts& exception, Severity severity,
                     const char* event_name) const;
  /// The attempt has returned.
  void note_exemplar(const SpanData& span, bool happened, const AttemptEnd& attempt) const noexcept;
  /// `happened`: what traces are kept for that were not sampled. Throws std::bad_alloc.
  void end(SpanData span, bool happened);
  /// The span of a letter whose event has a trace that is recorded. Throws std::bad_alloc.
  void give_up(const DeadLetter& letter, const LetterOutcome& outcome);

 private:
  const Sink sink_;
  const std::function<void()> lose_;
  const ExceptionTelling exceptions_;
  const TracerOptions options_;
  KeptTraces kept_;
};

}  // namespace tidings::telemetry
