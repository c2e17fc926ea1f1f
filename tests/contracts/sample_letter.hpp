#pragma once

#include <tidings/dead_letter.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

// Letters for tests, and what it means that one came back as it was.
namespace tidings::contract {

inline EventId event_id(std::uint64_t number) {
  EventId::Bytes bytes{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80};
  for (std::size_t i = 0; i < 7; ++i) bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return EventId(bytes);
}

/// A plain letter with a number that no other has.
inline DeadLetter letter(std::uint64_t number) {
  DeadLetter result;
  result.event_type = "orders.order_placed";
  result.data = encode_data({{"order_id", number}});
  result.metadata.event_id = event_id(number);
  result.metadata.correlation_id = CorrelationId(result.metadata.event_id);
  result.metadata.published_at = Timestamp(std::chrono::microseconds(1'800'000'000'000'000));
  result.metadata.source = "orders";
  result.service = "orders";
  result.handler = "send_receipt";
  result.error_type = "std::runtime_error";
  result.error_message = "connection refused";
  result.error_fingerprint = error_fingerprint(result.handler, result.error_type, result.error_message);
  result.failed_at = Timestamp(std::chrono::microseconds(1'800'000'001'000'000));
  return result;
}

inline Metadata full_metadata(std::uint64_t number) {
  return {.event_id = event_id(number),
          .correlation_id = CorrelationId::parse("request-42;DROP_TABLE").value(),
          .causation_id = event_id(number + 1),
          .traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
          .tracestate = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
          .published_at = Timestamp(std::chrono::microseconds(1'800'000'000'123'456)),
          .source = "https://example.com/orders",
          .foreign_id = "C234 'x'; -- \xC3\xA9\xF0\x9F\x98\x80",
          .fields = {{"tenant", "ac'me \"\\ \xC3\xA9\xF0\x9F\x98\x80"},
                     {"actor", ""},
                     {"user_id", 42},
                     {"vip", true}},
          .causation_depth = 7};
}

/// A letter that uses every field, with values that are easily mangled on the way.
inline DeadLetter full_letter(std::uint64_t number) {
  DeadLetter result = letter(number);
  result.schema_version = 3;
  result.metadata = full_metadata(number);
  result.handler = "charge_card";
  result.reason = Reason::Permanent;
  result.error_message = "line one\nline 'two'\t%s \xE2\x82\xAC";
  result.ordering_key = "customer 'x'; --";
  result.retry_count = 1;
  result.attempts = {{Timestamp(std::chrono::microseconds(1'800'000'000'200'000)),
                      std::chrono::microseconds(1500), "std::runtime_error", "first"},
                     {Timestamp(std::chrono::microseconds(1'800'000'000'900'000)),
                      std::chrono::microseconds(0),
                      "unknown",
                      result.error_message,
                      {{"step", 2}},
                      SpanId::parse("00f067aa0ba902b7"),
                      TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736")}};
  result.process = {"web-3 \xC3\xA9", 4'711, "orders@1.4.2+'x'"};
  return result;
}

inline void expect_equal_failure(const DeadLetter& actual, const DeadLetter& expected) {
  EXPECT_EQ(actual.reason, expected.reason);
  EXPECT_EQ(actual.error_type, expected.error_type);
  EXPECT_EQ(actual.error_message, expected.error_message);
  EXPECT_EQ(actual.error_fingerprint, expected.error_fingerprint);
  EXPECT_EQ(actual.ordering_key, expected.ordering_key);
  EXPECT_EQ(actual.failed_at, expected.failed_at);
  EXPECT_EQ(actual.retry_count, expected.retry_count);
  EXPECT_EQ(actual.attempts, expected.attempts);
  EXPECT_EQ(actual.process, expected.process);
}

inline void expect_equal_metadata(const Metadata& actual, const Metadata& expected) {
  EXPECT_EQ(actual.event_id, expected.event_id);
  EXPECT_EQ(actual.correlation_id.to_string(), expected.correlation_id.to_string());
  EXPECT_EQ(actual.causation_id, expected.causation_id);
  EXPECT_EQ(actual.traceparent, expected.traceparent);
  EXPECT_EQ(actual.tracestate.view(), expected.tracestate.view());
  EXPECT_EQ(actual.published_at, expected.published_at);
  EXPECT_EQ(actual.source.view(), expected.source.view());
  EXPECT_EQ(actual.foreign_id, expected.foreign_id);
  EXPECT_EQ(actual.fields, expected.fields);
}

/// Every field that lasts. Not `causation_depth`, since a redrive starts a new chain, and not
/// `EncodedData::problem`, which the error message of the letter repeats.
inline void expect_equal_letter(const DeadLetter& actual, const DeadLetter& expected) {
  EXPECT_EQ(actual.event_type, expected.event_type);
  EXPECT_EQ(actual.schema_version, expected.schema_version);
  EXPECT_EQ(actual.data.bytes, expected.data.bytes);
  EXPECT_EQ(actual.data.encoding, expected.data.encoding);
  EXPECT_EQ(actual.service, expected.service);
  EXPECT_EQ(actual.handler, expected.handler);
  expect_equal_metadata(actual.metadata, expected.metadata);
  expect_equal_failure(actual, expected);
}

}  // namespace tidings::contract
