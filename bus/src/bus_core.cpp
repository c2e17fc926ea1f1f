#include "bus_core.hpp"
#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace tidings::detail {

namespace {

/// Types for which "nobody subscribes" is remembered: type names may come from outside, so their number is
/// bounded.
constexpr std::size_t kMaxWarnedTypes = 1000;

}  // namespace

PublishResult BusCore::publish_named(const Payload& payload, const PublishOptions& options) {
  return dispatch(payload, topics_.find(payload.event_type), options);
}

/// Runs an inline handler on any bus, and with an event in any form.
void BusCore::deliver_inline(const std::shared_ptr<Subscriber>& entry, PayloadForms& forms,
                             DeliveryFrame& frame, DispatchGuard& guard, PublishResult& result) {
  Subscriber& subscriber = *entry;
  frame.turn_to(subscriber);
  if (!guard.enter(subscriber))
    return inline_refused(entry, forms.payload(), frame.context().metadata(), result);
  Instant began{};
  if (subscriber.timed.load(std::memory_order_relaxed) || log_.debug()) began = clock_.monotonic_now();
  std::unique_ptr<Failure> failure;
  {
    const RunningMark mark(crash_slots_, RunningMark::kNotJournalled, subscriber.crash_hash);
    failure = run_handler(subscriber, forms, frame.context(), process_generation_);
  }
  if (failure) {
    inline_failed(entry, forms, frame, {}, std::move(failure), began, result);
    frame.set_attempt(1);
  } else {
    ++result.handled;
    if (began != Instant{}) attempt_succeeded(subscriber, frame.context(), began);
  }
  if (guard.leave(subscriber)) left_closed(subscriber);
}

/// Whether deliver_plainly() will do: all handlers are inline and take the event as it is, nobody wants to
/// know when an attempt begins, no journal keeps what runs, and others fence.
inline bool BusCore::is_plain(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                              const DispatchGuard& guard) const {
  return list.plain_type == payload.type && metadata.causation_depth <= options_.max_causation_depth &&
         waiting_retries_.load(std::memory_order_relaxed) == 0 && guard.others_fence() &&
         crash_slots_.empty() && !log_.debug();
}

/// The way of most publishes, and the library's hottest loop. Inlined by force: as a call of its own it would
/// cost more than all it does for a handler that returns. What happens rarely is therefore kept out of it.
[[gnu::always_inline]] inline void BusCore::deliver_plainly(const SubscriberList& list,
                                                            const Payload& payload, const Metadata& metadata,
                                                            DispatchGuard& guard, PublishResult& result) {
  DeliveryFrame frame(payload, metadata, list.subscribers.front()->identity);
  const void* const object = payload.object;
  const std::uint64_t generation = process_generation_;
  for (const std::shared_ptr<Subscriber>& entry : list.subscribers) {
    Subscriber& subscriber = *entry;
    if (subscriber.timed.load(std::memory_order_relaxed)) [[unlikely]] {
      deliver_timed(entry, payload, frame, guard, result);
      continue;
    }
    frame.turn_to(subscriber);
    if (!guard.enter<true>(subscriber)) [[unlikely]] {
      inline_refused(entry, payload, metadata, result);
      continue;
    }
    if (auto failure = run_handler_with([&] { return object; }, subscriber, frame.context(), generation))
        [[unlikely]] {
      plain_failed(entry, payload, frame, std::move(failure), result);
    } else {
      ++result.handled;
    }
    if (guard.leave<true>(subscriber)) [[unlikely]]
      left_closed(subscriber);
  }
}

[[gnu::noinline]] void BusCore::deliver_timed(const std::shared_ptr<Subscriber>& subscriber,
                                              const Payload& payload, DeliveryFrame& frame,
                                              DispatchGuard& guard, PublishResult& result) {
  PayloadForms forms(payload);
  deliver_inline(subscriber, forms, frame, guard, result);
}

