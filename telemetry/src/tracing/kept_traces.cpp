#include "tracing/kept_traces.hpp"

#include <utility>

namespace tidings::telemetry {

std::vector<SpanData> KeptTraces::add(SpanData span, bool happened, Instant now) {
  const tidings::detail::MutexLock lock(mutex_);
  forget(now);
  const TraceId id = span.context.trace_id;
  auto found = traces_.find(id);
  if (found == traces_.end()) {
    by_age_.push_back(id);
    try {
      found = traces_.emplace(id, Trace{.began = now}).first;
    } catch (...) {
      by_age_.pop_back();
      throw;
    }
  }
  Trace& trace = found->second;
  trace.spans.push_back(std::move(span));
  ++spans_;
  trace.happened = trace.happened || happened;
  if (trace.happened) {
    spans_ -= trace.spans.size();
    return std::exchange(trace.spans, {});
  }
  while (spans_ > options_.spans || traces_.size() > options_.spans) forget_oldest();
  return {};
}

void KeptTraces::forget(Instant now) {
  while (!by_age_.empty() && now - traces_.at(by_age_.front()).began > options_.time) forget_oldest();
}

void KeptTraces::forget_oldest() {
  const auto oldest = traces_.find(by_age_.front());
  spans_ -= oldest->second.spans.size();
  traces_.erase(oldest);
  by_age_.pop_front();
}

}  // namespace tidings::telemetry
