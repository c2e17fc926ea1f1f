#pragma once

#include <tidings/metrics.hpp>
#include <tidings/telemetry/metric.hpp>
#include <tidings/telemetry/more_metrics.hpp>

#include <vector>

namespace tidings::telemetry {

/// What write_metrics() writes, as OTLP has it:
///
///     options.collect_metrics = [&bus] { return otlp_metrics(bus.metrics()); };
///
/// Names are without `_total`, and without `_seconds`, for which the unit `s` stands: a receiver that makes
/// Prometheus' names of them gets those of docs/metrics.md again. May throw std::bad_alloc.
[[nodiscard]] std::vector<MetricData> otlp_metrics(const Metrics& metrics, const MoreMetrics& more = {});

}  // namespace tidings::telemetry
