#include "simulation/failing_allocation.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local constinit std::size_t allocations_left = 0;  // 0: none is to fail

void* allocated(std::size_t size, std::size_t alignment) {
  if (allocations_left != 0 && --allocations_left == 0) throw std::bad_alloc();
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    memory = std::malloc(size == 0 ? 1 : size);
  } else if (::posix_memalign(&memory, alignment, size) != 0) {
    memory = nullptr;
  }
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocated(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocated(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace tidings::simulation {

FailingAllocation::FailingAllocation(std::size_t nth) noexcept { allocations_left = nth; }
FailingAllocation::~FailingAllocation() { allocations_left = 0; }

}  // namespace tidings::simulation
