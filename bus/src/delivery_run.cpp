#include "bus_core.hpp"
#include "running/handler_transaction.hpp"
#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <new>
#include <string>
#include <utility>

// Attempts and retries, on whatever thread they happen.

namespace tidings::detail {

namespace {

/// How long an attempt waits for a journal that does not take note of the last one.
constexpr std::chrono::milliseconds kRecordAgain{100};

std::optional<Instant> earliest(std::initializer_list<std::optional<Instant>> times) {
  std::optional<Instant> first;
  for (const auto& time : times) {
    if (time && (!first || *time < *first)) first = time;
  }
  return first;
}

}  // namespace

BusCore::Verdict BusCore::decide(const Subscriber& subscriber, const DeliveryState& state,
                                 const Failure& failure, Instant now) const {
  const RetryPolicy& policy = subscriber.options.retry;
  if (state.redrive) return {End::Dead, {}, failure.final_reason.value_or(Reason::Exhausted)};
  if (failure.final_reason) return {End::Dead, {}, *failure.final_reason};
  if (state.attempts_made >= policy.max_attempts) return {End::Dead, {}, Reason::Exhausted};
  const auto delay = failure.retry_after ? std::chrono::microseconds(bounded(*failure.retry_after))
                                         : policy.backoff.delay(state.attempts_made, options_.random());
  if (policy.give_up_after && now + delay - state.first_attempt > *policy.give_up_after) {
    return {End::Dead, {}, Reason::Exhausted};
  }
  if (subscriber.state.load() != SubscriberState::Open || !accepting_.load())
    return {End::Dead, {}, Reason::Shutdown};
  if (delay.count() == 0) return {End::RetryNow, delay};
  return {End::RetryLater, delay};
}

BusCore::Verdict BusCore::judge(Subscriber& subscriber, const EventContext& context, DeliveryState& state,
                                const Failure& failure, Instant began) {
  const Instant now = clock_.monotonic_now();
  const Timestamp wall = clock_.now();
  // An inline handler is timed from its first failure on; until then its attempt is taken to have begun with
  // the publish.
  const auto duration = began != Instant{}
                            ? microseconds(now - began)
                            : std::max(wall - context.metadata().published_at, std::chrono::microseconds(0));
  subscriber.timed.store(true, std::memory_order_relaxed);
  if (state.attempts_made++ == 0) state.first_attempt = now - duration;
  const auto attempt = patiently([&] {
    return Attempt{wall - duration, duration, failure.error_type, failure.error_message};
  });
  patiently([&] { append_attempt(state.attempts, attempt); });
  Verdict verdict = decide(subscriber, state, failure, now);
  if (state.owed) record_failure(state, verdict, wall, failure.in_doubt);
  const bool retried = verdict.end != End::Dead;
  log_.failed(context, attempt, patiently([&] {
                return error_fingerprint(context.handler(), attempt.error_type, attempt.error_message);
              }),
              retried ? std::optional(verdict.delay) : std::nullopt);
  if (subscriber.options.slow_threshold && duration > *subscriber.options.slow_threshold)
    log_.slow(context, duration);
  return verdict;
}

/// A commit in doubt is known not to have happened once another one is on the disk in its place. Until then
/// its delivery is no letter: that could be kept elsewhere, and the commit be found after a restart.
void BusCore::record_failure(DeliveryState& state, Verdict& verdict, Timestamp failed_at, bool in_doubt) {
  const bool dead = verdict.end == End::Dead && verdict.reason != Reason::Shutdown;
  if (dead && !in_doubt) return;  // the letter says it all
  const auto next = verdict.end == End::Dead ? std::nullopt : std::optional(failed_at + verdict.delay);
  kill_point("attempt.failed");
  state.recorded_at =
      journal_->owed.failed(state.owed, state.attempts_made, state.attempts, failed_at, next, in_doubt);
  if ((verdict.end != End::RetryNow && !dead) || journal_->commits.wait_recorded(state.recorded_at)) return;
  if (dead) state.dead_of = verdict.reason;
  verdict = {End::RetryLater, kRecordAgain};
}

bool BusCore::recorded(const Delivery& delivery) {
  const DeliveryState* const state = delivery.state.get();
  return state == nullptr || !state->owed || state->recorded_at == 0 ||
         journal_->commits.wait_recorded(state->recorded_at);
}

BusCore::Verdict BusCore::run_on(Subscriber& subscriber, PayloadForms& forms, DeliveryFrame& frame,
                                 DeliveryState& state, std::unique_ptr<Failure> failure, Instant began) {
  for (;;) {
    const Verdict verdict = judge(subscriber, frame.context(), state, *failure, began);
    if (verdict.end != End::RetryNow) return verdict;
    frame.set_attempt(state.attempts_made + 1);
    began = clock_.monotonic_now();
    {
      HandlerTransaction transaction(*this, frame, &state.owed);
      const RunningMark mark(crash_slots_, state.owed ? state.owed.event->id : RunningMark::kNotJournalled,
                             subscriber.crash_hash);
      failure = run_handler(subscriber, forms, frame.context(), process_generation_, &transaction);
    }
    if (!failure) {
      attempt_succeeded(subscriber, frame.context(), began);
      return {};
    }
  }
}

void BusCore::attempt_succeeded(const Subscriber& subscriber, const EventContext& context,
                                Instant began) noexcept {
  const auto& threshold = subscriber.options.slow_threshold;
  const bool debug = log_.debug();
  if (!threshold && !debug) return;
  const auto duration = microseconds(clock_.monotonic_now() - began);
  if (debug) log_.handled(context, duration);
  if (threshold && duration > *threshold) log_.slow(context, duration);
}

bool BusCore::retry_later(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                          std::chrono::microseconds delay) {
  waiting_retries_.fetch_add(1);
  subscriber->queue.count_waiting(1);
  if (housekeeper_.schedule(clock_.monotonic_now() + delay, subscriber, delivery)) return true;
  subscriber->queue.count_waiting(-1);
  waiting_retries_.fetch_sub(1);
  return false;
}

/// It waits no more before a worker can have it: what has ended is never counted as waiting.
void BusCore::retry_is_due(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
  subscriber->queue.count_waiting(-1);
  waiting_retries_.fetch_sub(1);
  switch (subscriber->queue.push_retry(delivery)) {
    case DeliveryQueue::Pushed::NeedsWorker:
      pool_.submit(subscriber);
      break;
    case DeliveryQueue::Pushed::Queued:
      break;
    case DeliveryQueue::Pushed::Parked:
    case DeliveryQueue::Pushed::Refused:
      bury_soon(*subscriber, delivery, Reason::Shutdown);
      end_delivery(subscriber, delivery, Reason::Shutdown);
      break;
  }
}

void BusCore::serve(const std::shared_ptr<Subscriber>& subscriber) {
  patiently([] { return &thread_record(); });  // which the guard needs
  DispatchGuard guard(*this);
  DeliveryQueue& queue = subscriber->queue;
  DeliveryQueue::Batch& batch = queue.begin_serving();
  WorkerPool::Turn turn(pool_);
  for (;;) {
    std::optional<Delivery> delivery = batch.take();
    if (!delivery) {
      if (!queue.has_plenty()) pool_.linger(batch.had_many(), [&] { return queue.has_more(); });
      delivery = queue.take_more(batch);
      if (!delivery) return;
    }
    run_delivery(subscriber, *delivery, guard);
    delivery.reset();
    if (turn.is_over()) {
      queue.pause_serving(batch);
      pool_.submit(subscriber);  // with the permit that this thread held
      return;
    }
  }
}

void BusCore::run_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                           DispatchGuard& guard) {
  if (delivery.redrive() != nullptr) return run_redrive(subscriber, delivery, guard);
  const Verdict verdict = !recorded(delivery)  ? Verdict{End::RetryLater, kRecordAgain}
                          : delivery.gave_up() ? Verdict{End::Dead, {}, *delivery.state->dead_of}
                                               : run_attempts(*subscriber, delivery, guard);
  std::optional<Reason> dead_of;
  if (verdict.end == End::RetryLater) {
    if (delivery.state) delivery.state->suspect.reset();
    if (retry_later(subscriber, delivery, verdict.delay)) return;
    dead_of = Reason::Shutdown;
  } else if (verdict.end == End::Dead) {
    dead_of = verdict.reason;
  }
  kill_point("deliver.returned");
  if (dead_of) {
    bury_soon(*subscriber, delivery, *dead_of);
  } else if (delivery.state && delivery.state->owed) {
    journal_->owed.handled(delivery.state->owed);
    kill_point("deliver.noted");
  }
  end_delivery(subscriber, delivery, dead_of);
}

