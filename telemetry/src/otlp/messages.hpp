#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/telemetry/log.hpp>
#include <tidings/telemetry/metric.hpp>
#include <tidings/telemetry/span.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace tidings::telemetry {

enum class OtlpEncoding : std::uint8_t { Protobuf, Json };

/// The bodies of the requests that OTLP/HTTP posts: ExportTraceServiceRequest, ExportLogsServiceRequest,
/// ExportMetricsServiceRequest (opentelemetry-proto 1.9, all its stable fields that tidings has something
/// for). The scope is `tidings` with its version; of a record its logger. Throw std::bad_alloc.
[[nodiscard]] std::string encode_spans(std::span<const SpanData> spans, const Resource& resource,
                                       OtlpEncoding encoding);
[[nodiscard]] std::string encode_logs(std::span<const LogData> logs, const Resource& resource,
                                      OtlpEncoding encoding);
[[nodiscard]] std::string encode_metrics(std::span<const MetricData> metrics, const Resource& resource,
                                         OtlpEncoding encoding);

}  // namespace tidings::telemetry
