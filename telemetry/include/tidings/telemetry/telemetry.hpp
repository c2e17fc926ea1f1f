#pragma once

#include <tidings/bus.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/more_metrics.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::telemetry {

class Measured;

/// Not for use: the bus that is measured.
class MeasuredBus;

/// Traces, metrics and log records of one process, all that OpenTelemetry's environment variables ask for:
///
///     telemetry::Telemetry telemetry("orders");
///     logging::LoggerOptions how{.service = "orders"};
///     how.sinks = telemetry.with_export({logging::stderr_sink()});
///     const logging::Logger log(how);
///     Bus bus({.service = "orders", .logger = log, .telemetry = telemetry.for_bus()});
///     const telemetry::Measured measured = telemetry.measure(bus);
///
/// What no endpoint is named for costs nothing and is left out; metrics are counted in any case, for
/// write_metrics(). Spans of the application's own (tidings::Span) are made by its tracer while it lives.
/// There is one in a process at a time, made before the buses, which it must outlive. Its end sends what
/// waits, and takes Exporter::kStopDeadline at most. Thread-safe.
class Telemetry {
 public:
  /// As ExporterOptions::from_environment(service) and these say; OTEL_TRACES_SAMPLER, if it is set, goes
  /// before `tracer.sampler`. What the exporter has to tell is logged by a logger of that service with the
  /// default outputs. Throws what the constructors of Exporter and Tracer throw, and Error(InvalidArgument)
  /// while the process has another.
  explicit Telemetry(std::string_view service, TracerOptions tracer = {});
  /// As these say, and nothing of the environment: ExporterOptions::logger gets what the exporter has to
  /// tell. ExporterOptions::collect_metrics must be empty: measure() gives the metrics. Throws the same.
  explicit Telemetry(ExporterOptions exporter, TracerOptions tracer = {});
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  ~Telemetry();

  /// For BusOptions::telemetry.
  [[nodiscard]] BusTelemetry for_bus() const;
  /// These outputs, and the export of records if there is an endpoint for it: for LoggerOptions::sinks.
  [[nodiscard]] std::vector<logging::Output> with_export(std::vector<logging::Output> outputs) const;
  /// The bus's metrics, and counters(), are exported while what is returned lives; then they are read once
  /// more, and stay as they are. It must not outlive the bus or this. Throws Error(InvalidArgument) while
  /// another bus is measured: their series would have the same names.
  [[nodiscard]] Measured measure(Bus& bus);

  /// The application's own: exported, and written by write_metrics(..., more()), as TracerOptions::exemplars
  /// are if they are given.
  [[nodiscard]] CounterRegistry& counters() noexcept { return counters_; }
  [[nodiscard]] MoreMetrics more() const noexcept {
    return {.own = &counters_, .exporter = exporter_.get(), .exemplars = exemplars_.get()};
  }
  [[nodiscard]] const std::shared_ptr<Exporter>& exporter() const noexcept { return exporter_; }
  /// Null without an endpoint for traces.
  [[nodiscard]] const std::shared_ptr<Tracer>& tracer() const noexcept { return tracer_; }

 private:
  explicit Telemetry(std::pair<ExporterOptions, TracerOptions> options);

  CounterRegistry counters_;
  std::shared_ptr<MeasuredBus> measured_;
  std::shared_ptr<Exemplars> exemplars_;
  std::shared_ptr<Exporter> exporter_;
  std::shared_ptr<Tracer> tracer_;
};

/// A bus's metrics are exported while this lives: Telemetry::measure().
class [[nodiscard]] Measured {
 public:
  Measured(Measured&&) noexcept = default;
  Measured& operator=(Measured&& other) noexcept;
  ~Measured();

 private:
  friend class Telemetry;
  explicit Measured(std::shared_ptr<MeasuredBus> bus) noexcept : bus_(std::move(bus)) {}
  void end() noexcept;

  std::shared_ptr<MeasuredBus> bus_;
};

}  // namespace tidings::telemetry
