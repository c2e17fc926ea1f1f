#include "redelivery/redelivery.hpp"

#include "letters/letter_maker.hpp"
#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>

#include <string>
#include <utility>

namespace tidings::detail {

namespace {

/// Attempts are numbered over the whole life of a letter, and a redrive is one more: the last, as far as is
/// known.
HandlerIdentity for_one_attempt(HandlerIdentity handler, const DeliveryState& state) {
  handler.max_attempts = state.attempts_made + 1;
  handler.redrive = true;
  return handler;
}

}  // namespace

std::vector<ServedHandler> Redelivery::served_handlers() const {
  std::vector<ServedHandler> handlers;
  for (const auto& subscriber : bus_.topics.all()) {
    if (subscriber->state.load() == SubscriberState::Open) handlers.push_back(subscriber->served());
  }
  return handlers;
}

/// The type's own handler of that name, or the one of all events.
std::shared_ptr<Subscriber> Redelivery::subscriber_for(const DeadLetter& letter) const {
  for (const auto& subscriber : bus_.topics.all()) {  // wildcards last
    const bool of_type = subscriber->wildcard() || subscriber->identity.event_type == letter.event_type;
    if (of_type && subscriber->identity.handler == letter.handler) return subscriber;
  }
  return nullptr;
}

void Redelivery::deliver(ClaimedLetter letter) {
  const auto subscriber = subscriber_for(letter.letter);
  const std::int64_t id = letter.id;
  if (subscriber) {
    Delivery delivery;
    DeliveryState& state = delivery.remember();
    state.ordering_key = patiently([&] { return letter.letter.ordering_key; });
    state.redrive = patiently([&] { return std::make_unique<ClaimedLetter>(std::move(letter)); });
    if (runner_.hand_to_worker(subscriber, subscriber->queue.push_redrive(delivery))) return;
  }
  bus_.redriver.end(
      {.id = id, .end = RedriveResult::End::Returned, .at = bus_.setup.clock.now(), .letter = {}});
}

void Redelivery::run(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                     DispatchGuard& guard) {
  const bool parks = subscriber->options.after_death == AfterDeath::Park;
  RedriveResult result{
      .id = delivery.redrive()->id, .at = bus_.setup.clock.now(), .letter = {}, .parks = parks};
  bool settled = false;
  if (!guard.enter(*subscriber)) {
    bus_.retirement.free_if_idle(*subscriber);
  } else {
    // What has not begun when its subscription or the bus ends is not begun any more: it stays marked.
    if (subscriber->state.load() == SubscriberState::Open) {
      if (const auto instead = bus_.redriver.begin(*delivery.redrive())) {
        result.end = *instead;
      } else {
        settled = attempt(*subscriber, delivery, result);
      }
    }
    bus_.retirement.leave(guard, *subscriber);
  }
  const RedriveResult::End end = result.end;
  kill_point("redrive.returned");
  if (!settled) bus_.redriver.end(std::move(result));
  if (const std::string* const key = delivery.ordering_key()) {
    const bool goes_on = end == RedriveResult::End::Reprocessed || !parks;
    const auto behind =
        end == RedriveResult::End::Returned ? RedriveResult::End::Returned : RedriveResult::End::Withdrawn;
    end_.end_key(subscriber, *key, goes_on ? KeyOutcome::Next : KeyOutcome::Refuse, Reason::Parked, behind);
    if (subscriber->queue.waits_for_redrives(*key)) bus_.redriver.look_at_keys();
  }
  subscriber->queue.end_redrive();
}

/// One attempt, whatever the policy says. The causation depth restarts at 0. True: the handler's transaction
/// has settled it.
bool Redelivery::attempt(Subscriber& subscriber, Delivery& delivery, RedriveResult& result) {
  DeadLetter& letter = delivery.redrive()->letter;
  DeliveryState& state = *delivery.state;
  letter.metadata.causation_depth = 0;
  state.attempts_made = letter.attempts.empty() ? 0 : letter.retry_count + 1;
  const StoredData stored(letter.data, {letter.event_type, letter.metadata.event_id}, letter.schema_version,
                          subscriber.schema_version, bus_.upcasters, bus_.payloads);
  const Payload payload = stored.payload();
  PayloadForms forms(payload);
  const HandlerIdentity once = patiently([&] { return for_one_attempt(subscriber.identity, state); });
  DeliveryFrame frame(payload, letter.metadata, once);
  frame.turn_to(once);
  frame.set_attempt(once.max_attempts);
  bus_.observing.begin_attempt(frame, &state);
  const Instant began = bus_.setup.clock.monotonic_now();
  std::unique_ptr<Failure> failure;
  bool settled = false;
  {
    HandlerTransaction transaction(bus_, frame, nullptr, delivery.redrive());
    const RunningMark mark(bus_.journal.crash_slots, RunningMark::kNotJournalled, subscriber.crash_hash);
    failure = run_handler(subscriber, forms, frame.context(), bus_.setup.process_generation, &transaction);
    settled = transaction.committed();
  }
  result.at = bus_.setup.clock.now();
  if (!failure) {
    runner_.attempt_succeeded(subscriber, frame, began);
    subscriber.count(letter.event_type, [](HandlerCount& count) { count.handled(1); });
    BusTally::add(bus_.counts.tally().redriven);
    result.end = RedriveResult::End::Reprocessed;
    return settled;
  }
  BusTally::add(bus_.counts.tally().redrives_failed);
  const Verdict verdict = runner_.after_failure(subscriber, frame, state, *failure, began);
  patiently([&] { add_failed_attempt(letter, state.attempts.back(), verdict.reason, result.at); });
  patiently([&] { letter.process = this_process(); });
  result.end = RedriveResult::End::Failed;
  result.letter = std::move(letter);
  return false;
}

}  // namespace tidings::detail
