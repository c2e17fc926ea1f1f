#pragma once

#include <tidings/clock.hpp>
#include <tidings/ids.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/attribute.hpp>
#include <tidings/telemetry/metric.hpp>
#include <tidings/telemetry/setting_problem.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::telemetry {

/// How requests are written (OTLP/HTTP).
enum class Protocol : std::uint8_t { HttpProtobuf, HttpJson };

enum class Compression : std::uint8_t { None, Gzip };

/// Where spans, records or metrics go.
struct Endpoint {
  /// The whole URL, `http://localhost:4318/v1/traces`; `http` or `https`. Empty: nothing is sent.
  std::string url = {};
  Protocol protocol = Protocol::HttpProtobuf;
  Compression compression = Compression::None;
  /// Of each request, such as those that a receiver knows its customers by. Never logged.
  std::vector<std::pair<std::string, std::string>> headers = {};
  /// For one request with its answer. Positive.
  std::chrono::milliseconds timeout{10'000};
  /// PEM files: whom to trust instead of the system's authorities, and who we are. Empty: none.
  std::string certificate = {};
  std::string client_certificate = {};
  std::string client_key = {};
};

/// When what waits is sent. Numbers are at least 1, times positive.
struct Batching {
  /// How long the first of a batch waits for others.
  std::chrono::milliseconds delay{5'000};
  /// How many wait at most; what comes then is lost.
  std::size_t queue = 2'048;
  /// How many a request has at most; not more than `queue`. When so many wait, they are sent at once.
  std::size_t batch = 512;
  /// A batch that could not be sent for so long, however often it was tried, is lost.
  std::chrono::milliseconds give_up_after{30'000};
};

/// Where the exceptions of failed attempts and of spans are told. OpenTelemetry moves them from events of
/// spans to log records.
enum class ExceptionSignal : std::uint8_t {
  SpanEvents,  ///< As events of the span that failed.
  Logs,        ///< As log records that bear the ids of that span.
  Both,
};

/// What an Exporter needs to know. By default nothing is exported.
struct ExporterOptions {
  Endpoint traces = {};
  Endpoint logs = {};
  Endpoint metrics = {};
  Batching span_batches = {};
  Batching log_batches = {.delay = std::chrono::milliseconds(1'000)};
  /// Called every `metrics_interval` on the exporter's thread; what it returns is sent. Must not call flush()
  /// or stop(). What it throws is a loss. Empty: no metrics.
  std::function<std::vector<MetricData>()> collect_metrics = {};
  std::chrono::milliseconds metrics_interval{60'000};
  /// Of the spans that a Tracer gives this exporter. Where no log records are exported it is SpanEvents.
  ExceptionSignal exceptions = ExceptionSignal::SpanEvents;
  /// What all that is sent is about.
  Resource resource = {};
  /// Told what is lost, and why.
  logging::Logger logger = {};
  std::shared_ptr<Clock> clock = system_clock();
  /// Uniform 64-bit numbers for jitter; thread-safe, must not throw.
  std::function<std::uint64_t()> random = random_bits;
  /// What of the environment could not be understood; the exporter logs it.
  std::vector<SettingProblem> problems = {};

  /// The options that OpenTelemetry's environment variables ask for; docs/telemetry.md lists them. Without
  /// OTEL_EXPORTER_OTLP_ENDPOINT or that of a signal, with OTEL_SDK_DISABLED=true, and of a signal with
  /// OTEL_TRACES_EXPORTER=none and the like, nothing is exported. `service` names the service where
  /// neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES does. A value that cannot be understood is
  /// in `problems`, and the default holds.
  [[nodiscard]] static ExporterOptions from_environment(std::string_view service = {});
};

}  // namespace tidings::telemetry
