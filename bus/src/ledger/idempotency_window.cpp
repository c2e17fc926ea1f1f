#include "ledger/idempotency_window.hpp"

#include <algorithm>
#include <cstddef>

namespace tidings::detail {
namespace {

/// By how much two readings may differ, or a clock be slewed, without counting as a jump.
constexpr std::chrono::seconds kSlack{1};
/// If a clock jumps more often, the last stretch takes in all further jumps.
constexpr std::size_t kMostStretches = 32;

std::chrono::microseconds offset_of(Timestamp wall, Instant now) {
  return wall.time_since_epoch() -
         std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
}

}  // namespace

IdempotencyWindow::IdempotencyWindow(std::chrono::hours window, const Clock& clock)
    : clock_(clock), window_(window), began_(clock.monotonic_now()) {
  const Offset offset = offset_of(clock.now(), began_);
  stretches_.push_back({began_, offset, offset});
}

KeyPeriod IdempotencyWindow::ending_with(Timestamp used_at) {
  const Instant now = clock_.monotonic_now();
  const MutexLock lock(mutex_);
  note(offset_of(used_at, now), now);
  Offset least = stretches_.front().least;
  Offset most = stretches_.front().most;
  for (const Stretch& stretch : stretches_) {
    least = std::min(least, stretch.least);
    most = std::max(most, stretch.most);
  }
  const auto today = std::chrono::time_point_cast<std::chrono::microseconds>(now).time_since_epoch();
  KeyPeriod period;
  period.from = Timestamp(today + least - window_);
  if (now - began_ > window_) period.to = Timestamp(today + most);
  return period;
}

void IdempotencyWindow::note(Offset offset, Instant now) {
  Stretch& last = stretches_.back();
  last.until = std::max(last.until, now);  // also when the clock has jumped since: nobody knows when
  const bool jumped = std::max(last.most, offset) - std::min(last.least, offset) > kSlack;
  if (jumped && stretches_.size() < kMostStretches) {
    stretches_.push_back({now, offset, offset});
  } else {
    last.least = std::min(last.least, offset);
    last.most = std::max(last.most, offset);
  }
  const auto in_window = [&](const Stretch& stretch) { return now - stretch.until <= window_; };
  stretches_.erase(stretches_.begin(), std::find_if(stretches_.begin(), stretches_.end(), in_window));
}

}  // namespace tidings::detail