BusCore::Verdict BusCore::run_attempts(Subscriber& subscriber, Delivery& delivery, DispatchGuard& guard) {
  const StoredEvent& event = *delivery.event;
  // Another bus delivers it.
  if (delivery.state && delivery.state->owed && journal_->commits.lost())
    return {End::Dead, {}, Reason::Shutdown};
  if (!guard.enter(subscriber)) {
    left_closed(subscriber);
    return {End::Dead, {}, Reason::Shutdown};
  }
  Verdict verdict;
  {
    const Payload payload = event.payload();
    Metadata buffer;
    PayloadForms forms(payload);
    DeliveryFrame frame(payload, event.metadata(source_, buffer), subscriber.identity);
    frame.turn_to(subscriber);
    if (delivery.state) frame.set_attempt(delivery.state->attempts_made + 1);
    const Instant began = clock_.monotonic_now();
    std::unique_ptr<Failure> failure =
        delivery.state || !crash_slots_.empty()
            ? run_recorded(subscriber, delivery, forms, frame)
            : run_handler(subscriber, forms, frame.context(), process_generation_);
    if (failure) {
      verdict = run_on(subscriber, forms, frame, delivery.remember(), std::move(failure), began);
    } else {
      attempt_succeeded(subscriber, frame.context(), began);
    }
  }
  leave(guard, subscriber);
  return verdict;
}

