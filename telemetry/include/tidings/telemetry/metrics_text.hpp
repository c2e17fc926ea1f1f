#pragma once

#include <tidings/metrics.hpp>
#include <tidings/telemetry/more_metrics.hpp>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string_view>

// What Bus::metrics() says, as Prometheus reads it. tidings opens no port for it and has no thread: the
// application's own HTTP server answers with it, or a file has it for node_exporter. docs/metrics.md lists
// the metrics.

namespace tidings::telemetry {

enum class MetricsFormat : std::uint8_t {
  PrometheusText,  ///< Version 0.0.4: what every scraper reads.
  OpenMetrics,     ///< Version 1.0.
};

/// What is to be the Content-Type of an answer.
[[nodiscard]] std::string_view content_type(MetricsFormat format) noexcept;

/// The format that a scraper's Accept header asks for; PrometheusText if it asks for neither.
[[nodiscard]] MetricsFormat metrics_format_for(std::string_view accept) noexcept;

/// Writes what a bus counted, and what else is wanted. The stream's failures are its own. May
/// throw std::bad_alloc.
void write_metrics(std::ostream& stream, const Metrics& metrics, MetricsFormat format,
                   const MoreMetrics& more = {});

/// Writes the same as PrometheusText to a file for node_exporter's textfile collector, whose name ends in
/// `.prom`. The file is made new beside it, readable for all, and renamed, so that no reader sees a part of
/// it; it is not synced. Call it once in so many seconds. Throws Error: InvalidArgument (the name),
/// DatabaseUnusable (the file cannot be written; the message says why, and an older file is as it was).
void write_metrics_file(const std::filesystem::path& path, const Metrics& metrics,
                        const MoreMetrics& more = {});

}  // namespace tidings::telemetry
