#include "bus_core.hpp"
#include "running/handler_transaction.hpp"
#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>

#include <string>
#include <utility>

// Letters that are delivered again.

namespace tidings::detail {

namespace {

ServedHandler served(const Subscriber& subscriber) {
  return {subscriber.identity.event_type, subscriber.identity.handler,
          subscriber.options.after_death == AfterDeath::Park};
}

}  // namespace

RedriveRequest BusCore::redrive(const LetterFilter& filter, const RedriveOptions& options) {
  HandlerTransaction::require_none_here("redrive()");
  if (!accepting_.load()) throw Error(ErrorCode::BusStopped, "the bus is stopped: redrive before stop()");
  if (!redriver_.supported()) {
    throw Error(ErrorCode::InvalidArgument,
                "this bus has no store that letters can be redriven from: set BusOptions::store");
  }
  flush_letters();  // Letters that still wait for their commit are meant too.
  return redriver_.request(filter, options);
}

std::vector<ServedHandler> BusCore::served_handlers() const {
  std::vector<ServedHandler> handlers;
  for (const auto& subscriber : topics_.all()) {
    if (subscriber->state.load() == SubscriberState::Open) handlers.push_back(served(*subscriber));
  }
  return handlers;
}

/// The type's own handler of that name, or the one of all events.
std::shared_ptr<Subscriber> BusCore::subscriber_for(const DeadLetter& letter) const {
  for (const auto& subscriber : topics_.all()) {  // wildcards last
    const bool of_type = subscriber->wildcard || subscriber->identity.event_type == letter.event_type;
    if (of_type && subscriber->identity.handler == letter.handler) return subscriber;
  }
  return nullptr;
}

void BusCore::deliver_claimed(ClaimedLetter letter) {
  const auto subscriber = subscriber_for(letter.letter);
  const std::int64_t id = letter.id;
  if (subscriber) {
    Delivery delivery;
    DeliveryState& state = delivery.remember();
    state.ordering_key = patiently([&] { return letter.letter.ordering_key; });
    state.redrive = patiently([&] { return std::make_unique<ClaimedLetter>(std::move(letter)); });
    switch (subscriber->queue.push_redrive(delivery)) {
      case DeliveryQueue::Pushed::NeedsWorker:
        return pool_.submit(subscriber);
      case DeliveryQueue::Pushed::Queued:
        return;
      case DeliveryQueue::Pushed::Parked:
      case DeliveryQueue::Pushed::Refused:
        break;
    }
  }
  redriver_.end({.id = id, .end = RedriveResult::End::Returned, .at = clock_.now(), .letter = {}});
}

void BusCore::run_redrive(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                          DispatchGuard& guard) {
  const bool parks = subscriber->options.after_death == AfterDeath::Park;
  RedriveResult result{.id = delivery.redrive()->id, .at = clock_.now(), .letter = {}, .parks = parks};
  bool settled = false;
  if (!guard.enter(*subscriber)) {
    left_closed(*subscriber);
  } else {
    // What has not begun when its subscription or the bus ends is not begun any more: it stays marked.
    if (subscriber->state.load() == SubscriberState::Open) {
      if (const auto instead = redriver_.begin(*delivery.redrive())) {
        result.end = *instead;
      } else {
        settled = attempt_redrive(*subscriber, delivery, result);
      }
    }
    leave(guard, *subscriber);
  }
  const RedriveResult::End end = result.end;
  kill_point("redrive.returned");
  if (!settled) redriver_.end(std::move(result));
  if (const std::string* const key = delivery.ordering_key()) {
    const bool goes_on = end == RedriveResult::End::Reprocessed || !parks;
    const auto behind =
        end == RedriveResult::End::Returned ? RedriveResult::End::Returned : RedriveResult::End::Withdrawn;
    end_key(subscriber, *key, goes_on ? KeyOutcome::Next : KeyOutcome::Refuse, Reason::Parked, behind);
    if (subscriber->queue.waits_for_redrives(*key)) redriver_.look_at_keys();
  }
  subscriber->queue.end_redrive();
}

/// One attempt, whatever the policy says. The letter's chain of events begins anew. True: the handler's
/// transaction has settled it.
bool BusCore::attempt_redrive(Subscriber& subscriber, Delivery& delivery, RedriveResult& result) {
  DeadLetter& letter = delivery.redrive()->letter;
  DeliveryState& state = *delivery.state;
  letter.metadata.causation_depth = 0;
  state.attempts_made = letter.attempts.empty() ? 0 : letter.retry_count + 1;
  const StoredData stored(letter.data, letter.event_type, letter.schema_version, subscriber.schema_version,
                          upcasters_);
  const Payload payload = stored.payload();
  PayloadForms forms(payload);
  DeliveryFrame frame(payload, letter.metadata, subscriber.identity);
  frame.turn_to(subscriber);
  frame.set_attempt(state.attempts_made + 1);
  const Instant began = clock_.monotonic_now();
  std::unique_ptr<Failure> failure;
  bool settled = false;
  {
    HandlerTransaction transaction(*this, frame, nullptr, delivery.redrive());
    const RunningMark mark(crash_slots_, RunningMark::kNotJournalled, subscriber.crash_hash);
    failure = run_handler(subscriber, forms, frame.context(), process_generation_, &transaction);
    settled = transaction.committed();
  }
  result.at = clock_.now();
  if (!failure) {
    attempt_succeeded(subscriber, frame.context(), began);
    result.end = RedriveResult::End::Reprocessed;
    return settled;
  }
  const Verdict verdict = judge(subscriber, frame.context(), state, *failure, began);
  patiently([&] { add_failed_attempt(letter, state.attempts.back(), verdict.reason, result.at); });
  result.end = RedriveResult::End::Failed;
  result.letter = std::move(letter);
  return false;
}

// --- ordering keys ---

/// What came before the subscription goes first: what is left of it holds back what comes.
void BusCore::hold_keys(const std::shared_ptr<Subscriber>& subscriber) {
  const bool parks = subscriber->options.after_death == AfterDeath::Park;
  if (!options_.store || (!parks && !subscriber->keyed)) return;
  HandlerTransaction::require_none_here("subscribing a handler with an ordering_key");
  flush_letters();  // The keys of letters that still wait for their commit count too.
  const HandlerIdentity& identity = subscriber->identity;
  Redrives* const redrives = options_.store->redrives();
  if (redrives == nullptr) {
    if (!parks) return;
    return subscriber->queue.hold_keys(
        options_.store->dead_keys(identity.service, identity.event_type, identity.handler), {});
  }
  std::vector<std::string> dead;
  std::vector<std::string> resuming;
  for (LetterKey& key : redrives->keys(identity.service, served(*subscriber)))
    (key.coming ? resuming : dead).push_back(std::move(key.key));
  subscriber->queue.hold_keys(std::move(dead), std::move(resuming));
}

bool BusCore::refresh_keys() {
  bool complete = true;
  for (const auto& subscriber : topics_.all()) {
    if (subscriber->keyed && !subscriber->wildcard) complete = refresh_keys_of(subscriber) && complete;
  }
  return complete;
}

/// Frees dead keys whose letters are all resolved, and lets what waits for redrives go on, or parks it when
/// no redrive is coming any more. False: to be called again.
bool BusCore::refresh_keys_of(const std::shared_ptr<Subscriber>& subscriber) {
  bool later = false;
  const auto look = subscriber->queue.look_at_keys(later);
  if (!look) return !later;
  if ((journal_ && !journal_->commits.flush()) || !letters_.flush_a_turn()) return false;
  DeliveryQueue::UnresolvedKeys unresolved;
  for (LetterKey& key : options_.store->redrives()->keys(options_.service, served(*subscriber)))
    unresolved.emplace(std::move(key.key), key.coming);
  for (bool again = true; again;) {
    auto turn = subscriber->queue.settle_keys(*look, unresolved);
    for (const Delivery& parked : turn.parked)
      hand_back(subscriber, parked, Reason::Parked, RedriveResult::End::Returned);
    for (; turn.permits > 0; --turn.permits) pool_.submit(subscriber);
    again = !turn.parked.empty();
  }
  return true;
}

}  // namespace tidings::detail
