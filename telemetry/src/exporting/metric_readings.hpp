#pragma once

#include "exporting/batch_source.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/telemetry/exporter_options.hpp>

namespace tidings::telemetry {

/// The metrics, read every interval and when somebody asks. An item is one reading of all. `options` must
/// outlive it.
class MetricReadings final : public BatchSource {
 public:
  explicit MetricReadings(const ExporterOptions& options);

  [[nodiscard]] Instant due(bool hurry) const override;
  [[nodiscard]] std::size_t next_items() const override { return 1; }
  /// Throws what ExporterOptions::collect_metrics throws.
  [[nodiscard]] Batch take(std::size_t items) override;
  std::size_t discard() noexcept override { return 0; }
  [[nodiscard]] std::uint64_t request() override;

 private:
  const ExporterOptions& options_;
  mutable detail::Mutex mutex_;
  Instant next_ TIDINGS_GUARDED_BY(mutex_);
  std::uint64_t taken_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::uint64_t requested_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::telemetry
