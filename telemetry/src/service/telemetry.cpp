#include <tidings/telemetry/telemetry.hpp>

#include "settings/environment.hpp"

#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>
#include <tidings/telemetry/active_span.hpp>
#include <tidings/telemetry/otlp_metrics.hpp>
#include <tidings/telemetry/record_exporter.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace tidings::telemetry {

/// The bus whose metrics are exported, and its last metrics once it is no longer measured.
class MeasuredBus {
 public:
  void begin(Bus& bus, const MoreMetrics& more) {
    const tidings::detail::MutexLock lock(mutex_);
    if (bus_ != nullptr)
      throw Error(ErrorCode::InvalidArgument,
                  "another bus is measured: a process exports the metrics of one bus at a time");
    bus_ = &bus;
    more_ = more;
    generation_ = tidings::detail::fork_generation();
  }
  /// In a forked child nothing is measured any more, and another thread may have held the mutex.
  void end() noexcept {
    if (generation_ != tidings::detail::fork_generation()) return;
    const tidings::detail::MutexLock lock(mutex_);
    try {
      last_ = otlp_metrics(bus_->metrics(), more_);
    } catch (const std::exception&) {
      // What was read before stays.
    }
    bus_ = nullptr;
  }
  [[nodiscard]] std::vector<MetricData> read() {
    const tidings::detail::MutexLock lock(mutex_);
    if (bus_ != nullptr) last_ = otlp_metrics(bus_->metrics(), more_);
    return last_;
  }

 private:
  std::atomic<std::uint64_t> generation_{0};
  tidings::detail::Mutex mutex_;
  Bus* bus_ TIDINGS_GUARDED_BY(mutex_) = nullptr;
  MoreMetrics more_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<MetricData> last_ TIDINGS_GUARDED_BY(mutex_);
};

namespace {

/// The sampler that the environment names, if it does; the exporter logs its problems with its own.
void read_sampler(ExporterOptions& exporter, TracerOptions& tracer) {
  const Lookup environment = process_environment();
  if (!EnvironmentReader(environment, exporter.problems).text("OTEL_TRACES_SAMPLER").empty())
    tracer.sampler = Sampler::from_environment(exporter.problems);
}

/// One more than the fork generation of the process that has a Telemetry; 0: none has.
std::atomic<std::uint64_t> process_with_telemetry{0};

void become_the_only_one() {
  const std::uint64_t self = tidings::detail::fork_generation() + 1;
  if (process_with_telemetry.exchange(self) == self)
    throw Error(ErrorCode::InvalidArgument,
                "this process has a Telemetry: one is for all of its buses, and spans have one way out");
}

}  // namespace

Telemetry::Telemetry(std::string_view service, TracerOptions tracer)
    : Telemetry([&] {
        ExporterOptions options = ExporterOptions::from_environment(service);
        options.logger = logging::Logger({.service = std::string(service)});
        read_sampler(options, tracer);
        return std::pair(std::move(options), std::move(tracer));
      }()) {}

Telemetry::Telemetry(std::pair<ExporterOptions, TracerOptions> options)
    : Telemetry(std::move(options.first), std::move(options.second)) {}

Telemetry::Telemetry(ExporterOptions exporter, TracerOptions tracer)
    : measured_(std::make_shared<MeasuredBus>()), exemplars_(tracer.exemplars) {
  if (exporter.collect_metrics)
    throw Error(ErrorCode::InvalidArgument, "collect_metrics is set: Telemetry::measure() gives the metrics");
  exporter.collect_metrics = [bus = measured_] { return bus->read(); };
  exporter_ = std::make_shared<Exporter>(std::move(exporter));
  if (exporter_->exports(ExportSignal::Traces))
    tracer_ = std::make_shared<Tracer>(exporter_, std::move(tracer));
  become_the_only_one();  // from here on nothing throws but for want of memory
  try {
    if (tracer_) set_default_tracer(tracer_);
  } catch (...) {
    process_with_telemetry.store(0);
    throw;
  }
}

Telemetry::~Telemetry() {
  try {
    if (tracer_) set_default_tracer(nullptr);
  } catch (const std::exception&) {
    // It then stays, and adds spans to an exporter that has stopped.
  }
  exporter_->stop(Exporter::kStopDeadline);
  std::uint64_t self = tidings::detail::fork_generation() + 1;
  process_with_telemetry.compare_exchange_strong(self, 0);
}

BusTelemetry Telemetry::for_bus() const { return {.metrics = true, .observer = tracer_}; }

std::vector<logging::Output> Telemetry::with_export(std::vector<logging::Output> outputs) const {
  if (exporter_->exports(ExportSignal::Logs)) outputs.emplace_back(export_records(exporter_));
  return outputs;
}

Measured Telemetry::measure(Bus& bus) {
  measured_->begin(bus, more());
  return Measured(measured_);
}

Measured& Measured::operator=(Measured&& other) noexcept {
  if (this != &other) {
    end();
    bus_ = std::move(other.bus_);
  }
  return *this;
}

Measured::~Measured() { end(); }

void Measured::end() noexcept {
  if (const auto bus = std::exchange(bus_, nullptr)) bus->end();
}

}  // namespace tidings::telemetry
