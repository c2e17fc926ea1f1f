#include "publishing/publisher.hpp"

#include "subscriptions/crash_slots.hpp"

#include <tidings/error.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidings::detail {

namespace {

/// Its publish was counted as handled by all inline handlers.
void unless_handled(const Subscriber& subscriber, const Payload& payload, DeliveryOutcome outcome) noexcept {
  if (outcome != DeliveryOutcome::Handled)
    subscriber.count(payload.event_type, [](HandlerCount& count) { count.not_handled(); });
}

ContextFields code_field(const Failure& failure) {
  if (failure.error_code.empty()) return {};
  return ContextFields{{"error_code", failure.error_code}};
}

}  // namespace

/// Runs an inline handler on any bus, and with an event in any form.
DeliveryOutcome Publisher::deliver_inline(const std::shared_ptr<Subscriber>& entry, PayloadForms& forms,
                                          DeliveryFrame& frame, DispatchGuard& guard, Care care) {
  Subscriber& subscriber = *entry;
  frame.turn_to(subscriber);
  if (!guard.enter(subscriber))
    return inline_refused(subscriber, forms.payload(), frame.context().metadata());
  if (care.observed) bus_.observing.begin_inline_attempt(frame);
  Instant began{};
  if (care.timed || care.observed || subscriber.timed.load(std::memory_order_relaxed) || bus_.log.debug())
    began = bus_.setup.clock.monotonic_now();
  std::unique_ptr<Failure> failure;
  {
    const RunningMark mark(bus_.journal.crash_slots, RunningMark::kNotJournalled, subscriber.crash_hash);
    failure = run_handler(subscriber, forms, frame.context(), bus_.setup.process_generation);
  }
  DeliveryOutcome outcome = DeliveryOutcome::Handled;
  if (failure) {
    outcome = runner_.inline_failed(entry, forms, frame, {}, std::move(failure), began);
    frame.set_attempt(1);
    unless_handled(subscriber, forms.payload(), outcome);
  } else if (began != Instant{}) {
    runner_.attempt_succeeded(subscriber, frame, began, care.timed);
  }
  bus_.retirement.leave(guard, subscriber);
  return outcome;
}

/// Whether deliver_plainly() will do: all handlers are inline and take the event as it is, nobody wants to
/// know when an attempt begins, and there is nothing to take care of: a guard that is not to fence, either.
inline bool Publisher::is_plain(const SubscriberList& list, const Payload& payload,
                                const Metadata& metadata) const {
  return list.plain_type == payload.type && metadata.causation_depth <= max_causation_depth_ &&
         !bus_.gate.needs_care() && !bus_.log.debug();
}

/// The same of a publish that the observer does not record, which there is to take care of.
inline bool Publisher::is_plain_unrecorded(const SubscriberList& list, const Payload& payload,
                                           const Metadata& metadata) const {
  return list.plain_type == payload.type && metadata.causation_depth <= max_causation_depth_ &&
         bus_.gate.needs_care_of_one() && !bus_.log.debug();
}

/// The way of most publishes, and the library's hottest loop. Inlined by force: as a call of its own it would
/// cost more than all it does for a handler that returns. What happens rarely is therefore kept out of it.
[[gnu::always_inline]] inline void Publisher::deliver_plainly(const SubscriberList& list,
                                                              const Payload& payload,
                                                              const Metadata& metadata, DispatchGuard& guard,
                                                              PublishResult& result) {
  DeliveryFrame frame(payload, metadata, list.subscribers.front()->identity);
  const void* const object = payload.object;
  const std::uint64_t generation = process_generation_;
  for (const std::shared_ptr<Subscriber>& entry : list.subscribers) {
    Subscriber& subscriber = *entry;
    if (subscriber.timed.load(std::memory_order_relaxed)) [[unlikely]] {
      count(result, deliver_timed(entry, payload, frame, guard));
      continue;
    }
    frame.turn_to(subscriber);
    if (!guard.enter<true>(subscriber)) [[unlikely]] {
      count(result, inline_refused(subscriber, payload, metadata));
      continue;
    }
    if (auto failure = run_handler_with([&] { return object; }, subscriber, frame.context(), generation))
        [[unlikely]] {
      count(result, plain_failed(entry, payload, frame, std::move(failure)));
    } else {
      ++result.handled;
    }
    if (guard.leave<true>(subscriber)) [[unlikely]]
      bus_.retirement.free_if_idle(subscriber);
  }
}

[[gnu::noinline]] DeliveryOutcome Publisher::deliver_timed(const std::shared_ptr<Subscriber>& subscriber,
                                                           const Payload& payload, DeliveryFrame& frame,
                                                           DispatchGuard& guard) {
  PayloadForms forms(payload);
  return deliver_inline(subscriber, forms, frame, guard, {});
}

