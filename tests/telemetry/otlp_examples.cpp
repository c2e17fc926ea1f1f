#include "telemetry/otlp_examples.hpp"

#include <tidings/version.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

namespace tidings::telemetry {
namespace {

constexpr std::uint64_t kStart = 1'764'000'000'000'000'000;

SpanContext context(std::uint8_t number) {
  SpanContext result;
  for (std::uint8_t i = 0; i < 16; ++i) result.trace_id.bytes[i] = static_cast<std::uint8_t>(number + i);
  for (std::uint8_t i = 0; i < 8; ++i) result.span_id.bytes[i] = static_cast<std::uint8_t>(number + 0xF0 + i);
  result.trace_flags = 1;
  result.tracestate = "vendor=" + std::to_string(number);
  return result;
}

Attributes all_kinds() {
  return {
      {"text", "Grüße"},         {"empty", ""},  {"yes", true},   {"no", false}, {"less", std::int64_t{-7}},
      {"zero", std::int64_t{0}}, {"part", 0.25}, {"nothing", 0.0}};
}

SpanData full_span() {
  SpanData span;
  span.context = context(1);
  span.parent_span_id = context(2).span_id;
  span.parent_is_remote = true;
  span.name = "process orders.order_placed";
  span.kind = SpanKind::Consumer;
  span.start_ns = kStart;
  span.end_ns = kStart + 1'500;
  span.status = SpanStatus::Error;
  span.status_message = "no such mailbox";
  span.attributes = all_kinds();
  span.events = {{"letter_committed", kStart + 1'000, {{"letter_id", std::int64_t{1} << 62}}, 3}};
  span.links = {{context(3), {{"messaging.message.id", "m"}}, 4}};
  span.dropped = {5, 6, 7};
  return span;
}

SpanData root_span() {
  SpanData span;
  span.context = {context(8).trace_id, context(9).span_id, 0, ""};
  span.name = "publish";
  span.kind = SpanKind::Internal;
  span.start_ns = kStart;
  span.end_ns = kStart;
  return span;
}

LogData full_log() {
  LogData log;
  log.time_ns = kStart;
  log.observed_ns = kStart + 1;
  log.severity = Severity::Warning;
  log.severity_text = "warning";
  log.event_name = "handler_failed";
  log.logger = "orders.import";
  log.body = "no such mailbox";
  log.context = context(1);
  log.attributes = {{"attempt", std::int64_t{2}}};
  log.dropped_attributes = 1;
  return log;
}

LogData short_log(const std::string& logger) {
  LogData log;
  log.time_ns = kStart;
  log.observed_ns = kStart;
  log.event_name = "bus_started";
  log.logger = logger;
  return log;
}

std::vector<MetricData> all_metrics() {
  const double infinity = std::numeric_limits<double>::infinity();
  return {
      {"published", "Events", "{event}", kStart, kStart + 60,
       Sum{true, {{{{"event_type", "orders.order_placed"}}, std::int64_t{42}}, {{}, std::int64_t{0}}}}},
      {"balance", "", "", kStart, kStart + 60, Sum{false, {{{}, std::int64_t{-1}}}}},
      {"queued", "", "", kStart, kStart + 60, Gauge{{{{}, 1.5}, {{}, std::nan("")}, {{}, infinity}}}},
      {"duration", "How long", "s", kStart, kStart + 60,
       Histogram{{{{{"handler", "h"}},
                   3,
                   0.75,
                   {0.005, 0.1},
                   {1, 2, 0},
                   0.001,
                   0.5,
                   {{0.0625, kStart + 30, context(3).trace_id, context(3).span_id}, {}}},
                  {}}}},
  };
}

constexpr const char* kSpansAsJson = R"json({"resourceSpans": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
  "scopeSpans": [{
    "scope": {"name": "tidings", "version": "VERSION"},
    "spans": [
      {
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "f1f2f3f4f5f6f7f8",
        "traceState": "vendor=1", "parentSpanId": "f2f3f4f5f6f7f8f9",
        "name": "process orders.order_placed", "kind": 5,
        "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000000000001500",
        "attributes": [
          {"key": "text", "value": {"stringValue": "Grüße"}}, {"key": "empty", "value": {"stringValue": ""}},
          {"key": "yes", "value": {"boolValue": true}}, {"key": "no", "value": {"boolValue": false}},
          {"key": "less", "value": {"intValue": "-7"}}, {"key": "zero", "value": {"intValue": "0"}},
          {"key": "part", "value": {"doubleValue": 0.25}}, {"key": "nothing", "value": {"doubleValue": 0}}],
        "droppedAttributesCount": 5,
        "events": [{
          "timeUnixNano": "1764000000000001000", "name": "letter_committed",
          "attributes": [{"key": "letter_id", "value": {"intValue": "4611686018427387904"}}],
          "droppedAttributesCount": 3}],
        "droppedEventsCount": 6,
        "links": [{
          "traceId": "030405060708090a0b0c0d0e0f101112", "spanId": "f3f4f5f6f7f8f9fa", "traceState": "vendor=3",
          "attributes": [{"key": "messaging.message.id", "value": {"stringValue": "m"}}],
          "droppedAttributesCount": 4, "flags": 1}],
        "droppedLinksCount": 7,
        "status": {"message": "no such mailbox", "code": 2},
        "flags": 769
      },
      {
        "traceId": "08090a0b0c0d0e0f1011121314151617", "spanId": "f9fafbfcfdfeff00",
        "name": "publish", "kind": 1,
        "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000000000000000"
      }]
  }]
}]})json";

