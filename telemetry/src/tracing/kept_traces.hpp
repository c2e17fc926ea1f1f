#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <cstddef>
#include <deque>
#include <map>
#include <vector>

namespace tidings::telemetry {

/// Traces that were not sampled, until something happens in them or they are forgotten. Thread-safe.
class KeptTraces {
 public:
  explicit KeptTraces(const KeepUnsampled& options) noexcept : options_(options) {}

  [[nodiscard]] bool on() const noexcept { return options_.spans > 0; }
  /// Takes a span of such a trace. `happened`: something did, in this span. Returns what is to be exported
  /// now: nothing, the span alone, or all of its trace. Throws std::bad_alloc: then the span is lost.
  [[nodiscard]] std::vector<SpanData> add(SpanData span, bool happened, Instant now) TIDINGS_EXCLUDES(mutex_);

 private:
  struct Trace {
    Instant began{};
    bool happened = false;
    std::vector<SpanData> spans = {};
  };

  void forget(Instant now) TIDINGS_REQUIRES(mutex_);
  void forget_oldest() TIDINGS_REQUIRES(mutex_);

  const KeepUnsampled options_;
  tidings::detail::Mutex mutex_;
  std::map<TraceId, Trace> traces_ TIDINGS_GUARDED_BY(mutex_);
  std::deque<TraceId> by_age_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t spans_ TIDINGS_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidings::telemetry
