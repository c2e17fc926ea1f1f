#pragma once

#include <tidings/clock.hpp>
#include <tidings/ids.hpp>
#include <tidings/observer.hpp>
#include <tidings/telemetry/bus_spans.hpp>
#include <tidings/telemetry/exemplars.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/sampler.hpp>
#include <tidings/telemetry/span.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace tidings {
class Span;
}  // namespace tidings

namespace tidings::telemetry {

/// Which traces that were not sampled are kept for a while, and exported after all when something happens in
/// them: an attempt fails, or is slow. Their spans are made as those of sampled traces are, and cost as much.
struct KeepUnsampled {
  /// How many spans wait at most; the oldest traces go first. 0: nothing is kept.
  std::size_t spans = 0;
  /// How long a trace waits, and how long its later spans are exported once one has failed.
  std::chrono::seconds time{60};
  /// An attempt that takes longer is slow. Not set: none is.
  std::optional<std::chrono::milliseconds> slower_than = std::nullopt;
};

struct TracerOptions {
  /// Of traces that begin here. Those that come in keep their flag, unless the sampler does not follow
  /// parents: then it decides about them too, and what goes on bears its decision.
  Sampler sampler = {};
  NewTraces new_traces = NewTraces::WhenLate;
  /// Since the publish, or since the attempt before.
  std::chrono::seconds late{60};
  KeepUnsampled keep = {};
  /// Where attempts that returned are noted for the metrics; null: nowhere.
  std::shared_ptr<Exemplars> exemplars = nullptr;
  std::shared_ptr<Clock> clock = system_clock();
  /// Uniform 64-bit numbers for ids; thread-safe, must not throw.
  std::function<std::uint64_t()> random = random_bits;
};

/// Makes spans of what a bus does: BusTelemetry::observer.
///
///     const auto exporter = std::make_shared<Exporter>(ExporterOptions::from_environment("orders"));
///     const auto tracer = std::make_shared<Tracer>(exporter);
///     Bus bus({.service = "orders", .telemetry = {.observer = tracer}});
///
/// Names and attributes are those of OpenTelemetry's messaging conventions (1.45, in development): `publish
/// TYPE` (producer) for each publish, `process TYPE` (consumer) for each attempt, `give up TYPE` for each
/// letter, and `redrive TYPE` around the attempt of a redrive. docs/telemetry.md lists the attributes. What
/// comes in without a trace begins one. What a failed attempt threw is an event of its span or a log record,
/// as ExporterOptions::exceptions says; with a sink an event. Nothing is done for a trace that is not
/// recorded but to pass its ids on.
///
/// Thread-safe. Must not be destroyed before the buses that it observes. Never throws: a span for which there
/// is no memory is left out, and counts as lost by the exporter, if there is one (Exporter::dropped).
class Tracer final : public Observer {
 public:
  /// Takes spans that have ended, on the threads where they end. Must be thread-safe and must not throw.
  using Sink = std::function<void(SpanData)>;

  /// Throws Error(InvalidArgument) for null and for a negative time; std::bad_alloc.
  explicit Tracer(const std::shared_ptr<Exporter>& exporter, TracerOptions options = {});
  explicit Tracer(Sink sink, TracerOptions options = {});
  ~Tracer() override;

  ObservedSpan publish_started(const PublishStart& publish) override;
  void publish_ended(const ObservedSpan& observed, const PublishEnd& publish) override;
  ObservedSpan attempt_started(const AttemptStart& attempt) override;
  void attempt_ended(const ObservedSpan& observed, const AttemptEnd& attempt) override;
  void letters_kept(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) override;
  void recovery_started(const RecoveryStart& recovery) override;

 private:
  friend class tidings::Span;

  class Core;
  std::shared_ptr<Core> core_;  // constant once constructed; a Span may outlive the tracer
};

}  // namespace tidings::telemetry
