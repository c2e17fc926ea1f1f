#pragma once

#include <cstddef>

namespace tidings::detail {

inline constexpr std::size_t kCacheLine = 64;

/// Brings memory that will be read soon into the cache. It may have been freed meanwhile; null: does nothing.
inline void prefetch_to_read(const void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  const auto* const bytes = static_cast<const char*>(memory);
  for (std::size_t offset = 0; offset < size; offset += kCacheLine) __builtin_prefetch(bytes + offset);
}

/// The same for memory that will be written, which no other processor may have in its cache then.
inline void prefetch_to_write(const void* memory, std::size_t size) noexcept {
  const auto* const bytes = static_cast<const char*>(memory);
  for (std::size_t offset = 0; offset < size; offset += kCacheLine) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(bytes[offset]));  // GCC writes it only for processors it was told of
#else
    __builtin_prefetch(bytes + offset, 1);
#endif
  }
}

}  // namespace tidings::detail
