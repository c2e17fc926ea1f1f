#include "metrics/buckets.hpp"
#include "metrics/families.hpp"

#include <tidings/clock.hpp>
#include <tidings/telemetry/otlp_metrics.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tidings::telemetry {

namespace {

constexpr std::string_view kSecondsSuffix = "_seconds";

/// Before 1970 it is 0: OTLP knows no such time.
std::uint64_t nanoseconds_since_1970(Timestamp time) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, count));
}

Attributes attributes_of(Labels&& labels) {
  Attributes attributes;
  attributes.reserve(labels.size());
  for (auto& [name, value] : labels) attributes.push_back({std::move(name), std::move(value)});
  return attributes;
}

NumberPoint number_of(MetricSample&& sample) {
  NumberPoint point{attributes_of(std::move(sample.labels))};
  if (const auto* const number = std::get_if<double>(&sample.value)) {
    point.value = *number;
  } else {
    point.value = static_cast<std::int64_t>(std::get<std::uint64_t>(sample.value));
  }
  return point;
}

HistogramPoint histogram_of(MetricSample&& sample) {
  const auto& histogram = std::get<DurationHistogram>(sample.value);
  HistogramPoint point{.attributes = attributes_of(std::move(sample.labels)), .count = histogram.count()};
  point.sum = std::chrono::duration<double>(histogram.sum).count();
  std::uint64_t rest = point.count;
  for_each_bucket(histogram, [&](const Bucket& bucket, std::uint64_t count) {
    point.bounds.push_back(std::chrono::duration<double>(bucket.bound).count());
    point.bucket_counts.push_back(count);
    rest -= count;
  });
  point.bucket_counts.push_back(rest);
  for (const auto& exemplar : sample.exemplars) {
    if (!exemplar) continue;
    point.exemplars.push_back({std::chrono::duration<double>(exemplar->duration).count(),
                               nanoseconds_since_1970(exemplar->at),
                               {exemplar->span.trace_id},
                               {exemplar->span.parent_id}});
  }
  return point;
}

template <class Points, class Convert>
Points points_of(MetricFamily& family, const Convert& convert) {
  Points data;
  data.points.reserve(family.samples.size());
  for (MetricSample& sample : family.samples) data.points.push_back(convert(std::move(sample)));
  return data;
}

MetricData metric_of(MetricFamily&& family) {
  MetricData metric{.name = std::move(family.name), .description = std::move(family.help)};
  if (!family.unit.empty()) {
    metric.name.resize(metric.name.size() - kSecondsSuffix.size());
    metric.unit.push_back('s');  // assigning it makes GCC 12 warn of what is not there
  }
  switch (family.kind) {
    case MetricKind::Counter:
      metric.data = points_of<Sum>(family, number_of);
      break;
    case MetricKind::Info:
      metric.name += "_info";
      [[fallthrough]];
    case MetricKind::Gauge:
      metric.data = points_of<Gauge>(family, number_of);
      break;
    case MetricKind::Histogram:
      metric.data = points_of<Histogram>(family, histogram_of);
      break;
  }
  return metric;
}

}  // namespace

std::vector<MetricData> otlp_metrics(const Metrics& metrics, const MoreMetrics& more) {
  std::vector<MetricData> all;
  for (MetricFamily& family : families_of(metrics, more)) {
    if (family.samples.empty()) continue;
    all.push_back(metric_of(std::move(family)));
    all.back().start_ns = nanoseconds_since_1970(metrics.began_at);
    all.back().time_ns = nanoseconds_since_1970(metrics.read_at);
  }
  return all;
}

}  // namespace tidings::telemetry
