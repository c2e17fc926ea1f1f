#pragma once

#include "threads/housekeeper.hpp"

#include <atomic>
#include <cstddef>

namespace tidings::detail {

/// How many deliveries are read back from the journal at once.
constexpr std::size_t kBacklogChunk = 256;

/// Asks the housekeeper to read back what the journal holds and memory has room for. Thread-safe.
class RefillSignal {
 public:
  explicit RefillSignal(Housekeeper& housekeeper) noexcept : housekeeper_(housekeeper) {}

  /// As soon as the housekeeper can.
  void request() {
    if (!wanted_.exchange(true)) housekeeper_.wake();
  }
  /// When the housekeeper is awake the next time.
  void request_quietly() noexcept { wanted_.store(true); }
  /// True: it was requested since the last call.
  [[nodiscard]] bool take() noexcept { return wanted_.exchange(false); }

 private:
  Housekeeper& housekeeper_;
  std::atomic<bool> wanted_{false};
};

}  // namespace tidings::detail