[[gnu::noinline]] void BusCore::plain_failed(const std::shared_ptr<Subscriber>& subscriber,
                                             const Payload& payload, DeliveryFrame& frame,
                                             std::unique_ptr<Failure> failure, PublishResult& result) {
  PayloadForms forms(payload);
  inline_failed(subscriber, forms, frame, {}, std::move(failure), Instant{}, result);
  frame.set_attempt(1);
}

PublishResult BusCore::dispatch(const Payload& payload, const Topic& topic, const PublishOptions& options) {
  require_own_process();
  const Durability durability = options.durability.value_or(options_.durability);
  if (durability != Durability::None || !options.idempotency_key.empty()) [[unlikely]]
    return publish_durably({&payload, 1}, topic, options, durability).front();
  return dispatch_in_memory(payload, topic, options);
}

/// Apart from what is durable, so that its one result is made where the publisher wants it.
[[gnu::always_inline]] inline PublishResult BusCore::dispatch_in_memory(const Payload& payload,
                                                                        const Topic& topic,
                                                                        const PublishOptions& options) {
  DispatchGuard guard(*this);
  const SubscriberList& list = guard.protect(topic.list);
  if (!accepting_.load()) [[unlikely]]
    throw_stopped();
  PublishResult result;  // as the metadata in stamp()
  const Metadata metadata = stamp(options, result);
  if (is_plain(list, payload, metadata, guard)) [[likely]] {
    deliver_plainly(list, payload, metadata, guard, result);
  } else {
    deliver(list.outdated ? topics_.current(topic, guard) : list, payload, metadata, guard, result);
  }
  return result;
}

void BusCore::deliver(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                      DispatchGuard& guard, PublishResult& result) {
  if (log_.debug()) log_.published(payload, metadata);
  if (list.subscribers.empty()) {
    nobody_subscribes(payload, metadata, result);
  } else if (metadata.causation_depth > options_.max_causation_depth) {
    cut_loop(list, payload, metadata, guard, result);
  } else {
    deliver_to_all(list, payload, metadata, guard, result);
  }
}

void BusCore::deliver_to_all(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                             DispatchGuard& guard, PublishResult& result) {
  PayloadForms forms(payload);
  QueuedPart queued;
  if (list.last_queued != nullptr || waiting_retries_.load(std::memory_order_relaxed) > 0)
    queued = prepare_queued(list, forms, metadata, guard);
  DeliveryFrame frame(payload, metadata, list.subscribers.front()->identity);
  std::size_t queued_index = 0;
  for (const std::shared_ptr<Subscriber>& subscriber : list.subscribers) {
    if (!subscriber->queued) {
      deliver_inline(subscriber, forms, frame, guard, result);
      continue;
    }
    std::optional<std::string> key;
    if (!queued.ordering_keys.empty()) key = std::move(queued.ordering_keys[queued_index]);
    ++queued_index;
    const bool last = subscriber.get() == list.last_queued;
    enqueue(subscriber, last ? std::move(queued.event) : queued.event, std::move(key), result);
  }
}

void BusCore::nobody_subscribes(const Payload& payload, const Metadata& metadata, PublishResult& result) {
  if (options_.unhandled == Unhandled::Warn) {
    if (first_warning(payload.event_type)) log_.unhandled(payload, metadata);
  } else if (options_.unhandled == Unhandled::DeadLetter) {
    const auto nobody = patiently([&] {
      return HandlerIdentity{options_.service, std::string(payload.event_type), "", 0};
    });
    DeadLetter letter = make_letter(nobody, payload, metadata, Reason::Unhandled, nullptr);
    ++(bury(std::move(letter)) ? result.dead : result.scheduled);
  }
}

bool BusCore::first_warning(std::string_view event_type) {
  const MutexLock lock(mutex_);
  if (warned_types_.size() >= kMaxWarnedTypes) return false;
  return patiently([&] {
    mutex_.assert_held();
    return warned_types_.insert(std::string(event_type)).second;
  });
}

