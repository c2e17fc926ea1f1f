#pragma once

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

// What happens when memory is short. Until an event is accepted, std::bad_alloc goes to the caller and
// nothing was delivered. From then on nobody could be told: what still needs memory is tried again until it
// has it, so that the bookkeeping of a delivery never ends half-way. Not for users.

namespace tidings::detail {

/// The waits between tries: the first cost next to nothing, for failures that are over at once; later ones
/// leave the processor to whoever frees memory.
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
  /// Whether memory has been short for so long that work that may need very much of it is to be given up.
  [[nodiscard]] bool is_over() const noexcept { return waited_ >= kPatience; }

 private:
  static constexpr int kAtOnce = 64;
  static constexpr std::chrono::milliseconds kLongestPause{100};
  static constexpr std::chrono::milliseconds kPatience{1000};

  int tries_ = 0;
  std::chrono::milliseconds pause_{1};
  std::chrono::milliseconds waited_{0};
};

/// When a thread that has more to do comes back to what had no memory: that may be over at once.
inline constexpr std::chrono::milliseconds kAgainWithoutMemory{10};

/// Runs `work` until it has the memory that it needs. When `work` throws std::bad_alloc, it must have changed
/// nothing: as push_back() of a standard container, which moves its argument once it has the memory. For
/// small things: without them nothing else goes on either.
template <class Work>
auto patiently(Work work) -> decltype(work()) {
  for (Patience patience;; patience.wait()) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
    }
  }
}

/// The same for what the user's code does, or what is as large as an event: throws std::bad_alloc when memory
/// stays short.
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
