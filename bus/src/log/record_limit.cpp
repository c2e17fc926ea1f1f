#include "log/record_limit.hpp"

#include <algorithm>
#include <utility>

namespace tidings::detail {

namespace {
/// How many causes have a limit of their own at once; those beyond share one.
constexpr std::size_t kMaxWindows = 1024;
constexpr std::chrono::seconds kClearEvery{1};
}  // namespace

void RecordLimit::begin(Window& window, Instant now) {
  window.began = now;
  window.admitted = 0;
  window.summary.held_back = 0;
}

bool RecordLimit::crowded(Instant now) {
  if (windows_.size() < kMaxWindows) return false;
  if (now - cleared_ < kClearEvery) return true;
  cleared_ = now;
  std::erase_if(windows_, [&](const auto& entry) {
    return entry.second.is_over(now) && entry.second.summary.held_back == 0;
  });
  return windows_.size() >= kMaxWindows;
}

bool RecordLimit::admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                        std::string_view event_id, Instant now, RecordRate rate) {
  const MutexLock lock(mutex_);
  const bool as_one = crowded(now);
  std::string key(record);
  if (!as_one) key.append("\n").append(fingerprint);
  Window& window = windows_[key];
  if (window.summary.record.empty()) {
    window.summary = {
        std::string(record), std::string(handler), as_one ? "" : std::string(fingerprint), 0, {}};
    window.began = now;
    window.rate = rate;
  }
  if (window.is_over(now)) {
    if (window.summary.held_back > 0) finished_.push_back(window.summary);
    begin(window, now);
  }
  if (window.admitted < window.rate.records) {
    ++window.admitted;
    return true;
  }
  ++window.summary.held_back;
  window.summary.last_event_id = event_id;
  const Instant over = window.began + window.rate.within;
  due_ = due_ ? std::min(*due_, over) : over;
  return false;
}

std::vector<RecordLimit::Summary> RecordLimit::take_summaries(Instant now) {
  const MutexLock lock(mutex_);
  due_.reset();
  for (auto entry = windows_.begin(); entry != windows_.end();) {
    Window& window = entry->second;
    if (!window.is_over(now)) {
      const Instant over = window.began + window.rate.within;
      if (window.summary.held_back > 0) due_ = due_ ? std::min(*due_, over) : over;
      ++entry;
      continue;
    }
    if (window.summary.held_back > 0) finished_.push_back(std::move(window.summary));
    entry = windows_.erase(entry);
  }
  return std::exchange(finished_, {});
}

std::optional<Instant> RecordLimit::due() const {
  const MutexLock lock(mutex_);
  return due_;
}

}  // namespace tidings::detail
