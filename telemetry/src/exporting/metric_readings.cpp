#include "exporting/metric_readings.hpp"

#include "exporting/item_queue.hpp"
#include "otlp/messages.hpp"

#include <vector>

namespace tidings::telemetry {

MetricReadings::MetricReadings(const ExporterOptions& options)
    : options_(options), next_(options.clock->monotonic_now() + options.metrics_interval) {}

Instant MetricReadings::due(bool) const {
  const detail::MutexLock lock(mutex_);
  return requested_ > taken_ ? Instant::min() : next_;
}

Batch MetricReadings::take(std::size_t) {
  {
    const detail::MutexLock lock(mutex_);
    ++taken_;
    next_ = options_.clock->monotonic_now() + options_.metrics_interval;
  }
  const std::vector<MetricData> metrics = options_.collect_metrics();
  if (metrics.empty()) return {{}, 1};
  return {encode_metrics(metrics, options_.resource, encoding_of(options_.metrics)), 1};
}

std::uint64_t MetricReadings::request() {
  const detail::MutexLock lock(mutex_);
  requested_ = taken_ + 1;
  return requested_;
}

}  // namespace tidings::telemetry
