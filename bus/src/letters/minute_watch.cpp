#include "letters/minute_watch.hpp"

#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <chrono>
#include <exception>

namespace tidings::detail {

namespace {

/// A kill costs what was counted since the last gathering, and what was gathered but waits: one second.
constexpr std::chrono::milliseconds kGatherEvery{900};
/// Group commits happen within half of this.
constexpr std::chrono::milliseconds kFlushAfter{100};
constexpr std::chrono::milliseconds kAgain{1000};
/// The rows that wait for a sink keep their minutes, and are no more than they must be.
constexpr std::chrono::milliseconds kGatherRefused{60'000};

}  // namespace

MinuteWatch::MinuteWatch(const BusSetup& setup, CounterBook& counts, BusLog& log)
    : setup_(setup),
      minutes_(setup.options.store ? setup.options.store->minutes() : nullptr),
      counts_(counts),
      log_(log) {}

void MinuteWatch::tick(Instant now) {
  if (minutes_ == nullptr) return;
  const MutexLock lock(mutex_);
  bool refused = false;
  if (flush_at_ && now >= *flush_at_) {
    refused = !keep();
    flush_at_ = refused ? std::optional(now + kAgain) : std::nullopt;
  }
  if (now < gather_at_) return;
  gather_at_ = now + (refused ? kGatherRefused : kGatherEvery);
  gather();
  if (rows_.empty() || refused) return;
  hand_over();
  if (!flush_at_) flush_at_ = now + kFlushAfter;
}

std::optional<Instant> MinuteWatch::due() const {
  const MutexLock lock(mutex_);
  return flush_at_;
}

void MinuteWatch::flush(When when) noexcept {
  if (minutes_ == nullptr) return;
  const MutexLock lock(mutex_);
  try {
    gather();
    hand_over();
    minutes_->flush();
    flush_at_.reset();
  } catch (const std::exception& error) {
    if (when == When::Last) log_.counters_lost(0, what_of(error));
  }
}

void MinuteWatch::gather() {
  if (rows_.size() >= kMostRows) return;
  counts_.gather(std::chrono::floor<std::chrono::minutes>(setup_.clock.now()), rows_);
  if (const std::uint64_t lost = counts_.take_lost())
    log_.counters_lost(lost, "there are too many event types and handlers, or not enough memory");
}

void MinuteWatch::hand_over() {
  minutes_->add(setup_.options.service, rows_);
  rows_.clear();
}

bool MinuteWatch::keep() {
  try {
    minutes_->flush();
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::DatabaseBusy) log_.housekeeping_failed(what_of(error));
    return false;
  }
}

}  // namespace tidings::detail
