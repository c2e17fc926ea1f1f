#pragma once

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

// What happens when memory is short. Until an event is accepted, std::bad_alloc goes to the caller and
// nothing was delivered. From then on there is no caller to report to: an allocation is repeated until it
// succeeds, so that the bookkeeping of a delivery never ends half-way. Not for users.

namespace tidings::detail {

/// The waits between tries. The first ones are very short, for shortages that end at once; later ones leave
/// the processor to threads that free memory.
class Patience {
 public:
  void wait() noexcept {
    if (++tries_ <= kAtOnce) {
      std::this_thread::yield();
      return;
    }
    std::this_thread::sleep_for(pause_);
    waited_ += pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
  /// Whether memory has been short for so long that work that may need a large amount must be given up.
  [[nodiscard]] bool is_over() const noexcept { return waited_ >= kPatience; }

 private:
  static constexpr int kAtOnce = 64;
  static constexpr std::chrono::milliseconds kLongestPause{100};
  static constexpr std::chrono::milliseconds kPatience{1000};

  int tries_ = 0;
  std::chrono::milliseconds pause_{1};
  std::chrono::milliseconds waited_{0};
};

/// How soon a thread with other work returns to work that failed for lack of memory. The shortage may be
/// short.
inline constexpr std::chrono::milliseconds kAgainWithoutMemory{10};

/// Repeats `work` until it does not throw std::bad_alloc. When it throws, `work` must have changed nothing,
/// like push_back() of a standard container, which moves its argument only after it has allocated. Only for
/// small allocations without which nothing else can go on.
template <class Work>
auto patiently(Work work) -> decltype(work()) {
  for (Patience patience;; patience.wait()) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
    }
  }
}

/// The same for user code and for allocations as large as an event: throws std::bad_alloc if memory stays
/// short.
template <class Work>
auto with_some_patience(Work work) -> decltype(work()) {
  for (Patience patience;; patience.wait()) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      if (patience.is_over()) throw;
    }
  }
}

}  // namespace tidings::detail
