#pragma once

#include "publishing/durable_publisher.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// One event of a durable publish, from its stamp to its deliveries.
struct DurablePublisher::DurableEvent {
  explicit DurableEvent(const Payload& event) : payload(event), forms(payload) {}

  /// But for its id and its handlers.
  [[nodiscard]] JournalAppend append(const PublishOptions& options, KeyWindow& keys) const {
    JournalAppend row;
    row.event_type = payload.event_type;
    row.schema_version = payload.schema_version;
    row.data = &data;
    row.metadata = &metadata;
    row.idempotency_key = options.idempotency_key;
    if (!row.idempotency_key.empty()) row.key_period = keys.ending_with(metadata.published_at);
    return row;
  }

  const Payload payload;
  PayloadForms forms;
  PublishResult begun;
  Metadata metadata;
  EncodedData data;
  EventPointer stored;                                    // for queues
  std::vector<std::optional<std::string>> ordering_keys;  // one for each subscriber, or none at all
  std::vector<bool> direct;  // whether memory has the delivery, not only the journal
  /// Of all its deliveries, when they are dead from the start: then nobody owes it.
  std::vector<DeadLetter> letters;
};

}  // namespace tidings::detail
