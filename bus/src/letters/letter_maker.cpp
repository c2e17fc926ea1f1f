#include "letters/letter_maker.hpp"

#include <tidings/process_identity.hpp>

#include <utility>

namespace tidings::detail {

namespace {

/// The error text of a letter that no exception explains.
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

/// Fills in what a letter says of its error: that of its last attempt, or its reason.
void explain_letter(DeadLetter& letter) {
  if (letter.attempts.empty()) {
    letter.error_type = "tidings::" + std::string(to_string(letter.reason));
    letter.error_message = explain(letter.reason);
  } else {
    letter.error_type = letter.attempts.back().error_type;
    letter.error_message = letter.attempts.back().error_message;
  }
  letter.error_fingerprint = error_fingerprint(letter.handler, letter.error_type, letter.error_message);
}

/// A process that died says nothing of itself any more.
bool failed_here(Reason reason, const DeliveryState* state) {
  if (reason == Reason::Crashed) return false;
  return state == nullptr || state->attempts.empty() || state->attempted_here;
}

std::uint32_t retries_of(std::uint32_t attempts_made) noexcept {
  return attempts_made == 0 ? 0 : attempts_made - 1;
}

}  // namespace

FailingProcess this_process() {
  const ProcessIdentity& identity = process_identity();
  return {identity.host, process_id(), identity.release};
}

DeadLetter make_letter(const HandlerIdentity& handler, std::string_view event_type, StoredForm form,
                       const Metadata& metadata, Reason reason, Timestamp failed_at,
                       const DeliveryState* state) {
  DeadLetter letter;
  letter.event_type = event_type;
  letter.schema_version = form.schema_version;
  letter.data = std::move(form.data);
  letter.metadata = metadata;
  letter.metadata.max_attempts = 0;
  letter.service = handler.service;
  letter.handler = handler.handler;
  letter.reason = reason;
  letter.failed_at = failed_at;
  if (state != nullptr) {
    letter.attempts = state->attempts;
    letter.ordering_key = state->ordering_key;
    letter.retry_count = retries_of(state->attempts_made);
  }
  if (failed_here(reason, state)) letter.process = this_process();
  explain_letter(letter);
  return letter;
}

DeadLetter make_letter(const OwedDelivery& row, EncodedData data, const std::string& service, Reason reason,
                       Timestamp failed_at) {
  DeliveryState state;
  state.attempts = row.delivery.attempts;
  state.attempts_made = row.delivery.attempts_made;
  const HandlerIdentity handler{
      .handler = row.delivery.handler, .service = service, .event_type = row.event_type, .max_attempts = 0};
  return make_letter(handler, row.event_type, {std::move(data), row.schema_version}, row.metadata, reason,
                     failed_at, &state);
}

}  // namespace tidings::detail
