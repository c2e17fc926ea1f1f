#pragma once

namespace tidings::telemetry {

class CounterRegistry;
class Exemplars;
class Exporter;

/// What is to be told beside the metrics of a bus. Null: nothing.
struct MoreMetrics {
  const CounterRegistry* own = nullptr;
  /// What it has lost.
  const Exporter* exporter = nullptr;
  /// Traces of attempts, for buckets of their durations that have any. Not in PrometheusText.
  const Exemplars* exemplars = nullptr;
};

}  // namespace tidings::telemetry