[[gnu::noinline]] DeliveryOutcome Publisher::plain_failed(const std::shared_ptr<Subscriber>& subscriber,
                                                          const Payload& payload, DeliveryFrame& frame,
                                                          std::unique_ptr<Failure> failure) {
  PayloadForms forms(payload);
  const auto outcome = runner_.inline_failed(subscriber, forms, frame, {}, std::move(failure), Instant{});
  frame.set_attempt(1);
  unless_handled(*subscriber, payload, outcome);
  return outcome;
}

PublishResult Publisher::publish(const Payload& payload, const Topic& topic, const PublishOptions& options) {
  if (fork_generation() != process_generation_) [[unlikely]]
    bus_.setup.require_own_process();
  Durability durability = durability_;
  bool has_key = false;
  if (&options != &kNoPublishOptions) {  // else there is nothing to be read
    durability = options.durability.value_or(durability);
    has_key = !options.idempotency_key.empty();
  }
  if (durability != Durability::None || has_key) [[unlikely]]
    return durable_.publish({&payload, 1}, topic, options, durability).front();
  return publish_in_memory(payload, topic, options);
}

std::vector<PublishResult> Publisher::publish_batch(std::span<const Payload> payloads, const Topic& topic,
                                                    const PublishOptions& options) {
  bus_.setup.require_own_process();
  const Durability durability = options.durability.value_or(durability_);
  if (durability != Durability::None) return durable_.publish(payloads, topic, options, durability);
  require_idempotency_key(options, payloads.size());
  std::vector<PublishResult> results;
  results.reserve(payloads.size());
  for (const Payload& payload : payloads) results.push_back(publish(payload, topic, options));
  return results;
}

PublishResult Publisher::store_dead_letter(const Payload& payload, const Topic& topic,
                                           std::string_view handler, const LetterCause& cause,
                                           const PublishOptions& options) {
  bus_.setup.require_own_process();
  DispatchGuard guard(bus_.setup);
  static_cast<void>(guard.protect(topic.list));  // a stop waits for it
  bus_.gate.require_open();
  PublishResult result;
  Metadata metadata = stamper_.stamp(options, result);
  std::optional<ObservedPublish> observed;
  if (bus_.observing.on()) observed.emplace(bus_.observing, payload, metadata, false);
  const Failure failure = failure_of(cause.error);
  DeliveryState state;
  state.attempts_made = 1;
  state.attempted_here = true;
  state.attempts.push_back({bus_.setup.clock.now(), std::chrono::microseconds(0), failure.error_type,
                            failure.error_message, code_field(failure)});
  const HandlerIdentity identity{.handler = std::string(handler),
                                 .service = bus_.setup.options.service,
                                 .event_type = std::string(payload.event_type),
                                 .max_attempts = 1};
  count(result, end_.bury(end_.letter_of(identity, payload, metadata,
                                         cause.permanent ? Reason::Permanent : Reason::Exhausted, &state)));
  if (observed) observed->accepted(result);
  return result;
}

/// Apart from what is durable, so that its one result is made where the publisher wants it.
[[gnu::always_inline]] inline PublishResult Publisher::publish_in_memory(const Payload& payload,
                                                                         const Topic& topic,
                                                                         const PublishOptions& options) {
  DispatchGuard guard(bus_.setup);
  const SubscriberList* list = &guard.protect(topic.list);
  bus_.gate.require_open();
  PublishResult result;  // as the metadata in stamp()
  Metadata metadata = stamper_.stamp(options, result);
  if (!is_plain(*list, payload, metadata) || !guard.count(*list)) [[unlikely]] {
    list =
        deliver(list->outdated ? bus_.topics.current(topic, guard) : *list, payload, metadata, guard, result);
    if (list == nullptr) return result;
  }
  deliver_plainly(*list, payload, metadata, guard, result);
  return result;
}

/// Null: it is delivered. Else it has only been observed, is not recorded, and is to be delivered plainly.
const SubscriberList* Publisher::deliver(const SubscriberList& list, const Payload& payload,
                                         Metadata& metadata, DispatchGuard& guard, PublishResult& result) {
  if (!bus_.observing.on()) {
    deliver_stamped(list, payload, metadata, guard, result, false);
    return nullptr;
  }
  ObservedPublish observed(bus_.observing, payload, metadata, false);
  if (!observed.recorded() && is_plain_unrecorded(list, payload, metadata) && guard.count(list)) return &list;
  deliver_stamped(list, payload, metadata, guard, result, observed.recorded());
  observed.accepted(result);
  return nullptr;
}

void Publisher::deliver_stamped(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                                DispatchGuard& guard, PublishResult& result, bool observed) {
  if (bus_.log.debug()) bus_.log.published(payload, metadata);
  if (list.subscribers.empty()) {
    count_published(payload);
    count(result, unhandled_.settle(payload, metadata));
  } else if (metadata.causation_depth > max_causation_depth_) {
    count_published(payload);
    cut_loop(list, payload, metadata, guard, result);
  } else {
    deliver_to_all(list, payload, metadata, guard, result, observed);
  }
}

