#pragma once

#include <atomic>
#include <cstdint>

namespace tidings::memory {

/// Whose allocations fail.
enum class Whose : std::uint8_t {
  Caller,  ///< The thread that made the ScarceMemory.
  Others,  ///< All other threads: a bus's workers and its housekeeper.
};

/// While it lives, `operator new` throws std::bad_alloc at some of the allocations of those threads: at the
/// `nth` and the `burst - 1` that follow it. One at a time.
///
/// What nlohmann's destructors allocate never fails: they are noexcept, and end the process
/// (docs/semantics.md).
class ScarceMemory {
 public:
  ScarceMemory(Whose whose, std::uint64_t nth, std::uint64_t burst);
  ~ScarceMemory();
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;

  /// Whether there was an `nth`: it has failed, or was excused.
  [[nodiscard]] bool was_reached() const noexcept;
};

/// What the calling thread has asked of `operator new`, all sizes together.
[[nodiscard]] std::uint64_t allocated_bytes() noexcept;

/// Lifts the shortage for the calling thread: for what a test does itself.
class Plenty {
 public:
  Plenty() noexcept;
  ~Plenty();
  Plenty(const Plenty&) = delete;
  Plenty& operator=(const Plenty&) = delete;
};

}  // namespace tidings::memory
