#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/observer.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/trace_context.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// What the spans of a bus are called and say (docs/telemetry.md), said once: for Tracer, and for observers
// that make them otherwise. Secrets are left out. Times are those of the bus. All may throw std::bad_alloc.

namespace tidings::telemetry {

/// When an attempt begins a trace of its own, with links to the publish and to the attempt before it, instead
/// of going on in the trace of the publish.
enum class NewTraces : std::uint8_t {
  WhenLate,  ///< In a redrive, after a restart, and when TracerOptions::late has passed.
  Always,    ///< Also when it is neither: every attempt but those of inline handlers during the publish.
  Never,
};

/// Where the span of an attempt belongs.
struct AttemptPlace {
  /// Its parent, with the flags of its trace. Not set: it begins a trace.
  std::optional<TraceParent> parent = std::nullopt;
  /// Whether the trace of the event is sampled, which holds for one that the attempt begins, too. Not set:
  /// the event has none.
  std::optional<bool> sampled = std::nullopt;
};
[[nodiscard]] AttemptPlace place_of(const AttemptStart& attempt, NewTraces new_traces,
                                    std::chrono::seconds late);

/// A span of a publish or of an attempt that has begun. It has no ids but those of its links.
struct BusSpan {
  SpanData span = {};
  /// Around it, if it is a redrive's: its parent then, and of the same trace.
  std::optional<SpanData> redrive = std::nullopt;
};
[[nodiscard]] BusSpan begin_span(const PublishStart& publish);
[[nodiscard]] BusSpan begin_span(const AttemptStart& attempt);

/// What an attempt threw.
struct ExceptionFacts {
  std::string type;
  std::string message;
  /// Empty: not known.
  std::string stack = {};
};
/// `exception.type` and so on.
[[nodiscard]] Attributes attributes_of(const ExceptionFacts& exception);

/// Add what is known at the end: time, status, and further attributes behind those that are there.
void end_span(BusSpan& publish_span, const PublishEnd& publish);
/// Returns what the attempt threw, which is nowhere in its span but in the status.
[[nodiscard]] std::optional<ExceptionFacts> end_span(BusSpan& attempt_span, const AttemptEnd& attempt);

/// The span of a letter, whole but for its own id: its trace is that of its parent, the last attempt. Nothing
/// for a letter that is to be stored once more, and for one of an event without a trace.
[[nodiscard]] std::optional<SpanData> letter_span(const DeadLetter& letter, const LetterOutcome& outcome,
                                                  Timestamp now);
/// The root of a trace.
[[nodiscard]] SpanData recovery_span(const RecoveryStart& recovery, Timestamp now);

}  // namespace tidings::telemetry
