#pragma once

#include "subscriptions/hazard.hpp"
#include "subscriptions/subscriber.hpp"

#include <atomic>

namespace tidings::detail {

/// One level of dispatch on the calling thread: protects the subscriber list it reads and announces whose
/// handler it runs.
class DispatchGuard {
 public:
  explicit DispatchGuard(const BusSetup& bus)
      : record_(thread_record()),
        slot_(record_.push()),
        others_fence_(has_membarrier.load(std::memory_order_relaxed)) {
    slot_.bus.store(&bus, std::memory_order_relaxed);
  }
  ~DispatchGuard() {
    // Set still only when an exception (no memory) has left a run: nobody may wait for it for ever.
    if (slot_.running.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
      slot_.running.store(nullptr, std::memory_order_release);
    }
    slot_.list.store(nullptr, std::memory_order_release);
    record_.pop();
  }
  DispatchGuard(const DispatchGuard&) = delete;
  DispatchGuard& operator=(const DispatchGuard&) = delete;

  /// The current list, which stays valid until the guard is destroyed or protects another.
  [[nodiscard]] const SubscriberList& protect(const std::atomic<const SubscriberList*>& current) {
    const SubscriberList* list = current.load(std::memory_order_acquire);
    for (;;) {
      announce(slot_.list, list, others_fence_);
      const SubscriberList* const again = current.load(std::memory_order_seq_cst);
      if (again == list) return *list;
      list = again;
    }
  }

  /// Counts a publish through the list. False: it is not counted, and count_by_call() is to do that.
  [[nodiscard]] bool count(const SubscriberList& list) noexcept {
    return record_.cells().add(list.cell, list.step);
  }
  /// Returns whether the publish's deliveries are to be timed. Only for lists that have a count.
  [[nodiscard]] bool count_by_call(const SubscriberList& list) noexcept {
    return list.count->add(record_.cells());
  }

  /// Whether the subscriber's handler may be run now; if so leave() must follow. With `OthersFence`, the
  /// thread that reads the announcements is known to do the fencing (membarrier).
  template <bool OthersFence = false>
  [[nodiscard]] bool enter(const Subscriber& subscriber) {
    announce(slot_.running, &subscriber, OthersFence || others_fence_);
    if (subscriber.state.load(std::memory_order_seq_cst) != SubscriberState::Closed) [[likely]]
      return true;
    slot_.running.store(nullptr, std::memory_order_release);
    return false;
  }
  /// True if the subscriber was closed meanwhile: whoever closes it may be waiting for this.
  template <bool OthersFence = false>
  [[nodiscard]] bool leave(const Subscriber& subscriber) {
    announce<Subscriber>(slot_.running, nullptr, OthersFence || others_fence_);
    return subscriber.state.load(std::memory_order_seq_cst) == SubscriberState::Closed;
  }

 private:
  HazardRecord& record_;
  HazardSlot& slot_;
  const bool others_fence_;
};

}  // namespace tidings::detail
