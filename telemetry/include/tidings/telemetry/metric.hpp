#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/trace_context.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tidings::telemetry {

/// The number of one series.
struct NumberPoint {
  Attributes attributes = {};
  std::variant<std::int64_t, double> value = std::int64_t{0};
};

/// One of the measured values, and the span that it was measured in.
struct MetricExemplar {
  double value = 0;
  /// Since the Unix epoch.
  std::uint64_t time_ns = 0;
  TraceId trace_id{};
  SpanId span_id{};
};

/// What one series has measured so far.
struct HistogramPoint {
  Attributes attributes = {};
  std::uint64_t count = 0;
  double sum = 0;
  /// Upper ends of the buckets, ascending; the last bucket, without an end, has none here.
  std::vector<double> bounds = {};
  /// How many values each bucket has, each counted in one of them; one more than `bounds`.
  std::vector<std::uint64_t> bucket_counts = {};
  std::optional<double> min = std::nullopt;
  std::optional<double> max = std::nullopt;
  std::vector<MetricExemplar> exemplars = {};
};

/// A number that only grows from `start_ns` on, or with `monotonic` false may shrink too.
struct Sum {
  bool monotonic = true;
  std::vector<NumberPoint> points = {};
};

/// A number as it is at the moment.
struct Gauge {
  std::vector<NumberPoint> points = {};
};

struct Histogram {
  std::vector<HistogramPoint> points = {};
};

/// All series of one metric as they are at one moment; sums and histograms are cumulative: since `start_ns`.
/// Plain data.
struct MetricData {
  std::string name = {};
  std::string description = {};
  /// UCUM: `s`, `By`, `{event}`.
  std::string unit = {};
  /// Since the Unix epoch.
  std::uint64_t start_ns = 0;
  std::uint64_t time_ns = 0;
  std::variant<Sum, Gauge, Histogram> data = {};
};

}  // namespace tidings::telemetry
