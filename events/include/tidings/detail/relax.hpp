#pragma once

namespace tidings::detail {

/// Tells the processor that this thread only waits for another one, and not for long.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace tidings::detail
