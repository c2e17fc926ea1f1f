#include "running/runner.hpp"

#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/patiently.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

namespace tidings::detail {

namespace {

/// How long an attempt waits for a journal that cannot record the last one.
constexpr std::chrono::milliseconds kRecordAgain{100};

/// So that the records of the failure and the letter's attempt have it. A code that the handler has bound is
/// the application's own, and stays; where there is no room for more fields there is none.
void bind_error_code(const EventContext& context, const Failure& failure) noexcept {
  constexpr std::string_view kName = "error_code";
  if (failure.error_code.empty()) return;
  try {
    if (context.bound().find(kName) == nullptr) context.bind(kName, failure.error_code);
  } catch (...) {
    return;
  }
}

void note_span(const DeliveryFrame& frame, Attempt& attempt) {
  const ObservedSpan* const span = frame.span();
  if (span == nullptr) return;
  attempt.span_id = SpanId{span->trace->parent_id};
  const auto& events = frame.context().metadata().traceparent;
  if (!events || events->trace_id != span->trace->trace_id) attempt.trace_id = TraceId{span->trace->trace_id};
}

}  // namespace

// --- what follows an attempt ---

Verdict Runner::decide(const Subscriber& subscriber, std::uint32_t max_attempts, const DeliveryState& state,
                       const Failure& failure, Instant now) const {
  const RetryPolicy& policy = subscriber.options.retry;
  if (state.redrive) return {Verdict::Next::Dead, {}, failure.final_reason.value_or(Reason::Exhausted)};
  if (failure.final_reason) return {Verdict::Next::Dead, {}, *failure.final_reason};
  if (state.attempts_made >= max_attempts) return {Verdict::Next::Dead, {}, Reason::Exhausted};
  const auto delay = failure.retry_after ? std::chrono::microseconds(bounded(*failure.retry_after))
                                         : policy.backoff.delay(state.attempts_made, bus_.setup.ids.random());
  if (policy.give_up_after && now + delay - state.first_attempt > *policy.give_up_after) {
    return {Verdict::Next::Dead, {}, Reason::Exhausted};
  }
  if (subscriber.state.load() != SubscriberState::Open || !bus_.gate.is_open())
    return {Verdict::Next::Dead, {}, Reason::Shutdown};
  if (delay.count() == 0) return {Verdict::Next::RetryNow, delay};
  return {Verdict::Next::RetryLater, delay};
}

Verdict Runner::after_failure(Subscriber& subscriber, DeliveryFrame& frame, DeliveryState& state,
                              const Failure& failure, Instant began) {
  const EventContext& context = frame.context();
  const Instant now = bus_.setup.clock.monotonic_now();
  const Timestamp wall = bus_.setup.clock.now();
  // An inline handler is timed from its first failure on; until then its attempt is taken to have begun with
  // the publish.
  const auto duration = began != Instant{}
                            ? microseconds(now - began)
                            : std::max(wall - context.metadata().published_at, std::chrono::microseconds(0));
  subscriber.timed.store(true, std::memory_order_relaxed);
  if (state.attempts_made++ == 0) state.first_attempt = now - duration;
  bind_error_code(context, failure);
  const auto attempt = patiently([&] {
    Attempt made{wall - duration, duration, failure.error_type, failure.error_message, context.bound()};
    note_span(frame, made);
    return made;
  });
  patiently([&] { append_attempt(state.attempts, attempt); });
  state.attempted_here = true;
  Verdict verdict = decide(subscriber, context.max_attempts(), state, failure, now);
  if (state.owed) record_failure(state, verdict, wall, failure.in_doubt);
  const bool retried = verdict.next != Verdict::Next::Dead;
  bus_.log.failed(context, attempt, patiently([&] {
                    return error_fingerprint(context.handler(), attempt.error_type, attempt.error_message);
                  }),
                  retried ? std::optional(verdict.delay) : std::nullopt);
  subscriber.count(context.event_type(), [&](HandlerCount& count) {
    count.failed();
    if (retried && !state.dead_of) count.retried();
  });
  if (const auto& threshold = subscriber.options.slow_threshold; threshold && duration > *threshold)
    slow(subscriber, context, duration);
  bus_.observing.end_attempt(frame, duration, &attempt,
                             retried ? std::optional(verdict.delay) : std::nullopt);
  return verdict;
}

/// A commit in doubt is known not to have happened once another one is on the disk in its place. Until then
/// its delivery is no letter: that could be kept elsewhere, and the commit be found after a restart.
void Runner::record_failure(DeliveryState& state, Verdict& verdict, Timestamp failed_at, bool in_doubt) {
  const bool dead = verdict.next == Verdict::Next::Dead && verdict.reason != Reason::Shutdown;
  if (dead && !in_doubt) return;  // the letter says it all
  const auto next =
      verdict.next == Verdict::Next::Dead ? std::nullopt : std::optional(failed_at + verdict.delay);
  kill_point("attempt.failed");
  state.failure_ticket =
      bus_.journal.ledger->failed(state.owed, state.attempts_made, state.attempts, failed_at, next, in_doubt);
  if ((verdict.next != Verdict::Next::RetryNow && !dead) ||
      bus_.journal.commits->wait_recorded(state.failure_ticket))
    return;
  if (dead) state.dead_of = verdict.reason;
  verdict = {Verdict::Next::RetryLater, kRecordAgain};
}

bool Runner::recorded(const Delivery& delivery) {
  const DeliveryState* const state = delivery.state.get();
  return state == nullptr || !state->owed || state->failure_ticket == 0 ||
         bus_.journal.commits->wait_recorded(state->failure_ticket);
}

Verdict Runner::run_on(Subscriber& subscriber, PayloadForms& forms, DeliveryFrame& frame,
                       DeliveryState& state, std::unique_ptr<Failure> failure, Instant began) {
  for (;;) {
    const bool followed = frame.span() != nullptr;
    const Verdict verdict = after_failure(subscriber, frame, state, *failure, began);
    if (verdict.next != Verdict::Next::RetryNow) return verdict;
    frame.set_attempt(state.attempts_made + 1);
    if (followed) bus_.observing.begin_attempt(frame, &state);
    began = bus_.setup.clock.monotonic_now();
    failure = run_recorded(subscriber, &state.owed, forms, frame);
    if (!failure) {
      attempt_succeeded(subscriber, frame, began);
      return {};
    }
  }
}

void Runner::attempt_succeeded(const Subscriber& subscriber, DeliveryFrame& frame, Instant began,
                               bool measured) noexcept {
  const EventContext& context = frame.context();
  const auto& threshold = subscriber.options.slow_threshold;
  const bool debug = bus_.log.debug();
  const bool counted = bus_.counts.on() && (measured || threshold);
  if (!threshold && !debug && !counted && frame.span() == nullptr) return;
  const Instant::duration took = bus_.setup.clock.monotonic_now() - began;
  const auto duration = microseconds(took);
  if (counted) subscriber.count(context.event_type(), [&](HandlerCount& count) { count.took(duration); });
  if (debug) bus_.log.handled(context, duration);
  if (threshold && duration > *threshold) slow(subscriber, context, duration);
  bus_.observing.end_attempt(frame, took);
}

void Runner::count_wait(const Subscriber& subscriber, const EventContext& context) const noexcept {
  if (context.attempt() > 1) return;
  const auto waited =
      std::max(bus_.setup.clock.now() - context.metadata().published_at, std::chrono::microseconds(0));
  subscriber.count(context.event_type(), [&](HandlerCount& count) { count.waited(waited); });
}

void Runner::slow(const Subscriber& subscriber, const EventContext& context,
                  std::chrono::microseconds duration) noexcept {
  subscriber.count(context.event_type(), [](HandlerCount& count) { count.slow(); });
  bus_.log.slow(context, duration, *subscriber.options.slow_threshold);
}

// --- on workers ---

DeliveryOutcome Runner::enqueue(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
  const DeliveryQueue::Pushed pushed = subscriber->queue.push(delivery);
  if (hand_to_worker(subscriber, pushed)) return DeliveryOutcome::Scheduled;
  return pushed == DeliveryQueue::Pushed::Parked ? end_.parked(subscriber, delivery)
                                                 : end_.refused(subscriber, delivery);
}

bool Runner::hand_to_worker(const std::shared_ptr<Subscriber>& subscriber, DeliveryQueue::Pushed pushed) {
  if (pushed == DeliveryQueue::Pushed::NeedsWorker) bus_.pool.submit(subscriber);
  return pushed == DeliveryQueue::Pushed::NeedsWorker || pushed == DeliveryQueue::Pushed::Queued;
}

void Runner::retry_due(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
  if (!hand_to_worker(subscriber, subscriber->queue.push_retry(delivery)))
    end_.dead(subscriber, delivery, Reason::Shutdown);
}

void Runner::serve(const std::shared_ptr<Subscriber>& subscriber) {
  patiently([] { return &thread_record(); });  // which the guard needs
  DispatchGuard guard(bus_.setup);
  DeliveryQueue& queue = subscriber->queue;
  Batch& batch = queue.begin_serving();
  WorkerPool::Turn turn(bus_.pool);
  for (;;) {
    std::optional<Delivery> delivery = batch.take();
    if (!delivery) {
      if (!queue.has_plenty()) bus_.pool.linger(batch.had_many(), [&] { return queue.has_more(); });
      delivery = queue.take_more(batch);
      if (!delivery) return;
    }
    run_delivery(subscriber, *delivery, guard);
    delivery.reset();
    if (turn.is_over()) {
      queue.pause_serving(batch);
      bus_.pool.submit(subscriber);  // with the permit that this thread held
      return;
    }
  }
}

void Runner::run_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                          DispatchGuard& guard) {
  if (delivery.redrive() != nullptr) return redeliver_(subscriber, delivery, guard);
  const Verdict verdict = !recorded(delivery)  ? Verdict{Verdict::Next::RetryLater, kRecordAgain}
                          : delivery.gave_up() ? Verdict{Verdict::Next::Dead, {}, *delivery.state->dead_of}
                                               : run_attempts(*subscriber, delivery, guard);
  const bool later = verdict.next == Verdict::Next::RetryLater;
  if (later) {
    if (delivery.state) delivery.state->suspect.reset();
    if (retries_.schedule(subscriber, delivery, verdict.delay)) return;
  }
  kill_point("deliver.returned");
  if (verdict.next == Verdict::Next::Handled) {
    end_.handled(subscriber, delivery);
  } else {
    end_.dead(subscriber, delivery, later ? Reason::Shutdown : verdict.reason);
  }
}

