#include "publishing/durable_publisher.hpp"

#include "ending/handler_transaction.hpp"
#include "letters/letter_maker.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/text.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace tidings::detail {

namespace {

[[noreturn]] void throw_no_journal() {
  throw Error(
      ErrorCode::NoJournal,
      "a durable publish, or one with an idempotency_key, needs a bus with a journal and a durability "
      "above None; nothing was delivered: set BusOptions::durability, or for this event "
      "PublishOptions::durability");
}

/// With a space, which no idempotency key of a user has.
std::string foreign_id_key(const std::string& id) { return "id " + id; }

}  // namespace

/// One event of a durable publish, from its stamp to its deliveries.
struct DurablePublisher::DurableEvent {
  explicit DurableEvent(const Payload& event) : payload(event), forms(payload) {}

  /// But for its id and its handlers.
  [[nodiscard]] JournalAppend append(const PublishOptions& options, IdempotencyWindow& keys) {
    JournalAppend row;
    row.event_type = payload.event_type;
    row.schema_version = payload.schema_version;
    row.data = &data;
    row.metadata = &metadata;
    row.idempotency_key = options.idempotency_key;
    if (options.idempotency_key.empty() && metadata.foreign_id)
      row.idempotency_key = foreign_key = foreign_id_key(*metadata.foreign_id);
    if (!row.idempotency_key.empty()) row.key_period = keys.ending_with(metadata.published_at);
    return row;
  }

  const Payload payload;
  PayloadForms forms;
  PublishResult begun;
  Metadata metadata;
  std::optional<ObservedPublish> observed;  // ends before what it refers to
  std::string foreign_key;                  // its foreign id as an idempotency key, if it is one
  EncodedData data;
  EventPointer stored;                                    // for queues
  std::vector<std::optional<std::string>> ordering_keys;  // one for each subscriber, or none at all
  std::vector<bool> direct;  // whether memory has the delivery, not only the journal
  /// Of all its deliveries, when they are dead from the start: then nobody owes it.
  std::vector<DeadLetter> letters;
};

void require_idempotency_key(const PublishOptions& options, std::size_t events) {
  if (options.idempotency_key.empty() && options.foreign_id.empty()) return;
  if (!options.idempotency_key.empty() && !CorrelationId::parse(options.idempotency_key)) {
    throw Error(ErrorCode::InvalidArgument,
                "idempotency_key must be 1 to 128 visible ASCII characters; nothing was delivered");
  }
  if (events != 1) {
    throw Error(ErrorCode::InvalidArgument,
                "an idempotency_key or a foreign_id is for one event: publish the events of a batch one by "
                "one to give each "
                "its own; nothing was delivered");
  }
}

std::vector<PublishResult> DurablePublisher::publish(std::span<const Payload> payloads, const Topic& topic,
                                                     const PublishOptions& options, Durability durability) {
  if (!bus_.journal || durability == Durability::None) throw_no_journal();
  if (HandlerTransaction* const open = HandlerTransaction::of_this_thread(bus_.setup))
    return publish_within(open->journal(), payloads, topic, options, durability);
  require_idempotency_key(options, payloads.size());
  std::vector<PublishResult> results;
  if (payloads.empty()) return results;
  results.reserve(payloads.size());
  DispatchGuard guard(bus_.setup);
  const SubscriberList& list = bus_.topics.current(topic, guard);
  bus_.gate.require_open();
  DurableEvents events(payloads.size());
  for (std::size_t index = 0; index < events.size(); ++index)
    prepare(events[index], list, payloads[index], options, guard);
  for (auto& event : events) write_dead_letters(list, *event);
  // Before the journal has them: a copy constructor may throw.
  if (list.last_queued != nullptr) {
    for (auto& event : events)
      event->stored = EventPointer(
          event->payload.type->copy(event->payload, KeptMetadata(event->metadata, bus_.setup.source)));
  }
  Placing placing(*bus_.journal.ledger);
  const auto requests = append(list, events, options, durability, placing);
  kill_point("publish.appended");
  // Queues first, and of the whole batch: an inline handler may take long, or publish what is to come after.
  for (std::size_t index = 0; index < events.size(); ++index)
    results.push_back(queue(list, *events[index], requests[index]));
  placing.end();
  for (std::size_t index = 0; index < events.size(); ++index) {
    run(list, *events[index], requests[index], guard, results[index]);
    end_observed(*events[index], results[index]);
    kill_point("publish.delivered");
  }
  return results;
}

void DurablePublisher::end_observed(DurableEvent& event, const PublishResult& result) noexcept {
  if (!event.observed) return;
  event.observed->accepted(result);
  event.observed.reset();
}