constexpr const char* kLogsAsJson = R"json({"resourceLogs": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
  "scopeLogs": [
    {
      "scope": {"name": "orders.import", "version": "VERSION"},
      "logRecords": [
        {
          "timeUnixNano": "1764000000000000000", "severityNumber": 13, "severityText": "warning",
          "body": {"stringValue": "no such mailbox"},
          "attributes": [{"key": "attempt", "value": {"intValue": "2"}}], "droppedAttributesCount": 1,
          "flags": 1, "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "f1f2f3f4f5f6f7f8",
          "observedTimeUnixNano": "1764000000000000001", "eventName": "handler_failed"
        },
        {
          "timeUnixNano": "1764000000000000000", "severityNumber": 9,
          "observedTimeUnixNano": "1764000000000000000", "eventName": "bus_started"
        }]
    },
    {
      "scope": {"version": "VERSION"},
      "logRecords": [{
        "timeUnixNano": "1764000000000000000", "severityNumber": 9,
        "observedTimeUnixNano": "1764000000000000000", "eventName": "bus_started"}]
    }]
}]})json";

constexpr const char* kMetricsAsJson = R"json({"resourceMetrics": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
  "scopeMetrics": [{
    "scope": {"name": "tidings", "version": "VERSION"},
    "metrics": [
      {"name": "published", "description": "Events", "unit": "{event}",
       "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
         {"startTimeUnixNano": "1764000000000000000", "timeUnixNano": "1764000000000000060", "asInt": "42",
          "attributes": [{"key": "event_type", "value": {"stringValue": "orders.order_placed"}}]},
         {"startTimeUnixNano": "1764000000000000000", "timeUnixNano": "1764000000000000060", "asInt": "0"}]}},
      {"name": "balance",
       "sum": {"aggregationTemporality": 2, "dataPoints": [
         {"startTimeUnixNano": "1764000000000000000", "timeUnixNano": "1764000000000000060", "asInt": "-1"}]}},
      {"name": "queued",
       "gauge": {"dataPoints": [
         {"timeUnixNano": "1764000000000000060", "asDouble": 1.5},
         {"timeUnixNano": "1764000000000000060", "asDouble": "NaN"},
         {"timeUnixNano": "1764000000000000060", "asDouble": "Infinity"}]}},
      {"name": "duration", "description": "How long", "unit": "s",
       "histogram": {"aggregationTemporality": 2, "dataPoints": [
         {"startTimeUnixNano": "1764000000000000000", "timeUnixNano": "1764000000000000060", "count": "3",
          "sum": 0.75, "bucketCounts": ["1", "2", "0"], "explicitBounds": [0.005, 0.1], "min": 0.001, "max": 0.5,
          "exemplars": [
            {"timeUnixNano": "1764000000000000030", "asDouble": 0.0625,
             "spanId": "f3f4f5f6f7f8f9fa", "traceId": "030405060708090a0b0c0d0e0f101112"},
            {"asDouble": 0}],
          "attributes": [{"key": "handler", "value": {"stringValue": "h"}}]},
         {"startTimeUnixNano": "1764000000000000000", "timeUnixNano": "1764000000000000060", "sum": 0}]}}]
  }]
}]})json";

std::string with_version(std::string text) {
  constexpr std::string_view kPlaceholder = "VERSION";
  for (auto at = text.find(kPlaceholder); at != std::string::npos; at = text.find(kPlaceholder, at))
    text.replace(at, kPlaceholder.size(), version());
  return text;
}

}  // namespace

OtlpExamples otlp_examples() {
  return {{{{"service.name", "orders"}}},
          {full_span(), root_span()},
          {full_log(), short_log("orders.import"), short_log("")},
          all_metrics()};
}

std::string spans_as_json() { return with_version(kSpansAsJson); }
std::string logs_as_json() { return with_version(kLogsAsJson); }
std::string metrics_as_json() { return with_version(kMetricsAsJson); }

}  // namespace tidings::telemetry
