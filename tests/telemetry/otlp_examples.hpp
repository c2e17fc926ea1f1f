#pragma once

#include <tidings/telemetry/log.hpp>
#include <tidings/telemetry/metric.hpp>
#include <tidings/telemetry/span.hpp>

#include <string>
#include <vector>

namespace tidings::telemetry {

/// One of each that has a value in every field, and others.
struct OtlpExamples {
  Resource resource;
  std::vector<SpanData> spans;
  std::vector<LogData> logs;
  std::vector<MetricData> metrics;
};

[[nodiscard]] OtlpExamples otlp_examples();

/// The requests that they are, in JSON as the specification of OTLP has it.
[[nodiscard]] std::string spans_as_json();
[[nodiscard]] std::string logs_as_json();
[[nodiscard]] std::string metrics_as_json();

}  // namespace tidings::telemetry