void DurablePublisher::prepare(std::optional<DurableEvent>& event, const SubscriberList& list,
                               const Payload& payload, const PublishOptions& options, DispatchGuard& guard) {
  event.emplace(payload);
  event->metadata = stamper_.stamp(options, event->begun);
  if (bus_.observing.on()) event->observed.emplace(bus_.observing, event->payload, event->metadata, true);
  if (bus_.log.debug()) bus_.log.published(payload, event->metadata);
  event->data = bus_.payloads.for_journal(payload, event->metadata.event_id);
  event->direct.resize(list.subscribers.size());
  for (std::size_t index = 0; index < list.subscribers.size(); ++index) {
    Subscriber& subscriber = *list.subscribers[index];
    if (!subscriber.keyed) continue;
    event->ordering_keys.resize(list.subscribers.size());
    event->ordering_keys[index] = runner_.ordering_key_of(subscriber, event->forms, guard);
  }
}

/// What the journal would have, as letters keep it.
StoredForm DurablePublisher::letter_form_of(const DurableEvent& event) const {
  return {bus_.payloads.for_letter(event.data, event.payload, event.metadata.event_id),
          event.payload.schema_version};
}

/// An event that nobody subscribes to, or that ends a chain of too many, is dead as it is published: its
/// letters are committed with its idempotency key, so that a repeat finds both or neither.
void DurablePublisher::write_dead_letters(const SubscriberList& list, DurableEvent& event) const {
  const auto write = [&](const HandlerIdentity& identity, Reason reason) -> DeadLetter& {
    return event.letters.emplace_back(make_letter(identity, event.payload.event_type, letter_form_of(event),
                                                  event.metadata, reason, bus_.setup.clock.now(), nullptr));
  };
  if (list.subscribers.empty()) {
    if (unhandled_.are_letters()) write(unhandled_.nobody(event.payload.event_type), Reason::Unhandled);
    return;
  }
  if (event.metadata.causation_depth <= bus_.setup.options.max_causation_depth) return;
  for (std::size_t index = 0; index < list.subscribers.size(); ++index) {
    DeadLetter& letter = write(list.subscribers[index]->identity, Reason::CausationLoop);
    if (!event.ordering_keys.empty()) letter.ordering_key = event.ordering_keys[index];
  }
}

std::vector<AppendRequest> DurablePublisher::append(const SubscriberList& list, DurableEvents& events,
                                                    const PublishOptions& options, Durability durability,
                                                    Placing& placing) {
  std::vector<AppendRequest> requests(events.size());
  for (std::size_t index = 0; index < events.size(); ++index) {
    AppendRequest& request = requests[index];
    request.append = events[index]->append(options, *bus_.journal.idempotency);
    request.letters = std::move(events[index]->letters);
    request.owed = std::make_shared<OwedEvent>(request.letters.empty() ? list.names() : nobody_);
    request.synced = durability == Durability::PowerLoss;
  }
  try {
    bus_.journal.commits->append(
        requests,
        [&](AppendRequest& request) {
          admit(list, *events[static_cast<std::size_t>(&request - requests.data())], request);
        },
        list.last_queued != nullptr ? &placing : nullptr);
  } catch (...) {
    for (const auto& event : events) release_places(list, *event);
    bus_.refill.request();  // a backlog may have begun with them
    throw;
  }
  return requests;
}

/// Decides for each delivery whether memory takes it now or the journal keeps it for later. Called in the
/// order of ids, so that what the journal keeps for a subscriber is everything from one id on.
void DurablePublisher::admit(const SubscriberList& list, DurableEvent& event, AppendRequest& request) {
  for (std::size_t index = 0; index < request.owed->parts.size(); ++index) {
    event.direct[index] = takes_directly(*list.subscribers[index], request.append.id) &&
                          OwedLedger::take_in(*request.owed, index);
  }
}

/// Under the mutex of the ledger.
bool DurablePublisher::takes_directly(Subscriber& subscriber, std::int64_t id) {
  if (subscriber.backlog.holds(id)) return false;
  const bool held = bus_.gate.durable_held();
  if (!held && (!subscriber.queued || subscriber.queue.try_reserve())) return true;
  subscriber.backlog.leave(id);
  return false;
}

/// A subscription that has ended since the list was made reads nothing any more.
void DurablePublisher::leave_to_successor(const Subscriber& subscriber, std::int64_t id) {
  if (subscriber.backlog.closed()) end_.leave_to_successor(subscriber, id);
}

