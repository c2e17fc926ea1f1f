#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/trace_context.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace tidings::telemetry {

/// The numbers are those of OTLP, as all in this header.
enum class SpanKind : std::uint8_t { Internal = 1, Server = 2, Client = 3, Producer = 4, Consumer = 5 };

enum class SpanStatus : std::uint8_t { Unset = 0, Ok = 1, Error = 2 };

/// Which span of which trace: what goes on to others with the work. All zero: none.
struct SpanContext {
  TraceId trace_id{};
  SpanId span_id{};
  /// As in `traceparent`: bit 0 is sampled.
  std::uint8_t trace_flags = 0;
  std::string tracestate = {};

  friend bool operator==(const SpanContext&, const SpanContext&) = default;
};

/// Something that happened at one moment of a span.
struct SpanEvent {
  std::string name = {};
  /// Since the Unix epoch.
  std::uint64_t time_ns = 0;
  Attributes attributes = {};
  /// How many attributes there were besides these, and were left out to save memory.
  std::uint32_t dropped_attributes = 0;
};

/// Another span that this one has to do with, and that is not its parent.
struct SpanLink {
  SpanContext context = {};
  Attributes attributes = {};
  std::uint32_t dropped_attributes = 0;
};

/// How much of a span was left out to save memory.
struct DroppedParts {
  std::uint32_t attributes = 0;
  std::uint32_t events = 0;
  std::uint32_t links = 0;
};

/// A span that has ended, as it is exported: one operation of a trace. Plain data.
struct SpanData {
  SpanContext context = {};
  /// All zero: the root of its trace.
  SpanId parent_span_id{};
  /// The parent is in another process; otherwise that is not known. Without meaning for a root.
  bool parent_is_remote = false;
  std::string name = {};
  SpanKind kind = SpanKind::Internal;
  /// Since the Unix epoch.
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  SpanStatus status = SpanStatus::Unset;
  /// Of a failure, for people to read; empty otherwise.
  std::string status_message = {};
  Attributes attributes = {};
  std::vector<SpanEvent> events = {};
  std::vector<SpanLink> links = {};
  DroppedParts dropped = {};
};

}  // namespace tidings::telemetry
