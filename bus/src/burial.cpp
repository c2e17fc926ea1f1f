#include "bus_core.hpp"
#include "running/handler_transaction.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>

#include <cxxabi.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

// How deliveries become letters, and letters are handed over.

namespace tidings::detail {

namespace {

EncodedData encode_payload(const Payload& payload) {
  if (!payload.type->store_payload) {
    return {"", DataEncoding::None,
            "the event type opts out of payload storage (store_payload = false): cannot be redriven"};
  }
  try {
    return with_some_patience([&] { return encode_data(payload.type->encode(payload.object)); });
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    return {"", DataEncoding::None, std::string("to_json failed: ") + what_of(error)};
  } catch (...) {
    return {"", DataEncoding::None, "to_json threw something that is not a std::exception"};
  }
}

/// What is said of letters that no exception explains.
std::string_view explain(Reason reason) {
  switch (reason) {
    case Reason::CausationLoop:
      return "the chain of events causing events is longer than max_causation_depth";
    case Reason::Unhandled:
      return "no handler subscribes to this event type";
    case Reason::Shutdown:
      return "the bus or the subscription stopped before the delivery was done";
    case Reason::Parked:
      return "an earlier delivery with the same ordering key is dead";
    case Reason::Crashed:
      return "the process died, more than once, while this delivery alone was running";
    case Reason::Exhausted:
    case Reason::Permanent:
    case Reason::Undecodable:
      break;
  }
  return "gave up";
}

}  // namespace

std::optional<StoredForm> BusCore::journalled_form(const HandlerIdentity& identity,
                                                   const OwedDeliveryHandle& owed) const {
  try {
    auto rows = journal_port_->owed({"", identity.handler, owed.event->id - 1, owed.event->id, 1});
    if (rows.empty() || rows.front().data.encoding == DataEncoding::None) return std::nullopt;
    return StoredForm{std::move(rows.front().data), rows.front().schema_version};
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// An event that is owed has been encoded once, in the journal, and its letter takes that: to_json may fail
/// the second time, and the journal's copy goes in the commit that stores the letter.
StoredForm BusCore::stored_form_of(const Payload& payload, const HandlerIdentity& identity,
                                   const DeliveryState* state, const StoredEvent* stored) const {
  if (stored != nullptr && stored->stored_form() != nullptr) return *stored->stored_form();
  if (state != nullptr && state->owed) {
    if (auto form = journalled_form(identity, state->owed)) return std::move(*form);
  }
  return {encode_payload(payload), payload.schema_version};
}

DeadLetter BusCore::make_letter(const HandlerIdentity& identity, const Payload& payload,
                                const Metadata& metadata, Reason reason, const DeliveryState* state,
                                const StoredEvent* stored) const {
  return patiently([&] {
    return make_letter(identity, payload.event_type, stored_form_of(payload, identity, state, stored),
                       metadata, reason, state);
  });
}

DeadLetter BusCore::make_letter(const HandlerIdentity& identity, std::string_view event_type, StoredForm form,
                                const Metadata& metadata, Reason reason, const DeliveryState* state) const {
  DeadLetter letter;
  letter.event_type = event_type;
  letter.schema_version = form.schema_version;
  letter.data = std::move(form.data);
  letter.metadata = metadata;
  letter.service = identity.service;
  letter.handler = identity.handler;
  letter.reason = reason;
  letter.failed_at = clock_.now();
  if (state != nullptr) {
    letter.attempts = state->attempts;
    letter.ordering_key = state->ordering_key;
    letter.retry_count = state->attempts_made == 0 ? 0 : state->attempts_made - 1;
  }
  explain_letter(letter);
  return letter;
}

void BusCore::explain_letter(DeadLetter& letter) {
  if (letter.attempts.empty()) {
    letter.error_type = "tidings::" + std::string(to_string(letter.reason));
    letter.error_message = explain(letter.reason);
  } else {
    letter.error_type = letter.attempts.back().error_type;
    letter.error_message = letter.attempts.back().error_message;
  }
  letter.error_fingerprint = error_fingerprint(letter.handler, letter.error_type, letter.error_message);
}

void BusCore::gave_up(const DeadLetter& letter) {
  if (letter.reason == Reason::Shutdown && !accepting_.load()) settled_.fetch_add(1);
  log_.letters.gave_up(letter);
}

void BusCore::flush_letters() {
  if (journal_) journal_->commits.flush();
  letters_.flush();
}

/// Inside a handler's transaction it is not waited for: the commit would wait for that transaction.
bool BusCore::bury(DeadLetter letter, const OwedDeliveryHandle& owed) {
  gave_up(letter);
  if (HandlerTransaction::any_on_this_thread()) {
    if (owed) {
      journal_->commits.bury(owed, std::move(letter), GroupCommit::Wait::Not);
    } else {
      letters_.store_soon(std::move(letter), LetterWriter::WhenTooMany::Append);
    }
    return false;
  }
  if (owed) return journal_->commits.bury(owed, std::move(letter), GroupCommit::Wait::ForCommit);
  return letters_.store(std::move(letter));
}

/// Letters of durable deliveries and of others are committed each in their own groups, but a key's letters
/// are redriven in the order in which they were committed: those of the other kind that wait go first.
void BusCore::keep_order_of_letters(const DeadLetter& letter, bool durable) {
  if (!journal_ || !letter.ordering_key || HandlerTransaction::any_on_this_thread()) return;
  durable ? letters_.keep_before(letter) : journal_->commits.keep_before(letter);
}

/// A durable delivery that has no time left stays owed instead.
void BusCore::bury_soon(const Subscriber& subscriber, const Delivery& delivery, Reason reason) {
  const OwedDeliveryHandle owed = delivery.state ? delivery.state->owed : OwedDeliveryHandle{};
  if (owed && reason == Reason::Shutdown) {
    return leave_in_journal(subscriber, owed);
  }
  const StoredEvent& event = *delivery.event;
  Metadata buffer;
  DeadLetter letter = make_letter(subscriber.identity, event.payload(), event.metadata(source_, buffer),
                                  reason, delivery.state.get(), &event);
  // Neither the journal can be read nor the event be encoded: it stays owed, and is delivered again.
  if (owed && letter.data.encoding == DataEncoding::None) return leave_in_journal(subscriber, owed);
  gave_up(letter);
  // What a reset or a stop ends comes all at once, and its memory is taken already: neither waits for the
  // disk.
  const bool may_wait = reason != Reason::Shutdown && !housekeeper_.is_this_thread() &&
                        !HandlerTransaction::any_on_this_thread();
  if (reason != Reason::Shutdown) keep_order_of_letters(letter, static_cast<bool>(owed));
  if (owed) {
    kill_point("exhaust.letter_made");
    journal_->commits.bury(owed, std::move(letter),
                           may_wait ? GroupCommit::Wait::ForRoom : GroupCommit::Wait::Not);
    return;
  }
  letters_.store_soon(std::move(letter),
                      may_wait ? LetterWriter::WhenTooMany::Wait : LetterWriter::WhenTooMany::Append);
}

}  // namespace tidings::detail