Verdict Runner::run_attempts(Subscriber& subscriber, Delivery& delivery, DispatchGuard& guard) {
  const StoredEvent& event = *delivery.event;
  // Another bus owns the journal by now, and delivers it.
  if (delivery.state && delivery.state->owed && bus_.journal.is_lost())
    return {Verdict::Next::Dead, {}, Reason::Shutdown};
  if (!guard.enter(subscriber)) {
    bus_.retirement.free_if_idle(subscriber);
    return {Verdict::Next::Dead, {}, Reason::Shutdown};
  }
  Verdict verdict;
  {
    const Payload payload = event.payload();
    Metadata buffer;
    PayloadForms forms(payload);
    DeliveryFrame frame(payload, event.metadata(bus_.setup.source, buffer), subscriber.identity);
    frame.turn_to(subscriber);
    if (delivery.state) frame.set_attempt(delivery.state->attempts_made + 1);
    if (bus_.counts.on()) count_wait(subscriber, frame.context());
    bus_.observing.begin_attempt(frame, delivery.state.get());
    const Instant began = bus_.setup.clock.monotonic_now();
    std::unique_ptr<Failure> failure =
        delivery.state || !bus_.journal.crash_slots.empty()
            ? run_recorded(subscriber, delivery.state ? &delivery.state->owed : nullptr, forms, frame)
            : run_handler(subscriber, forms, frame.context(), bus_.setup.process_generation);
    if (failure) {
      verdict = run_on(subscriber, forms, frame, delivery.remember(), std::move(failure), began);
    } else {
      attempt_succeeded(subscriber, frame, began);
    }
  }
  bus_.retirement.leave(guard, subscriber);
  return verdict;
}

