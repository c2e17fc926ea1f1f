#include <tidings/telemetry/exemplars.hpp>

#include "metrics/buckets.hpp"

#include <algorithm>
#include <array>

namespace tidings::telemetry {

namespace {

std::size_t bucket_of(std::chrono::microseconds duration) noexcept {
  const auto bucket = std::find_if(kBuckets.begin(), kBuckets.end(),
                                   [&](const Bucket& each) { return duration <= each.bound; });
  return static_cast<std::size_t>(bucket - kBuckets.begin());
}

}  // namespace

void Exemplars::note(std::string_view type, std::string_view handler, const Exemplar& exemplar) noexcept {
  try {
    const tidings::detail::MutexLock lock(mutex_);
    auto of_type = types_.find(type);
    if (of_type == types_.end()) {
      if (handlers_ >= kMostHandlers) return;
      of_type = types_.emplace(type, OfType()).first;
    }
    auto found = of_type->second.find(handler);
    if (found == of_type->second.end()) {
      if (handlers_ >= kMostHandlers) return;
      found = of_type->second.emplace(handler, OfHandler(kBuckets.size() + 1)).first;
      ++handlers_;
    }
    found->second[bucket_of(exemplar.duration)] = exemplar;
  } catch (...) {
    return;  // no memory: the histogram is right without it
  }
}

std::vector<std::optional<Exemplar>> Exemplars::of(std::string_view type, std::string_view handler) const {
  const tidings::detail::MutexLock lock(mutex_);
  const auto of_type = types_.find(type);
  if (of_type == types_.end()) return {};
  const auto found = of_type->second.find(handler);
  return found != of_type->second.end() ? found->second : OfHandler();
}

}  // namespace tidings::telemetry