void Publisher::deliver_to_all(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                               DispatchGuard& guard, PublishResult& result, bool observed) {
  PayloadForms forms(payload);
  QueuedPart queued = list.last_queued != nullptr || bus_.gate.needs_care()
                          ? prepare_queued(list, forms, metadata, guard)
                          : QueuedPart{};
  const bool timed = !guard.count(list) && count_by_call(list, payload, guard);
  DeliveryFrame frame(payload, metadata, list.subscribers.front()->identity);
  std::size_t queued_index = 0;
  for (const std::shared_ptr<Subscriber>& subscriber : list.subscribers) {
    if (!subscriber->queued) {
      count(result, deliver_inline(subscriber, forms, frame, guard, {timed, observed}));
      continue;
    }
    const bool last = subscriber.get() == list.last_queued;
    Delivery delivery{last ? std::move(queued.event) : queued.event, nullptr};
    if (!queued.ordering_keys.empty() && queued.ordering_keys[queued_index])
      delivery.remember().ordering_key = std::move(queued.ordering_keys[queued_index]);
    ++queued_index;
    count(result, runner_.enqueue(subscriber, delivery));
  }
}

/// Returns whether the publish's deliveries are to be timed.
bool Publisher::count_by_call(const SubscriberList& list, const Payload& payload,
                              DispatchGuard& guard) noexcept {
  if (list.count != nullptr) return guard.count_by_call(list);
  count_published(payload);
  for (const auto& subscriber : list.subscribers) {
    if (!subscriber->queued)
      subscriber->count(payload.event_type, [](HandlerCount& count) { count.handled(1); });
  }
  return true;
}

void Publisher::count_published(const Payload& payload) noexcept {
  bus_.counts.change(payload.event_type, "", [](HandlerCount& count) { count.published(1); });
}

void Publisher::cut_loop(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                         DispatchGuard& guard, PublishResult& result) {
  PayloadForms forms(payload);
  for (const std::shared_ptr<Subscriber>& subscriber : list.subscribers) {
    DeadLetter letter =
        end_.letter_of(subscriber->identity, payload, metadata, Reason::CausationLoop, nullptr);
    if (subscriber->keyed) letter.ordering_key = runner_.ordering_key_of(*subscriber, forms, guard);
    count(result, end_.bury(std::move(letter)));
  }
}

Publisher::QueuedPart Publisher::prepare_queued(const SubscriberList& list, PayloadForms& forms,
                                                const Metadata& metadata, DispatchGuard& guard) {
  QueuedPart part;
  const bool any_keyed = std::any_of(list.subscribers.begin(), list.subscribers.end(),
                                     [](const auto& subscriber) { return subscriber->keyed; });
  if (any_keyed) {
    for (const auto& subscriber : list.subscribers) {
      if (!subscriber->queued) continue;
      part.ordering_keys.emplace_back();
      if (subscriber->keyed) part.ordering_keys.back() = runner_.ordering_key_of(*subscriber, forms, guard);
    }
  }
  if (list.last_queued != nullptr)
    part.event =
        EventPointer(forms.payload().type->copy(forms.payload(), KeptMetadata(metadata, bus_.setup.source)));
  reserve_places(list);
  return part;
}

void Publisher::reserve_places(const SubscriberList& list) {
  while (Subscriber* const full = try_reserve_places(list)) wait_or_refuse(*full);
}

/// All places or none. Returns a subscriber without room, if any.
Subscriber* Publisher::try_reserve_places(const SubscriberList& list) {
  for (auto subscriber = list.subscribers.begin(); subscriber != list.subscribers.end(); ++subscriber) {
    DeliveryQueue& queue = (*subscriber)->queue;
    if ((*subscriber)->queued ? queue.try_reserve() : queue.has_room()) continue;
    for (auto earlier = list.subscribers.begin(); earlier != subscriber; ++earlier) {
      if ((*earlier)->queued) end_.release_place(**earlier);
    }
    return subscriber->get();
  }
  return nullptr;
}

void Publisher::wait_or_refuse(Subscriber& full) {
  if (full.options.when_full == WhenFull::Throw || WorkerPool::on_worker()) {
    throw Error(ErrorCode::QueueFull, "the queue of handler '" + full.identity.handler +
                                          "' holds its limit of " +
                                          std::to_string(full.options.queue_capacity) +
                                          " deliveries; nothing was delivered: publish more slowly, raise "
                                          "queue_capacity, or make the handler faster");
  }
  const std::uint64_t wakes = full.queue.wakes();
  bus_.gate.require_open();
  full.queue.wait_for_room(wakes);
  bus_.gate.require_open();
}

DeliveryOutcome Publisher::inline_refused(Subscriber& subscriber, const Payload& payload,
                                          const Metadata& metadata) {
  bus_.retirement.free_if_idle(subscriber);
  const DeliveryOutcome outcome = end_.not_delivered(subscriber, payload, metadata, nullptr);
  unless_handled(subscriber, payload, outcome);
  return outcome;
}

}  // namespace tidings::detail
