#pragma once

#include "log/bus_log.hpp"
#include "queue/delivery.hpp"
#include "subscriptions/delivery_frame.hpp"

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/observer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

namespace tidings::detail {

/// Tells the bus's observer, if it has one. An observer that throws is reported once and left out. One in a
/// forked child is not told of what its handler's unwinding ends: locks that it has may be held by threads
/// that the child has not. Never throws. Thread-safe.
class Observing {
 public:
  /// All must outlive this; `observer` may be null.
  Observing(Observer* observer, Clock& clock, BusLog& log) noexcept
      : clock_(clock), log_(log), observer_(observer) {}

  /// Whether there is anybody to tell.
  [[nodiscard]] bool on() const noexcept { return observer_.load(std::memory_order_relaxed) != nullptr; }
  [[nodiscard]] Clock& clock() const noexcept { return clock_; }

  /// Gives the event the trace that the observer has for it.
  [[nodiscard]] ObservedSpan publish_started(const Payload& payload, Metadata& metadata,
                                             bool durable) noexcept;
  void publish_ended(const ObservedSpan& span, const PublishEnd& publish) noexcept;

  /// Opens the span of the frame's next attempt. `state` may be null: there is nothing to remember.
  void begin_attempt(DeliveryFrame& frame, const DeliveryState* state) noexcept;
  /// The same for the first attempt of an inline handler.
  void begin_inline_attempt(DeliveryFrame& frame) noexcept;
  /// Closes it, if one is open. `failure` is null if the handler returned.
  void end_attempt(DeliveryFrame& frame, std::chrono::nanoseconds duration, const Attempt* failure = nullptr,
                   std::optional<std::chrono::microseconds> retry_in = std::nullopt) noexcept;

  void gave_up(const DeadLetter& letter) noexcept;
  void letters_kept(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) noexcept;
  void journal_committed(const JournalCommitEnd& commit) noexcept;
  /// Events of the journal with lower numbers than `next_id` come from earlier processes.
  void recovery_started(const RecoveryStart& recovery, std::int64_t next_id) noexcept;

 private:
  template <class Call>
  void tell(const Call& call) noexcept;
  void leave_out(const char* problem) noexcept;
  void open_span(DeliveryFrame& frame, const AttemptStart& attempt) noexcept;

  Clock& clock_;
  BusLog& log_;
  std::atomic<Observer*> observer_;
  const std::uint64_t generation_ = fork_generation();
  std::int64_t first_own_id_ = 0;  // constant once the bus has started
};

/// One publish, as its observer sees it: from its construction to its destruction. Not accepted unless
/// accepted() was called.
class ObservedPublish {
 public:
  /// `payload` and `metadata` must outlive it, and stay where they are.
  ObservedPublish(Observing& observing, const Payload& payload, Metadata& metadata, bool durable) noexcept;
  ~ObservedPublish();
  ObservedPublish(const ObservedPublish&) = delete;
  ObservedPublish& operator=(const ObservedPublish&) = delete;

  [[nodiscard]] bool recorded() const noexcept { return span_.recorded; }
  /// `result` must outlive this.
  void accepted(const PublishResult& result) noexcept { result_ = &result; }

 private:
  Observing& observing_;
  Clock& clock_;
  const Payload& payload_;
  const Metadata& metadata_;
  const ObservedSpan span_;
  const Instant began_;
  const PublishResult* result_ = nullptr;
};

}  // namespace tidings::detail
