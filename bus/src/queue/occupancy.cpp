#include "queue/occupancy.hpp"

namespace tidings::detail {

void Occupancy::release() noexcept {
  places_.give_back();
  // Whoever waits has counted itself before it looked at the places, so one of the two sees the other.
  if (waiting_for_room_.load() > 0) {
    notify_waiters();
  } else {
    notify_if_empty();
  }
}

void Occupancy::begin_redrive() noexcept {
  redrives_.fetch_add(1);
  redriving_.fetch_add(1);
}

void Occupancy::end_redrive() noexcept {
  redriving_.fetch_sub(1);
  notify_if_empty();
}

void Occupancy::set_backlog(bool there_is_more) {
  backlog_.store(there_is_more);
  notify_if_empty();
}

void Occupancy::notify_if_empty() noexcept {
  if (waiting_for_empty_.load() > 0 && empty()) notify_waiters();
}

void Occupancy::notify_waiters() {
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

void Occupancy::wait_for_room(std::uint64_t wakes) {
  waiting_for_room_.fetch_add(1);
  {
    const MutexLock lock(mutex_);
    while (!has_room() && wakes_.load() == wakes) changed_.wait(mutex_);
  }
  waiting_for_room_.fetch_sub(1);
}

void Occupancy::wake_publishers() {
  wakes_.fetch_add(1);
  notify_waiters();
}

bool Occupancy::wait_empty(std::chrono::steady_clock::time_point deadline) {
  waiting_for_empty_.fetch_add(1);
  bool in_time = true;
  bool was_empty = false;
  {
    const MutexLock lock(mutex_);
    // One look for each answer: a delivery that comes after the queue was empty does not make the answer
    // wrong.
    while (!(was_empty = empty()) && in_time) in_time = changed_.wait_until(mutex_, deadline);
  }
  waiting_for_empty_.fetch_sub(1);
  return was_empty;
}

}  // namespace tidings::detail
