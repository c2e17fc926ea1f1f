#pragma once

// Without prometheus-cpp there is nothing in this header.
#if __has_include(<prometheus/collectable.h>)

#include <tidings/bus.hpp>
#include <tidings/telemetry/more_metrics.hpp>
#include <tidings/telemetry/otlp_metrics.hpp>

#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// For a service that has prometheus-cpp anyway: tidings itself is not linked with it. Other services need
// nothing but <tidings/telemetry/metrics_text.hpp>.

namespace tidings::telemetry {

// How prometheus-cpp has things; for this header alone.
namespace prometheus_cpp {

/// A series without a number. tidings gives metrics texts alone as labels.
inline prometheus::ClientMetric series_of(const Attributes& labels) {
  prometheus::ClientMetric series;
  for (const Attribute& label : labels)
    series.label.push_back({label.name, std::get<std::string>(label.value)});
  return series;
}

inline double number_of(const NumberPoint& point) {
  return std::visit([](auto number) { return static_cast<double>(number); }, point.value);
}

inline prometheus::ClientMetric::Histogram histogram_of(const HistogramPoint& point) {
  prometheus::ClientMetric::Histogram histogram{point.count, point.sum, {}};
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < point.bucket_counts.size(); ++i) {
    below += point.bucket_counts[i];
    const bool last = i == point.bounds.size();
    histogram.bucket.push_back({below, last ? std::numeric_limits<double>::infinity() : point.bounds[i]});
  }
  return histogram;
}

/// With the name that Prometheus' conventions make of OpenTelemetry's.
inline prometheus::MetricFamily family_of(const MetricData& metric) {
  prometheus::MetricFamily family{metric.name, metric.description, prometheus::MetricType::Gauge, {}};
  if (metric.unit == "s") family.name += "_seconds";
  if (const auto* const sum = std::get_if<Sum>(&metric.data)) {
    family.name += "_total";
    family.type = prometheus::MetricType::Counter;
    for (const NumberPoint& point : sum->points)
      family.metric.emplace_back(series_of(point.attributes)).counter.value = number_of(point);
  } else if (const auto* const gauge = std::get_if<Gauge>(&metric.data)) {
    for (const NumberPoint& point : gauge->points)
      family.metric.emplace_back(series_of(point.attributes)).gauge.value = number_of(point);
  } else {
    family.type = prometheus::MetricType::Histogram;
    for (const HistogramPoint& point : std::get<Histogram>(metric.data).points)
      family.metric.emplace_back(series_of(point.attributes)).histogram = histogram_of(point);
  }
  return family;
}

}  // namespace prometheus_cpp

/// What write_metrics() writes, as prometheus-cpp has it: the same names, labels and numbers. Families
/// without series are left out. May throw std::bad_alloc.
[[nodiscard]] inline std::vector<prometheus::MetricFamily> prometheus_families(const Metrics& metrics,
                                                                               const MoreMetrics& more = {}) {
  std::vector<prometheus::MetricFamily> families;
  for (const MetricData& metric : otlp_metrics(metrics, more))
    families.push_back(prometheus_cpp::family_of(metric));
  return families;
}

/// The metrics of a bus beside the application's own, at a prometheus::Exposer:
///
///     const auto collectable = std::make_shared<PrometheusCollectable>(bus);
///     exposer.RegisterCollectable(collectable);
///
/// Thread-safe. The bus, and what `more` points to, must outlive it: the exposer has no share in it, but does
/// collect until RemoveCollectable or its own end.
class PrometheusCollectable final : public prometheus::Collectable {
 public:
  explicit PrometheusCollectable(const Bus& bus, MoreMetrics more = {}) noexcept : bus_(bus), more_(more) {}

  /// Throws what Bus::metrics() does.
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    return prometheus_families(bus_.metrics(), more_);
  }

 private:
  const Bus& bus_;
  const MoreMetrics more_;
};

}  // namespace tidings::telemetry

#endif
