#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/telemetry/span.hpp>

#include <span>
#include <string>

namespace tidings::telemetry {

/// These spans as one line of the file format of OTLP (OpenTelemetry Protocol File Exporter, in development),
/// without the end of line: what a file for a collector's `otlpjsonfile` receiver consists of.
///
///     const Tracer tracer([&](SpanData span) { file << otlp_json({&span, 1}, resource) << '\n'; });
///
/// Throws std::bad_alloc.
[[nodiscard]] std::string otlp_json(std::span<const SpanData> spans, const Resource& resource);

}  // namespace tidings::telemetry
