#include "subscriptions/retirement.hpp"

#include "subscriptions/hazard.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>

namespace tidings::detail {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds kTellEvery{5};

}  // namespace

bool is_running(const Subscriber& subscriber) {
  return any_slot(
      [&](const HazardSlot& slot) { return slot.running.load(std::memory_order_seq_cst) == &subscriber; });
}

const std::thread::id* Retirement::freed_by(const Subscriber& subscriber) const noexcept {
  const auto found = std::find_if(freeing_.begin(), freeing_.end(),
                                  [&](const auto& each) { return each.first == &subscriber; });
  return found == freeing_.end() ? nullptr : &found->second;
}

/// False: another thread frees them, or has.
bool Retirement::begin_freeing(const Subscriber& subscriber) noexcept {
  const MutexLock lock(mutex_);
  if (subscriber.freed.load() || freed_by(subscriber) != nullptr) return false;
  patiently([&] {
    mutex_.assert_held();
    freeing_.emplace_back(&subscriber, std::this_thread::get_id());
  });
  return true;
}

void Retirement::free_if_idle(Subscriber& subscriber) noexcept {
  fence_all_threads();
  if (is_running(subscriber) || !begin_freeing(subscriber)) return;
  {
    const Subscriber::UserCode code = subscriber.take_user_code();
    // May run the user's destructors: no lock is held.
  }
  const MutexLock lock(mutex_);
  subscriber.freed.store(true);
  std::erase_if(freeing_, [&](const auto& each) { return each.first == &subscriber; });
  changed_.notify_all();
}

/// Whether this thread is inside a destructor of the captures: a handler may own its own Subscription.
bool Retirement::is_freed_here(const Subscriber& subscriber) const noexcept {
  const MutexLock lock(mutex_);
  const std::thread::id* const by = freed_by(subscriber);
  return by != nullptr && *by == std::this_thread::get_id();
}

void Retirement::wait_until_freed(Subscriber& subscriber, std::optional<SteadyTime> deadline) noexcept {
  const SteadyTime began = std::chrono::steady_clock::now();
  SteadyTime tell_at = began + kTellEvery;
  free_if_idle(subscriber);
  while (!subscriber.freed.load() && !is_freed_here(subscriber)) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (deadline && now >= *deadline) return;
    if (now >= tell_at) {
      waiting_(subscriber.identity, std::chrono::duration_cast<std::chrono::seconds>(now - began));
      tell_at += kTellEvery;
    }
    {
      const MutexLock lock(mutex_);
      // A run that we see here will see Closed when it leaves, and free the captures unless another runs
      // still; whoever frees them notifies.
      const bool notified_later = is_running(subscriber) || freed_by(subscriber) != nullptr;
      if (notified_later && !subscriber.freed.load())
        changed_.wait_until(mutex_, deadline ? std::min(*deadline, tell_at) : tell_at);
    }
    free_if_idle(subscriber);
  }
}

}  // namespace tidings::detail
