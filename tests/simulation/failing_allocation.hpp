#pragma once

#include <cstddef>

namespace tidings::simulation {

/// While it lives, the nth allocation of this thread fails; 0: none does.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::size_t nth) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
};

}  // namespace tidings::simulation