std::unique_ptr<Failure> Runner::run_recorded(const Subscriber& subscriber, OwedDeliveryHandle* owed,
                                              PayloadForms& forms, DeliveryFrame& frame) {
  HandlerTransaction transaction(bus_, frame, owed);
  const RunningMark mark(bus_.journal.crash_slots,
                         owed != nullptr && *owed ? owed->event->id : RunningMark::kNotJournalled,
                         subscriber.crash_hash);
  return run_handler(subscriber, forms, frame.context(), bus_.setup.process_generation, &transaction);
}

std::optional<std::string> Runner::ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                                   DispatchGuard& guard) {
  if (!guard.enter(subscriber)) {
    bus_.retirement.free_if_idle(subscriber);
    return std::nullopt;
  }
  try {
    std::optional<std::string> key;
    if (const void* const event = forms.try_as(subscriber.payload_type))
      key = subscriber.user.ordering_key(event);
    bus_.retirement.leave(guard, subscriber);
    return key;
  } catch (...) {
    bus_.retirement.leave(guard, subscriber);
    throw;
  }
}

// --- after an inline attempt ---

DeliveryOutcome Runner::inline_failed(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms,
                                      DeliveryFrame& frame, OwedDeliveryHandle owed,
                                      std::unique_ptr<Failure> failure, Instant began) {
  const Metadata& metadata = frame.context().metadata();
  Delivery delivery;
  DeliveryState& state = delivery.remember();
  state.owed = std::move(owed);
  Verdict verdict = run_on(*subscriber, forms, frame, state, std::move(failure), began);
  if (verdict.next == Verdict::Next::RetryLater) {
    delivery.event = copy_for_retry(forms.payload(), metadata, state);
    if (delivery.event && reserve_and_retry_later(subscriber, delivery, verdict.delay))
      return DeliveryOutcome::Scheduled;
    verdict = {Verdict::Next::Dead, {}, delivery.event ? Reason::Shutdown : Reason::Exhausted};
  }
  if (verdict.next == Verdict::Next::Handled) {
    end_.ended(state.owed);
    return DeliveryOutcome::Handled;
  }
  return end_.inline_dead(*subscriber, forms.payload(), metadata, verdict.reason, state);
}

/// Null when the event's copy constructor throws: then it cannot wait for a retry.
EventPointer Runner::copy_for_retry(const Payload& payload, const Metadata& metadata, DeliveryState& state) {
  try {
    return with_some_patience(
        [&] { return EventPointer(payload.type->copy(payload, KeptMetadata(metadata, bus_.setup.source))); });
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    patiently([&] {
      state.attempts.back().error_message +=
          " (gave up: the event's copy constructor threw, so it cannot wait for a retry)";
    });
    return {};
  }
}

bool Runner::reserve_and_retry_later(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                                     std::chrono::microseconds delay) {
  subscriber->queue.reserve();
  if (retries_.schedule(subscriber, delivery, delay)) return true;
  end_.release_place(*subscriber);
  return false;
}

}  // namespace tidings::detail