void DurablePublisher::release_places(const SubscriberList& list, const DurableEvent& event) {
  for (std::size_t index = 0; index < list.subscribers.size(); ++index) {
    Subscriber& subscriber = *list.subscribers[index];
    if (event.direct[index] && subscriber.queued) end_.release_place(subscriber);
  }
}

/// Puts the event into its queues. What the journal keeps is asked for.
PublishResult DurablePublisher::queue(const SubscriberList& list, DurableEvent& event,
                                      const AppendRequest& request) {
  PublishResult result = std::move(event.begun);
  if (request.repeat) {
    release_places(list, event);
    result.event_id = *request.repeat;
    result.duplicate = true;
    return result;
  }
  if (!request.letters.empty()) return result;
  bool later = false;
  for (std::size_t index = 0; index < list.subscribers.size(); ++index) {
    const std::shared_ptr<Subscriber>& subscriber = list.subscribers[index];
    if (!event.direct[index]) {
      later = true;
      leave_to_successor(*subscriber, request.append.id);
      ++result.scheduled;
    } else if (subscriber->queued) {
      Delivery delivery{event.stored, nullptr};
      delivery.remember().owed = {request.owed, index};
      if (subscriber->keyed) delivery.state->ordering_key = std::move(event.ordering_keys[index]);
      count(result, runner_.enqueue(subscriber, delivery));
    }
  }
  if (later) bus_.refill.request();
  return result;
}

void DurablePublisher::run(const SubscriberList& list, DurableEvent& event, const AppendRequest& request,
                           DispatchGuard& guard, PublishResult& result) {
  if (request.repeat) {
    BusTally::add(bus_.counts.tally().duplicates);
    return bus_.log.duplicate(event.payload, event.metadata,
                              event.foreign_key.empty() ? request.append.idempotency_key : std::string_view(),
                              *request.repeat);
  }
  bus_.counts.change(event.payload.event_type, "", [](HandlerCount& count) { count.published(1); });
  for (std::size_t index = 0; index < request.letters.size(); ++index) {
    end_.gave_up(request.letters[index]);
    bus_.letters.report({&request.letters[index], 1}, {&request.outcomes[index], 1});
    ++result.dead;
  }
  if (!request.letters.empty()) return;
  if (list.subscribers.empty()) return count(result, unhandled_.settle(event.payload, event.metadata));
  DeliveryFrame frame(event.payload, event.metadata, list.subscribers.front()->identity);
  for (std::size_t index = 0; index < list.subscribers.size(); ++index) {
    const std::shared_ptr<Subscriber>& subscriber = list.subscribers[index];
    if (!subscriber->queued && event.direct[index])
      count(result, run_inline(subscriber, event, frame, guard, {request.owed, index}));
  }
}

DeliveryOutcome DurablePublisher::run_inline(const std::shared_ptr<Subscriber>& subscriber,
                                             DurableEvent& event, DeliveryFrame& frame, DispatchGuard& guard,
                                             OwedDeliveryHandle owed) {
  PayloadForms& forms = event.forms;
  frame.turn_to(*subscriber);
  if (!guard.enter(*subscriber)) {
    bus_.retirement.free_if_idle(*subscriber);
    end_.leave_in_journal(*subscriber, owed);
    return DeliveryOutcome::Scheduled;
  }
  if (event.observed && event.observed->recorded()) bus_.observing.begin_inline_attempt(frame);
  const Instant began = bus_.setup.clock.monotonic_now();
  std::unique_ptr<Failure> failure = runner_.run_recorded(*subscriber, &owed, forms, frame);
  DeliveryOutcome outcome = DeliveryOutcome::Handled;
  if (failure) {
    outcome = runner_.inline_failed(subscriber, forms, frame, std::move(owed), std::move(failure), began);
    frame.set_attempt(1);
  } else {
    kill_point("deliver.inline_returned");
    end_.ended(owed);
    kill_point("deliver.inline_noted");
    runner_.attempt_succeeded(*subscriber, frame, began);
  }
  bus_.retirement.leave(guard, *subscriber);
  if (outcome == DeliveryOutcome::Handled)
    subscriber->count(frame.context().event_type(), [](HandlerCount& count) { count.handled(1); });
  return outcome;
}

// --- in a transaction that somebody else ends ---

