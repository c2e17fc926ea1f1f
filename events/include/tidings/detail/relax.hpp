#pragma once

namespace tidings::detail {

/// Tells the processor that this thread spins for a short time, waiting for another one.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace tidings::detail