void BusCore::cut_loop(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                       DispatchGuard& guard, PublishResult& result) {
  PayloadForms forms(payload);
  for (const std::shared_ptr<Subscriber>& subscriber : list.subscribers) {
    DeadLetter letter = make_letter(subscriber->identity, payload, metadata, Reason::CausationLoop, nullptr);
    if (subscriber->keyed) letter.ordering_key = ordering_key_of(*subscriber, forms, guard);
    ++(bury(std::move(letter)) ? result.dead : result.scheduled);
  }
}

BusCore::QueuedPart BusCore::prepare_queued(const SubscriberList& list, PayloadForms& forms,
                                            const Metadata& metadata, DispatchGuard& guard) {
  QueuedPart part;
  const bool any_keyed = std::any_of(list.subscribers.begin(), list.subscribers.end(),
                                     [](const auto& subscriber) { return subscriber->keyed; });
  if (any_keyed) {
    for (const auto& subscriber : list.subscribers) {
      if (!subscriber->queued) continue;
      part.ordering_keys.emplace_back();
      if (subscriber->keyed) part.ordering_keys.back() = ordering_key_of(*subscriber, forms, guard);
    }
  }
  if (list.last_queued != nullptr)
    part.event = EventPointer(forms.payload().type->copy(forms.payload(), KeptMetadata(metadata, source_)));
  reserve_places(list);
  return part;
}

/// The user's extractor is protected as its handler is: once unsubscribed it does not run. An event that does
/// not fit the handler's type has no key; the delivery will find that out again, and be dead.
std::optional<std::string> BusCore::ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                                    DispatchGuard& guard) {
  if (!guard.enter(subscriber)) {
    left_closed(subscriber);
    return std::nullopt;
  }
  try {
    std::optional<std::string> key;
    if (const void* const event = forms.try_as(subscriber.payload_type)) key = subscriber.ordering_key(event);
    leave(guard, subscriber);
    return key;
  } catch (...) {
    leave(guard, subscriber);
    throw;
  }
}

void BusCore::reserve_places(const SubscriberList& list) {
  while (Subscriber* const full = try_reserve_places(list)) wait_or_refuse(*full);
}

/// All places or none. Returns a subscriber without room, if any.
Subscriber* BusCore::try_reserve_places(const SubscriberList& list) {
  for (auto subscriber = list.subscribers.begin(); subscriber != list.subscribers.end(); ++subscriber) {
    DeliveryQueue& queue = (*subscriber)->queue;
    if ((*subscriber)->queued ? queue.try_reserve() : queue.has_room()) continue;
    for (auto earlier = list.subscribers.begin(); earlier != subscriber; ++earlier) {
      if ((*earlier)->queued) release_place(**earlier);
    }
    return subscriber->get();
  }
  return nullptr;
}

void BusCore::wait_or_refuse(Subscriber& full) {
  if (full.options.when_full == WhenFull::Throw || WorkerPool::on_worker()) {
    throw Error(ErrorCode::QueueFull, "the queue of handler '" + full.identity.handler +
                                          "' holds its limit of " +
                                          std::to_string(full.options.queue_capacity) +
                                          " deliveries; nothing was delivered: publish more slowly, raise "
                                          "queue_capacity, or make the handler faster");
  }
  const std::uint64_t wakes = full.queue.wakes();
  if (!accepting_.load()) throw_stopped();
  full.queue.wait_for_room(wakes);
  if (!accepting_.load()) throw_stopped();
}

void BusCore::enqueue(const std::shared_ptr<Subscriber>& subscriber, EventPointer event,
                      std::optional<std::string> key, PublishResult& result) {
  Delivery delivery{std::move(event), nullptr};
  if (key) delivery.remember().ordering_key = std::move(key);
  enqueue_delivery(subscriber, delivery, result);
}

