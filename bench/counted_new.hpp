#pragma once

#include <cstdint>

namespace tidings::bench {

/// Counts what is allocated by `operator new`, on any thread, while it lives. One at a time. The rest of the
/// time the replaced operator costs one read of a flag.
class AllocationCount {
 public:
  AllocationCount() noexcept;
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  [[nodiscard]] std::uint64_t so_far() const noexcept;
};

}  // namespace tidings::bench
