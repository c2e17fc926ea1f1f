#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/telemetry/span.hpp>

#include <cstdint>
#include <string>

namespace tidings::telemetry {

/// The first number of each of OTLP's groups of four.
enum class Severity : std::uint8_t { Trace = 1, Debug = 5, Info = 9, Warning = 13, Error = 17, Fatal = 21 };

/// A log record as it is exported. Plain data.
struct LogData {
  /// When it happened, and when tidings saw it; since the Unix epoch.
  std::uint64_t time_ns = 0;
  std::uint64_t observed_ns = 0;
  Severity severity = Severity::Info;
  /// As the source has it: `warning`.
  std::string severity_text = {};
  /// What kind of event it is: `handler_failed`.
  std::string event_name = {};
  /// The logger that it came from, which OTLP calls the scope.
  std::string logger = {};
  /// For people to read; may be empty.
  std::string body = {};
  /// The span that it belongs to, if any; the tracestate is not exported.
  SpanContext context = {};
  Attributes attributes = {};
  std::uint32_t dropped_attributes = 0;
};

}  // namespace tidings::telemetry
