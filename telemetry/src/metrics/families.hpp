#pragma once

#include <tidings/metrics.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/more_metrics.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tidings::telemetry {

enum class MetricKind : std::uint8_t { Counter, Gauge, Histogram, Info };

/// One series.
struct MetricSample {
  Labels labels;
  std::variant<std::uint64_t, double, DurationHistogram> value;
  /// Of a histogram: none at all, or one or none for each bucket and for what is above.
  std::vector<std::optional<Exemplar>> exemplars = {};
};

/// All series of one name.
struct MetricFamily {
  /// With its unit, and without what says its kind (`_total`, `_info`).
  std::string name;
  MetricKind kind = MetricKind::Gauge;
  std::string help;
  std::vector<MetricSample> samples = {};
  /// What the name ends in; empty: it has none.
  std::string_view unit = {};
};

/// What a bus counted and the application's own counters, as metrics: names, labels and help are said here
/// alone.
[[nodiscard]] std::vector<MetricFamily> families_of(const Metrics& metrics, const MoreMetrics& more);

}  // namespace tidings::telemetry