PublishResult DurablePublisher::publish_in(JournalTransaction& transaction, const Payload& payload,
                                           const PublishOptions& options) {
  bus_.setup.require_own_process();
  const Durability durability = options.durability.value_or(bus_.setup.options.durability);
  if (bus_.journal && durability == Durability::None) {
    throw Error(ErrorCode::InvalidArgument,
                "an event that is published in a transaction is durable: leave PublishOptions::durability "
                "out, or set it above None; nothing was published");
  }
  if (!bus_.journal) throw_no_journal();
  return publish_within(transaction, {&payload, 1}, bus_.topics.find(payload.event_type), options, durability)
      .front();
}

std::vector<PublishResult> DurablePublisher::publish_within(JournalTransaction& transaction,
                                                            std::span<const Payload> payloads,
                                                            const Topic& topic, const PublishOptions& options,
                                                            Durability durability) {
  require_idempotency_key(options, payloads.size());
  if (payloads.empty()) return {};
  DispatchGuard guard(bus_.setup);
  const SubscriberList& list = bus_.topics.current(topic, guard);
  bus_.gate.require_open();
  DurableEvents events(payloads.size());
  for (std::size_t index = 0; index < events.size(); ++index)
    prepare(events[index], list, payloads[index], options, guard);
  transaction.lock(*bus_.journal.port, durability);
  auto results = append_within(transaction, list, events, options);
  for (std::size_t index = 0; index < events.size(); ++index) {
    if (list.subscribers.empty() && !results[index].duplicate)
      count(results[index], nobody_subscribes_within(transaction, *events[index]));
  }
  for (std::size_t index = 0; index < events.size(); ++index) end_observed(*events[index], results[index]);
  kill_point("transaction.published");
  return results;
}

/// The transaction of this thread's handler, if that is what it is; null: somebody else ends it.
HandlerTransaction* DurablePublisher::open_as(const JournalTransaction& transaction) const noexcept {
  HandlerTransaction* const open = HandlerTransaction::of_this_thread(bus_.setup);
  return open != nullptr && &open->journal() == &transaction ? open : nullptr;
}

/// Deliveries of these events are left to the journal: nobody knows yet whether they will be there. The ids
/// are given out under the lock that keeps others from committing, so no backlog is read past them before
/// the transaction has ended.
std::vector<PublishResult> DurablePublisher::append_within(JournalTransaction& transaction,
                                                           const SubscriberList& list, DurableEvents& events,
                                                           const PublishOptions& options) {
  HandlerTransaction* const open = open_as(transaction);
  const auto type = bus_.counts.find_any(events.front()->payload.event_type, "");
  if (open != nullptr && type) open->counts_published(type);
  std::vector<JournalAppend> rows;
  for (auto& event : events) {
    rows.push_back(event->append(options, *bus_.journal.idempotency));
    rows.back().handlers = list.names()->json;
    rows.back().id = bus_.journal.ledger->reserve([&](std::int64_t id) {
      for (const auto& subscriber : list.subscribers) subscriber->backlog.leave(id);
    });
    for (const auto& subscriber : list.subscribers) leave_to_successor(*subscriber, rows.back().id);
    if (open != nullptr) open->published(rows.back().id);
  }
  if (open != nullptr) {
    bus_.refill.request_quietly();  // its end wakes the reader
  } else {
    bus_.refill.request();
  }
  std::vector<PublishResult> results;
  results.reserve(events.size());  // nothing throws once they are there
  const auto repeats = transaction.append(rows);
  for (std::size_t index = 0; index < events.size(); ++index) {
    PublishResult& result = results.emplace_back(std::move(events[index]->begun));
    result.duplicate = repeats[index].has_value();
    if (result.duplicate) {
      BusTally::add(bus_.counts.tally().duplicates);
      bus_.log.duplicate(events[index]->payload, events[index]->metadata, options.idempotency_key,
                         *repeats[index]);
      result.event_id = *repeats[index];
    } else {
      result.scheduled = static_cast<std::uint32_t>(list.subscribers.size());
      if (type) open != nullptr ? open->published_one() : type->published(1);
    }
  }
  return results;
}

DeliveryOutcome DurablePublisher::nobody_subscribes_within(JournalTransaction& transaction,
                                                           const DurableEvent& event) {
  if (!unhandled_.are_letters()) return unhandled_.settle(event.payload, event.metadata);
  DeadLetter letter =
      make_letter(unhandled_.nobody(event.payload.event_type), event.payload.event_type,
                  letter_form_of(event), event.metadata, Reason::Unhandled, bus_.setup.clock.now(), nullptr);
  transaction.store(letter);
  if (HandlerTransaction* const open = open_as(transaction)) {
    open->gave_up(std::move(letter));
  } else {
    end_.gave_up(letter);
  }
  return DeliveryOutcome::Scheduled;
}

}  // namespace tidings::detail