void BusCore::enqueue_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                               PublishResult& result) {
  switch (subscriber->queue.push(delivery)) {
    case DeliveryQueue::Pushed::NeedsWorker:
      pool_.submit(subscriber);
      ++result.scheduled;
      break;
    case DeliveryQueue::Pushed::Queued:
      ++result.scheduled;
      break;
    case DeliveryQueue::Pushed::Parked:
      if (subscriber->state.load() == SubscriberState::Open && accepting_.load()) {
        bury_soon(*subscriber, delivery, Reason::Parked);
        ++result.scheduled;
      } else {  // no earlier one need be dead: an end of the bus refuses what comes behind it, too
        not_delivered(subscriber, delivery, result);
      }
      subscriber->queue.parked();
      release_place(*subscriber);
      break;
    case DeliveryQueue::Pushed::Refused:
      not_delivered(subscriber, delivery, result);
      release_place(*subscriber);
      break;
  }
}

/// The subscriber closed after this publish was accepted: by its owner, who wants no more of them, or with
/// the whole bus, and then the event is owed.
void BusCore::not_delivered(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                            const Metadata& metadata, const DeliveryState* state, PublishResult& result) {
  if (state != nullptr && state->owed) {
    leave_in_journal(*subscriber, state->owed);
    ++result.scheduled;
    return;
  }
  if (accepting_.load()) return;
  DeadLetter letter = make_letter(subscriber->identity, payload, metadata, Reason::Shutdown, state);
  ++(bury(std::move(letter)) ? result.dead : result.scheduled);
}

void BusCore::not_delivered(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                            PublishResult& result) {
  Metadata buffer;
  not_delivered(subscriber, delivery.event->payload(), delivery.event->metadata(source_, buffer),
                delivery.state.get(), result);
}

void BusCore::inline_refused(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                             const Metadata& metadata, PublishResult& result) {
  left_closed(*subscriber);
  not_delivered(subscriber, payload, metadata, nullptr, result);
}

void BusCore::inline_failed(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms,
                            DeliveryFrame& frame, OwedDeliveryHandle owed, std::unique_ptr<Failure> failure,
                            Instant began, PublishResult& result) {
  const Metadata& metadata = frame.context().metadata();
  Delivery delivery;
  DeliveryState& state = delivery.remember();
  state.owed = std::move(owed);
  Verdict verdict = run_on(*subscriber, forms, frame, state, std::move(failure), began);
  if (verdict.end == End::RetryLater) {
    delivery.event = copy_for_retry(forms.payload(), metadata, state);
    if (delivery.event && reserve_and_retry_later(subscriber, delivery, verdict.delay)) {
      ++result.scheduled;
      return;
    }
    verdict = {End::Dead, {}, delivery.event ? Reason::Shutdown : Reason::Exhausted};
  }
  if (verdict.end == End::Handled) {
    ++result.handled;
    if (state.owed) journal_->owed.handled(state.owed);
    return;
  }
  if (state.owed && verdict.reason == Reason::Shutdown)
    return not_delivered(subscriber, forms.payload(), metadata, &state, result);
  DeadLetter letter = make_letter(subscriber->identity, forms.payload(), metadata, verdict.reason, &state);
  if (state.owed && letter.data.encoding == DataEncoding::None) {
    leave_in_journal(*subscriber, state.owed);
    ++result.scheduled;
    return;
  }
  ++(bury(std::move(letter), state.owed) ? result.dead : result.scheduled);
}

/// Null when the event's copy constructor throws: then it cannot wait for a retry.
EventPointer BusCore::copy_for_retry(const Payload& payload, const Metadata& metadata, DeliveryState& state) {
  try {
    return with_some_patience(
        [&] { return EventPointer(payload.type->copy(payload, KeptMetadata(metadata, source_))); });
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

bool BusCore::reserve_and_retry_later(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                                      std::chrono::microseconds delay) {
  subscriber->queue.reserve();
  if (retry_later(subscriber, delivery, delay)) return true;
  release_place(*subscriber);
  return false;
}

}  // namespace tidings::detail
