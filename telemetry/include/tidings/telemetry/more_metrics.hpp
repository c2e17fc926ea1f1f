#pragma once

namespace tidings::telemetry {

class CounterRegistry;
class Exporter;

/// What is to be told beside the metrics of a bus. Null: nothing.
struct MoreMetrics {
  const CounterRegistry* own = nullptr;
  /// What it has lost.
  const Exporter* exporter = nullptr;
};

}  // namespace tidings::telemetry
