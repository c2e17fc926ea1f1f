#include "record_limit.hpp"

#include <chrono>
#include <utility>

namespace tidings::detail {

namespace {
constexpr std::chrono::seconds kWindow{1};
/// Causes told apart at once; a storm with more of them is limited as one.
constexpr std::size_t kMaxWindows = 1024;
}  // namespace

void RecordLimit::begin(Window& window, Instant now) {
  window.began = now;
  window.admitted = 0;
  window.summary.held_back = 0;
}

bool RecordLimit::admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                        std::string_view event_id, Instant now) {
  const MutexLock lock(mutex_);
  const bool crowded = windows_.size() >= kMaxWindows;
  std::string key(record);
  if (!crowded) key.append("\n").append(fingerprint);
  Window& window = windows_[key];
  if (window.summary.record.empty()) {
    window.summary = {
        std::string(record), std::string(handler), crowded ? "" : std::string(fingerprint), 0, {}};
    window.began = now;
  }
  if (now - window.began >= kWindow) {
    if (window.summary.held_back > 0) finished_.push_back(window.summary);
    begin(window, now);
  }
  if (window.admitted < kPerSecond) {
    ++window.admitted;
    return true;
  }
  ++window.summary.held_back;
  window.summary.last_event_id = event_id;
  if (!due_) due_ = now + kWindow;
  return false;
}

std::vector<RecordLimit::Summary> RecordLimit::take_summaries(Instant now) {
  const MutexLock lock(mutex_);
  due_.reset();
  for (auto entry = windows_.begin(); entry != windows_.end();) {
    Window& window = entry->second;
    if (now - window.began < kWindow) {
      if (window.summary.held_back > 0) due_ = window.began + kWindow;
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
