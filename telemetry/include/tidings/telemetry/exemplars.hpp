#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/trace_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::telemetry {

/// An attempt that took so long, and the span that shows why.
struct Exemplar {
  std::chrono::microseconds duration{0};
  /// When it had ended.
  Timestamp at{};
  TraceParent span{};
};

/// For each bucket of tidings_handler_duration_seconds the last attempt that took so long and whose trace is
/// exported: what leads from a slow bucket on a board to a trace. A tracer notes them; the text of
/// OpenMetrics has them, and so has otlp_metrics():
///
///     const auto exemplars = std::make_shared<Exemplars>();
///     const auto tracer = std::make_shared<Tracer>(exporter, TracerOptions{.exemplars = exemplars});
///     write_metrics(text, bus.metrics(), MetricsFormat::OpenMetrics, {.exemplars = exemplars.get()});
///
/// Of one bus; a tracer of several buses mixes them. Bounded: handlers beyond kMostHandlers have none, and a
/// handler has at most one for each of 15 buckets. Thread-safe.
class Exemplars {
 public:
  static constexpr std::size_t kMostHandlers = 1'000;

  Exemplars() = default;
  Exemplars(const Exemplars&) = delete;
  Exemplars& operator=(const Exemplars&) = delete;
  ~Exemplars() = default;

  /// Takes the place of what its bucket has. `type` is what the handler has subscribed: `*` for all events.
  /// Without memory for it nothing is noted.
  void note(std::string_view type, std::string_view handler, const Exemplar& exemplar) noexcept;
  /// One for each bucket, the last one without an upper end; empty if there is none at all. May throw
  /// std::bad_alloc.
  [[nodiscard]] std::vector<std::optional<Exemplar>> of(std::string_view type,
                                                        std::string_view handler) const;

 private:
  using OfHandler = std::vector<std::optional<Exemplar>>;
  using OfType = std::map<std::string, OfHandler, std::less<>>;

  mutable tidings::detail::Mutex mutex_;
  std::map<std::string, OfType, std::less<>> types_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t handlers_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::telemetry
