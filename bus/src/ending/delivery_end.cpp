#include "ending/delivery_end.hpp"

#include "ending/handler_transaction.hpp"
#include "letters/letter_maker.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <utility>

namespace tidings::detail {

// --- of a delivery in a queue ---

void DeliveryEnd::handled(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery) {
  if (delivery.state && delivery.state->owed) {
    bus_.journal.ledger->ended(delivery.state->owed);
    kill_point("deliver.noted");
  }
  if (bus_.counts.on())
    subscriber->count(delivery.event->payload().event_type, [](HandlerCount& count) { count.handled(1); });
  end_in_queue(subscriber, delivery, std::nullopt);
}

void DeliveryEnd::dead(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                       Reason reason) {
  hand_over_letter(*subscriber, delivery, reason);
  end_in_queue(subscriber, delivery, reason);
}

void DeliveryEnd::end_in_queue(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                               std::optional<Reason> dead_of) {
  if (const std::string* const key = delivery.ordering_key()) {
    const bool shutdown = dead_of == Reason::Shutdown;
    const bool park = dead_of && subscriber->options.after_death == AfterDeath::Park;
    end_key(subscriber, *key, shutdown || park ? KeyOutcome::Refuse : KeyOutcome::Next,
            shutdown ? Reason::Shutdown : Reason::Parked, RedriveResult::End::Returned);
  }
  release_place(*subscriber);
}

DeliveryOutcome DeliveryEnd::parked(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery) {
  DeliveryOutcome outcome = DeliveryOutcome::Scheduled;
  if (subscriber->state.load() == SubscriberState::Open && bus_.gate.is_open()) {
    hand_over_letter(*subscriber, delivery, Reason::Parked);
  } else {  // the end of a bus or subscription refuses a key's deliveries, too, without any letter before
            // them
    outcome = not_delivered(*subscriber, delivery);
  }
  subscriber->queue.parked();
  release_place(*subscriber);
  return outcome;
}

DeliveryOutcome DeliveryEnd::refused(const std::shared_ptr<Subscriber>& subscriber,
                                     const Delivery& delivery) {
  const auto outcome = not_delivered(*subscriber, delivery);
  release_place(*subscriber);
  return outcome;
}

void DeliveryEnd::hand_back(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                            Reason reason, RedriveResult::End redrive_end) {
  if (const ClaimedLetter* const claimed = delivery.redrive()) {
    bus_.redriver.end({.id = claimed->id,
                       .end = redrive_end,
                       .at = bus_.setup.clock.now(),
                       .letter = {},
                       .parks = subscriber->options.after_death == AfterDeath::Park});
    subscriber->queue.end_redrive();
    return;
  }
  hand_over_letter(*subscriber, delivery, reason);
  release_place(*subscriber);
}

void DeliveryEnd::end_key(const std::shared_ptr<Subscriber>& subscriber, const std::string& key,
                          KeyOutcome outcome, Reason reason, RedriveResult::End redrive_end) {
  bool needs_worker = false;
  for (auto refused = subscriber->queue.end_key(key, outcome, needs_worker); !refused.empty();
       refused = subscriber->queue.end_key(key, outcome, needs_worker)) {
    for (const Delivery& behind : refused) hand_back(subscriber, behind, reason, redrive_end);
  }
  if (needs_worker) bus_.pool.submit(subscriber);
}

void DeliveryEnd::release_place(Subscriber& subscriber) {
  subscriber.queue.release();
  if (!subscriber.backlog.active(std::memory_order_relaxed)) return;
  const std::size_t worth_reading = std::min(kBacklogChunk, (subscriber.queue.capacity() + 1) / 2);
  if (subscriber.queue.room() >= worth_reading) bus_.refill.request();
}

// --- of a delivery without a queue ---

void DeliveryEnd::ended(const OwedDeliveryHandle& owed) {
  if (owed) bus_.journal.ledger->ended(owed);
}

DeliveryOutcome DeliveryEnd::not_delivered(const Subscriber& subscriber, const Delivery& delivery) {
  Metadata buffer;
  return not_delivered(subscriber, delivery.event->payload(),
                       delivery.event->metadata(bus_.setup.source, buffer), delivery.state.get());
}

DeliveryOutcome DeliveryEnd::not_delivered(const Subscriber& subscriber, const Payload& payload,
                                           const Metadata& metadata, const DeliveryState* state) {
  if (state != nullptr && state->owed) {
    leave_in_journal(subscriber, state->owed);
    return DeliveryOutcome::Scheduled;
  }
  if (bus_.gate.is_open()) return DeliveryOutcome::Dropped;
  return bury(letter_of(subscriber.identity, payload, metadata, Reason::Shutdown, state));
}

DeliveryOutcome DeliveryEnd::inline_dead(const Subscriber& subscriber, const Payload& payload,
                                         const Metadata& metadata, Reason reason,
                                         const DeliveryState& state) {
  if (state.owed && reason == Reason::Shutdown) return not_delivered(subscriber, payload, metadata, &state);
  DeadLetter letter = letter_of(subscriber.identity, payload, metadata, reason, &state);
  if (state.owed && letter.data.encoding == DataEncoding::None) {
    leave_in_journal(subscriber, state.owed);
    return DeliveryOutcome::Scheduled;
  }
  return bury(std::move(letter), state.owed);
}

void DeliveryEnd::leave_in_journal(const Subscriber& subscriber, const OwedDeliveryHandle& owed) {
  bus_.journal.ledger->abandon(owed);
  leave_to_successor(subscriber, owed.event->id);
}

void DeliveryEnd::leave_to_successor(const Subscriber& subscriber, std::int64_t journal_id) {
  if (!bus_.gate.is_open() || bus_.journal.is_lost()) return;
  for (const auto& successor : bus_.topics.all()) {
    if (successor->identity.handler != subscriber.identity.handler ||
        successor->identity.event_type != subscriber.identity.event_type) {
      continue;
    }
    bus_.journal.ledger->leave_to(successor->backlog, journal_id);
    bus_.refill.request();
  }
}

// --- letters ---

std::optional<StoredForm> DeliveryEnd::journalled_form(const HandlerIdentity& handler,
                                                       const OwedDeliveryHandle& owed) const {
  try {
    auto rows = bus_.journal.port->owed({"", handler.handler, owed.event->id - 1, owed.event->id, 1});
    if (rows.empty() || rows.front().data.encoding == DataEncoding::None) return std::nullopt;
    return StoredForm{std::move(rows.front().data), rows.front().schema_version};
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// An event that is owed was encoded for the journal, and its letter takes that form: to_json may fail the
/// second time, and the journal deletes its copy in the commit that stores the letter.
StoredForm DeliveryEnd::letter_form_of(const Payload& payload, const HandlerIdentity& handler,
                                       const EventId& event_id, const DeliveryState* state,
                                       const StoredEvent* stored) const {
  const auto as_letters_keep_it = [&](StoredForm form) {
    form.data = bus_.payloads.for_letter(std::move(form.data), payload, event_id);
    return form;
  };
  if (stored != nullptr && stored->stored_form() != nullptr)
    return as_letters_keep_it(*stored->stored_form());
  if (state != nullptr && state->owed) {
    if (auto form = journalled_form(handler, state->owed)) return as_letters_keep_it(*std::move(form));
  }
  return {bus_.payloads.for_letter(payload, event_id), payload.schema_version};
}

DeadLetter DeliveryEnd::letter_of(const HandlerIdentity& handler, const Payload& payload,
                                  const Metadata& metadata, Reason reason, const DeliveryState* state,
                                  const StoredEvent* stored) const {
  return patiently([&] {
    return make_letter(handler, payload.event_type,
                       letter_form_of(payload, handler, metadata.event_id, state, stored), metadata, reason,
                       bus_.setup.clock.now(), state);
  });
}

void DeliveryEnd::gave_up(const DeadLetter& letter) {
  if (letter.reason == Reason::Shutdown && !bus_.gate.is_open()) settled_.fetch_add(1);
  tell_death(bus_, letter);
}

void DeliveryEnd::flush_letters() {
  if (bus_.journal) bus_.journal.commits->flush();
  bus_.letters.flush();
}

DeliveryOutcome DeliveryEnd::bury(DeadLetter letter, const OwedDeliveryHandle& owed) {
  gave_up(letter);
  if (HandlerTransaction::any_on_this_thread()) {
    if (owed) {
      bus_.journal.commits->bury(owed, std::move(letter), GroupCommit::Wait::Not);
    } else {
      bus_.letters.store_soon(std::move(letter), LetterWriter::WhenTooMany::Append);
    }
    return DeliveryOutcome::Scheduled;
  }
  const bool stored = owed ? bus_.journal.commits->bury(owed, std::move(letter), GroupCommit::Wait::ForCommit)
                           : bus_.letters.store(std::move(letter));
  return stored ? DeliveryOutcome::Dead : DeliveryOutcome::Scheduled;
}

void DeliveryEnd::bury_row(const OwedDelivery& row, const OwedDeliveryHandle& owed, Reason reason) {
  EncodedData data = bus_.payloads.for_letter(row.data, row.event_type, row.metadata.event_id);
  DeadLetter letter =
      make_letter(row, std::move(data), bus_.setup.options.service, reason, bus_.setup.clock.now());
  gave_up(letter);
  bus_.journal.commits->bury(owed, std::move(letter), GroupCommit::Wait::Not);
}

/// Letters of durable deliveries and of others are committed each in their own groups, but a key's letters
/// are redriven in the order in which they were committed: those of the other kind that wait are committed
/// first.
void DeliveryEnd::keep_order_of_letters(const DeadLetter& letter, bool durable) {
  if (!bus_.journal || !letter.ordering_key || HandlerTransaction::any_on_this_thread()) return;
  durable ? bus_.letters.keep_before(letter) : bus_.journal.commits->keep_before(letter);
}

/// A durable delivery that has no time left stays owed instead.
void DeliveryEnd::hand_over_letter(const Subscriber& subscriber, const Delivery& delivery, Reason reason) {
  const OwedDeliveryHandle owed = delivery.state ? delivery.state->owed : OwedDeliveryHandle{};
  if (owed && reason == Reason::Shutdown) return leave_in_journal(subscriber, owed);
  const StoredEvent& event = *delivery.event;
  Metadata buffer;
  DeadLetter letter =
      letter_of(subscriber.identity, event.payload(), event.metadata(bus_.setup.source, buffer), reason,
                delivery.state.get(), &event);
  // Its payload can neither be read from the journal nor be encoded: it stays owed, and is delivered again.
  if (owed && letter.data.encoding == DataEncoding::None) return leave_in_journal(subscriber, owed);
  gave_up(letter);
  // What a reset or a stop ends comes all at once, and its memory is taken already: neither waits for the
  // disk.
  const bool may_wait = reason != Reason::Shutdown && !bus_.housekeeper.is_this_thread() &&
                        !HandlerTransaction::any_on_this_thread();
  if (reason != Reason::Shutdown) keep_order_of_letters(letter, static_cast<bool>(owed));
  if (owed) {
    kill_point("exhaust.letter_made");
    bus_.journal.commits->bury(owed, std::move(letter),
                               may_wait ? GroupCommit::Wait::ForRoom : GroupCommit::Wait::Not);
    return;
  }
  bus_.letters.store_soon(std::move(letter),
                          may_wait ? LetterWriter::WhenTooMany::Wait : LetterWriter::WhenTooMany::Append);
}

}  // namespace tidings::detail
