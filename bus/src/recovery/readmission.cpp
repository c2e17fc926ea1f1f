#include "recovery/readmission.hpp"

#include <tidings/logging/error_description.hpp>
#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxProblemText = 4096;

}  // namespace

std::optional<Delivery> Readmission::take_over(Subscriber& subscriber, OwedDelivery& row) {
  OwedDeliveryHandle owed = bus_.journal.ledger->adopt(row);
  if (!owed) return std::nullopt;
  try {
    return take_over(subscriber, row, owed);
  } catch (...) {
    bus_.journal.ledger->abandon(owed);  // or memory would have it for ever
    throw;
  }
}

std::optional<Delivery> Readmission::take_over(Subscriber& subscriber, OwedDelivery& row,
                                               const OwedDeliveryHandle& owed) {
  if (row.has_letter) {
    end_.ended(owed);
    return std::nullopt;
  }
  if (!row.problem.empty()) {
    row.delivery.attempts.push_back({bus_.setup.clock.now(), std::chrono::microseconds(0), "tidings::Error",
                                     logging::printable_error(row.problem, kMaxProblemText)});
    end_.bury_row(row, owed, Reason::Undecodable);
    return std::nullopt;
  }
  // Only of events published in a transaction, which commits or forgets this with all else.
  if (row.metadata.causation_depth > bus_.setup.options.max_causation_depth) {
    end_.bury_row(row, owed, Reason::CausationLoop);
    return std::nullopt;
  }
  Delivery delivery;
  delivery.event = EventPointer(new RecoveredEvent(StoredForm{std::move(row.data), row.schema_version},
                                                   std::move(row.event_type), row.metadata.event_id,
                                                   KeptMetadata(row.metadata, bus_.setup.source),
                                                   subscriber.schema_version, bus_.upcasters, bus_.payloads));
  DeliveryState& state = delivery.remember();
  state.owed = owed;
  state.attempts_made = row.delivery.attempts_made;
  state.attempts = row.delivery.attempts;
  if (row.delivery.crashes > 0 && row.delivery.crashes >= bus_.setup.options.max_crashes)
    state.dead_of = Reason::Crashed;
  if (!state.attempts.empty()) {
    const auto since =
        std::max(bus_.setup.clock.now() - state.attempts.front().at, std::chrono::microseconds(0));
    state.first_attempt = bus_.setup.clock.monotonic_now() - since;
  }
  if (subscriber.keyed && !find_key_again(subscriber, delivery, row)) return std::nullopt;
  return delivery;
}

/// False: the subscription's ordering_key, perhaps a newer one than at the publish, threw; that is a letter.
bool Readmission::find_key_again(Subscriber& subscriber, Delivery& delivery, OwedDelivery& row) {
  try {
    DispatchGuard guard(bus_.setup);
    const Payload payload = delivery.event->payload();
    PayloadForms forms(payload);
    delivery.state->ordering_key = runner_.ordering_key_of(subscriber, forms, guard);
    return true;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    const auto error = logging::describe_error(std::current_exception());
    row.delivery.attempts.push_back({bus_.setup.clock.now(), std::chrono::microseconds(0), error.type,
                                     logging::printable_error(error.message, kMaxProblemText) +
                                         " (thrown by the ordering_key of the subscription)"});
    row.data = delivery.event->stored_form()->data;
    row.event_type = delivery.event->payload().event_type;
    end_.bury_row(row, delivery.state->owed, Reason::Undecodable);
    return false;
  }
}

std::chrono::microseconds Readmission::time_to_retry(const JournalDelivery& known) const {
  if (!known.next_attempt_at || !known.failed_at) return std::chrono::microseconds(0);
  const auto whole = std::max(*known.next_attempt_at - *known.failed_at, std::chrono::microseconds(0));
  return std::clamp(*known.next_attempt_at - bus_.setup.clock.now(), std::chrono::microseconds(0), whole);
}

/// Queues all at once: a worker that gets one at a time falls asleep in between.
void Readmission::queue(const std::shared_ptr<Subscriber>& subscriber, std::span<OwedDelivery> rows) {
  std::vector<std::optional<Delivery>> deliveries;
  deliveries.reserve(rows.size());
  try {
    for (OwedDelivery& row : rows) deliveries.push_back(take_over(*subscriber, row));
  } catch (...) {
    // Nothing of the chunk was scheduled: all of it is read again.
    for (const auto& delivery : deliveries) {
      if (delivery) bus_.journal.ledger->abandon(delivery->state->owed);
    }
    throw;
  }
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (deliveries[index]) queue(subscriber, *deliveries[index], rows[index].delivery);
  }
}

void Readmission::queue(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                        const JournalDelivery& known) {
  subscriber->queue.reserve();
  const auto wait = delivery.state->suspect != nullptr ? std::chrono::microseconds(0) : time_to_retry(known);
  const std::string* const key = delivery.ordering_key();
  if (wait.count() > 0 && (key == nullptr || subscriber->queue.hold_key(*key))) {
    if (retries_.schedule(subscriber, delivery, wait)) return;
    return end_.dead(subscriber, delivery, Reason::Shutdown);
  }
  runner_.enqueue(subscriber, delivery);
}

std::optional<std::string> Readmission::key_of(Subscriber& subscriber, const OwedDelivery& row) {
  if (row.has_letter || !row.problem.empty()) return std::nullopt;
  try {
    const StoredData stored(row.data, {row.event_type, row.metadata.event_id}, row.schema_version,
                            subscriber.schema_version, bus_.upcasters, bus_.payloads);
    const Payload payload = stored.payload();
    PayloadForms forms(payload);
    DispatchGuard guard(bus_.setup);
    return runner_.ordering_key_of(subscriber, forms, guard);
  } catch (...) {
    return std::nullopt;
  }
}

}  // namespace tidings::detail
