#pragma once

#include <tidings/telemetry/exporter_options.hpp>
#include <tidings/telemetry/log.hpp>
#include <tidings/telemetry/span.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace tidings::telemetry {

enum class ExportSignal : std::uint8_t { Traces, Logs, Metrics };

/// Sends spans, log records and metrics to a receiver of OTLP over HTTP: a collector, or an observability
/// service.
///
///     const auto exporter =
///         std::make_shared<Exporter>(ExporterOptions::from_environment("orders"));
///
/// It has one thread, and none if there is no endpoint to send to. Nobody who adds something waits for the
/// network: what finds no room is lost. So is what a receiver refuses, what could not be sent for
/// Batching::give_up_after, and what is left at the end of stop(). Whatever is lost is counted, and the
/// record `telemetry_lost` tells of it, once a minute at most for each signal.
///
/// Requests are repeated after answers 429, 502, 503 and 504, when the receiver says (Retry-After) or after
/// waits that grow to 5 s and are spread at random, and when there was no answer. After any other answer they
/// are not; nor is what a receiver did not take of a request that it took.
///
/// Thread-safe. After a fork the child's calls do nothing.
class Exporter {
 public:
  /// How long the destructor's stop() takes at most.
  static constexpr std::chrono::milliseconds kStopDeadline{5'000};

  /// Throws Error(InvalidArgument) for an option that breaks its bounds, an URL that is neither of http nor
  /// of https, a header that cannot be sent, and for a null clock; Error(NoThreads); std::bad_alloc.
  explicit Exporter(ExporterOptions options);
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  ~Exporter();

  /// Whether something of that signal is sent at all. Never changes.
  [[nodiscard]] bool exports(ExportSignal signal) const noexcept;

  /// Where a Tracer tells of exceptions. Never changes.
  [[nodiscard]] ExceptionSignal exceptions() const noexcept;

  /// Puts it into the queue. Without an endpoint for it nothing happens; after stop() it is lost.
  void add(SpanData span) noexcept;
  void add(LogData log) noexcept;
  /// Counts a span or a record as lost that could not be made, for want of memory.
  void add_lost(ExportSignal signal) noexcept;

  /// Sends what was added, and the metrics as they are, without waiting for more. Returns when all of it was
  /// taken or is lost, or at the deadline. True if nothing of it is left.
  bool flush(std::chrono::milliseconds deadline) noexcept;
  /// The same once more, and then the end: at the deadline the request that runs is given up, and what is
  /// left is lost. True if nothing was. Later calls return at once.
  bool stop(std::chrono::milliseconds deadline) noexcept;

  /// How many spans and records, and readings of all metrics, were taken by the receiver so far.
  [[nodiscard]] std::uint64_t sent(ExportSignal signal) const noexcept;
  /// And how many were lost.
  [[nodiscard]] std::uint64_t dropped(ExportSignal signal) const noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace tidings::telemetry
