#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/event_context.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/metadata.hpp>
#include <tidings/trace_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tidings {

struct PublishResult;

/// What an observer makes of a publish or an attempt that begins.
struct ObservedSpan {
  /// The ids of its span, which become the trace parent of all that happens in it: of a publish, of the
  /// event; of an attempt, of what its handler publishes, calls and logs. Not set: what there was stays, and
  /// an attempt is not followed.
  std::optional<TraceParent> trace = std::nullopt;
  /// Whether the observer is to be told how it ends. Of a publish also whether it is told of the attempts of
  /// inline handlers: they cost nothing if it is not.
  bool recorded = false;
  /// The observer's own. It comes back as it is, to the same thread.
  void* data = nullptr;
};

/// An event that is being published.
struct PublishStart {
  std::string_view event_type;
  int schema_version = 1;
  /// As the event will have it, but for its trace: `traceparent` is the inherited one, if there is one.
  const Metadata& metadata;
  bool durable = false;
};

/// A publish that has ended: its inline handlers have run, and if it is durable it is committed.
struct PublishEnd {
  std::string_view event_type;
  int schema_version = 1;
  const Metadata& metadata;
  /// What the publisher gets; null: the event was not accepted, and publish throws.
  const PublishResult* result = nullptr;
  std::chrono::nanoseconds duration{0};
};

/// An attempt that begins.
struct AttemptStart {
  /// The event, its handler and the number of the attempt.
  const EventContext& context;
  Timestamp at{};
  /// The attempt before it, also when another process made that, but for those in which the process died, if
  /// one before them was followed; null: there was none.
  const Attempt* previous = nullptr;
  /// The event was accepted by an earlier process, and this one has not attempted it yet.
  bool recovered = false;
  /// The handler is inline, and the publish has not ended.
  bool inside_publish = false;
  /// The number of the letter that is delivered again; 0: it is no redrive.
  std::int64_t letter_id = 0;
};

/// An attempt that has ended.
struct AttemptEnd {
  const EventContext& context;
  /// When it began.
  Timestamp at{};
  std::chrono::nanoseconds duration{0};
  /// Null: the handler returned. Else what is known of the failure.
  const Attempt* failure = nullptr;
  /// Set if another attempt follows: after so long.
  std::optional<std::chrono::microseconds> retry_in = std::nullopt;
};

/// A commit of the journal.
struct JournalCommitEnd {
  std::size_t events = 0;
  std::size_t letters = 0;
  std::chrono::nanoseconds duration{0};
  bool failed = false;
};

/// What a bus has found in its journal as it started.
struct RecoveryStart {
  std::uint64_t events = 0;
  /// The service did not stop before; it died.
  bool crashed = false;
};

/// The port through which a bus tells what it does, while it does it: for traces. Set BusTelemetry::observer.
///
/// Calls come from every thread that publishes, runs handlers or commits, at the same time, and on the way of
/// the event: an observer must be thread-safe and quick, must not block, and must not publish, subscribe or
/// stop on that bus. What it is given is valid during the call only. It must not throw: one that does is
/// reported once (`observer_failed`) and not called any more.
///
/// Without an observer a bus does nothing for it. With one, a publish that is not `recorded` costs one call.
/// In a forked child it is not called.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  /// Everything but the trace is stamped. A child of `metadata.traceparent`, or the begin of a trace.
  [[nodiscard]] virtual ObservedSpan publish_started(const PublishStart& publish) = 0;
  /// On the same thread, if that was `recorded`.
  virtual void publish_ended(const ObservedSpan& /*span*/, const PublishEnd& /*publish*/) {}
  /// On the thread of the handler, before it is called; not for inline handlers of a publish that is not
  /// recorded.
  [[nodiscard]] virtual ObservedSpan attempt_started(const AttemptStart& attempt) = 0;
  /// On the same thread, if that was `recorded`.
  virtual void attempt_ended(const ObservedSpan& /*span*/, const AttemptEnd& /*attempt*/) {}
  /// A delivery has given up. Its letter is on its way, and has no number yet.
  virtual void gave_up(const DeadLetter& /*letter*/) {}
  /// Where letters are now: as many outcomes as letters. Not called for a bus without a store.
  virtual void letters_kept(std::span<const DeadLetter> /*letters*/,
                            std::span<const LetterOutcome> /*outcomes*/) {}
  virtual void journal_committed(const JournalCommitEnd& /*commit*/) {}
  virtual void recovery_started(const RecoveryStart& /*recovery*/) {}
};

}  // namespace tidings
