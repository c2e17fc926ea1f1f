#pragma once

#include <tidings/journal.hpp>

#include <chrono>
#include <cstdint>
#include <string>

#include "contracts/sample_letter.hpp"

namespace tidings::contract {

/// Owns what a JournalAppend points at.
struct SampleEvent {
  explicit SampleEvent(std::int64_t number) : id(number) {
    metadata.event_id = event_id(static_cast<std::uint64_t>(number));
    metadata.correlation_id = CorrelationId(metadata.event_id);
    metadata.source = "orders";
    metadata.published_at = published_at(number);
    data = encode_data({{"order_id", number}});
  }

  [[nodiscard]] static Timestamp published_at(std::int64_t number) {
    return Timestamp(std::chrono::microseconds(1'800'000'000'000'000)) + std::chrono::seconds(number);
  }
  [[nodiscard]] JournalAppend append() const {
    return {id, event_type, schema_version, &data, &metadata, handlers, key, key_period};
  }

  std::int64_t id;
  std::string event_type = "orders.order_placed";
  int schema_version = 1;
  EncodedData data;
  Metadata metadata;
  std::string handlers = R"(["send_receipt","ship"])";
  std::string key;
  KeyPeriod key_period;
};

/// What is known of a delivery whose handler is done with it.
inline JournalDelivery done_delivery(std::int64_t id, const std::string& handler) {
  JournalDelivery delivery;
  delivery.journal_id = id;
  delivery.handler = handler;
  delivery.done = true;
  return delivery;
}

}  // namespace tidings::contract