/// An attempt that may end in a transaction, or be found by the crash slots.
std::unique_ptr<Failure> BusCore::run_recorded(const Subscriber& subscriber, Delivery& delivery,
                                               PayloadForms& forms, DeliveryFrame& frame) {
  OwedDeliveryHandle* const owed = delivery.state ? &delivery.state->owed : nullptr;
  HandlerTransaction transaction(*this, frame, owed);
  const RunningMark mark(crash_slots_,
                         owed != nullptr && *owed ? owed->event->id : RunningMark::kNotJournalled,
                         subscriber.crash_hash);
  return run_handler(subscriber, forms, frame.context(), process_generation_, &transaction);
}

void BusCore::end_delivery(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                           std::optional<Reason> dead_of) {
  if (const std::string* const key = delivery.ordering_key()) {
    const bool shutdown = dead_of == Reason::Shutdown;
    const bool park = dead_of && subscriber->options.after_death == AfterDeath::Park;
    end_key(subscriber, *key, shutdown || park ? KeyOutcome::Refuse : KeyOutcome::Next,
            shutdown ? Reason::Shutdown : Reason::Parked, RedriveResult::End::Returned);
  }
  release_place(*subscriber);
}

void BusCore::end_key(const std::shared_ptr<Subscriber>& subscriber, const std::string& key,
                      KeyOutcome outcome, Reason reason, RedriveResult::End redrive_end) {
  bool needs_worker = false;
  for (auto refused = subscriber->queue.end_key(key, outcome, needs_worker); !refused.empty();
       refused = subscriber->queue.end_key(key, outcome, needs_worker)) {
    for (const Delivery& behind : refused) hand_back(subscriber, behind, reason, redrive_end);
  }
  if (needs_worker) pool_.submit(subscriber);
}

void BusCore::hand_back(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                        Reason reason, RedriveResult::End redrive_end) {
  if (const ClaimedLetter* const claimed = delivery.redrive()) {
    redriver_.end({.id = claimed->id,
                   .end = redrive_end,
                   .at = clock_.now(),
                   .letter = {},
                   .parks = subscriber->options.after_death == AfterDeath::Park});
    subscriber->queue.end_redrive();
    return;
  }
  bury_soon(*subscriber, delivery, reason);
  release_place(*subscriber);
}

std::optional<Instant> BusCore::do_duties(Instant now) {
  std::optional<Instant> journal;
  std::optional<Instant> redrive;
  try {
    redrive = redriver_.tick(now);
    journal = do_journal_duties(now);
    import_spilled(now);
    letters_.flush_if_due(now);
    files_.tick(now);
    const auto summaries = log_.due();
    if (summaries && *summaries <= now) log_.flush_summaries(now);
  } catch (const std::bad_alloc&) {
    return now + kAgainWithoutMemory;
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
    return now + std::chrono::seconds(1);
  }
  return earliest({redrive, journal, letters_.due(), log_.due()});
}

}  // namespace tidings::detail
