#pragma once

#include <atomic>
#include <cstdint>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// Never zero. Written only by the handler that watch_forks() registers.
/// Hidden, as what writes it: each library or program that tidings is linked into has its own, one
/// instruction away instead of two, which each handler of a publish would pay for.
[[gnu::visibility("hidden")]] inline constinit std::atomic<std::uint64_t> fork_generation_counter{1};

/// A number that differs between a process and its forked children: code that keeps it can detect later that
/// it runs in a child. One relaxed load. Has no meaning before watch_forks() was called.
[[nodiscard]] inline std::uint64_t fork_generation() noexcept {
  return fork_generation_counter.load(std::memory_order_relaxed);
}

/// Makes sure that forked children get a generation of their own. Idempotent and thread-safe. Throws
/// std::bad_alloc.
[[gnu::visibility("hidden")]] void watch_forks();

}  // namespace tidings::detail
