#include "observing/observing.hpp"

#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <exception>
#include <vector>

namespace tidings::detail {

namespace {

/// An attempt in which the process died has no span that anybody knows of: then the one before it.
const Attempt* last_followed(const std::vector<Attempt>& attempts) noexcept {
  if (attempts.empty()) return nullptr;
  const auto found = std::find_if(attempts.rbegin(), attempts.rend(),
                                  [](const Attempt& attempt) { return attempt.span_id.has_value(); });
  return found != attempts.rend() ? &*found : &attempts.back();
}

}  // namespace

template <class Call>
void Observing::tell(const Call& call) noexcept {
  Observer* const observer = observer_.load(std::memory_order_relaxed);
  if (observer == nullptr || fork_generation() != generation_) return;
  try {
    call(*observer);
  } catch (const std::exception& error) {
    leave_out(what_of(error));
  } catch (...) {
    leave_out("it threw something that is not a std::exception");
  }
}

void Observing::leave_out(const char* problem) noexcept {
  if (observer_.exchange(nullptr) != nullptr) log_.observer_failed(problem);
}

ObservedSpan Observing::publish_started(const Payload& payload, Metadata& metadata, bool durable) noexcept {
  ObservedSpan span;
  tell([&](Observer& observer) {
    span = observer.publish_started({payload.event_type, payload.schema_version, metadata, durable});
  });
  if (!span.trace) return span;
  if (!metadata.traceparent || metadata.traceparent->trace_id != span.trace->trace_id)
    metadata.tracestate = Text();
  metadata.traceparent = span.trace;
  return span;
}

void Observing::publish_ended(const ObservedSpan& span, const PublishEnd& publish) noexcept {
  if (span.recorded) tell([&](Observer& observer) { observer.publish_ended(span, publish); });
}

void Observing::begin_attempt(DeliveryFrame& frame, const DeliveryState* state) noexcept {
  if (!on()) return;
  const Attempt* previous = nullptr;
  bool recovered = false;
  std::int64_t letter_id = 0;
  if (state != nullptr) {
    previous = last_followed(state->redrive ? state->redrive->letter.attempts : state->attempts);
    recovered = state->owed && state->owed.event->id < first_own_id_ && !state->attempted_here;
    if (state->redrive) letter_id = state->redrive->id;
  }
  open_span(frame, {frame.context(), clock_.now(), previous, recovered, false, letter_id});
}

void Observing::begin_inline_attempt(DeliveryFrame& frame) noexcept {
  if (on()) open_span(frame, {.context = frame.context(), .at = clock_.now(), .inside_publish = true});
}

void Observing::open_span(DeliveryFrame& frame, const AttemptStart& attempt) noexcept {
  tell([&](Observer& observer) {
    const ObservedSpan span = observer.attempt_started(attempt);
    if (span.trace) frame.open_span(span);
  });
}

void Observing::end_attempt(DeliveryFrame& frame, std::chrono::nanoseconds duration, const Attempt* failure,
                            std::optional<std::chrono::microseconds> retry_in) noexcept {
  const ObservedSpan* const span = frame.span();
  if (span == nullptr) return;
  if (span->recorded) {
    tell([&](Observer& observer) {
      const auto began = clock_.now() - std::chrono::duration_cast<std::chrono::microseconds>(duration);
      observer.attempt_ended(*span, {frame.context(), began, duration, failure, retry_in});
    });
  }
  frame.close_span();
}

void Observing::gave_up(const DeadLetter& letter) noexcept {
  tell([&](Observer& observer) { observer.gave_up(letter); });
}

void Observing::letters_kept(std::span<const DeadLetter> letters,
                             std::span<const LetterOutcome> outcomes) noexcept {
  if (!letters.empty()) tell([&](Observer& observer) { observer.letters_kept(letters, outcomes); });
}

void Observing::journal_committed(const JournalCommitEnd& commit) noexcept {
  tell([&](Observer& observer) { observer.journal_committed(commit); });
}

void Observing::recovery_started(const RecoveryStart& recovery, std::int64_t next_id) noexcept {
  first_own_id_ = next_id;
  if (recovery.events > 0 || recovery.crashed)
    tell([&](Observer& observer) { observer.recovery_started(recovery); });
}

ObservedPublish::ObservedPublish(Observing& observing, const Payload& payload, Metadata& metadata,
                                 bool durable) noexcept
    : observing_(observing),
      clock_(observing.clock()),
      payload_(payload),
      metadata_(metadata),
      span_(observing.publish_started(payload, metadata, durable)),
      began_(span_.recorded ? clock_.monotonic_now() : Instant{}) {}

ObservedPublish::~ObservedPublish() {
  if (!span_.recorded) return;
  observing_.publish_ended(span_, {payload_.event_type, payload_.schema_version, metadata_, result_,
                                   clock_.monotonic_now() - began_});
}

}  // namespace tidings::detail
