#include "memory/failing_new.hpp"

#include <dlfcn.h>
#include <execinfo.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string_view>

namespace {

std::atomic<bool> scarce{false};
std::atomic<bool> of_caller{false};
std::atomic<std::uint64_t> seen{0};
std::atomic<std::uint64_t> first{0};
std::atomic<std::uint64_t> last{0};
thread_local constinit bool is_caller = false;
thread_local constinit int exempt = 0;
thread_local constinit std::uint64_t bytes = 0;

/// Whether a destructor of nlohmann's asks: json_value::destroy() takes a stack to be without recursion.
bool asked_by_json_destructor() {
  std::array<void*, 12> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int index = 0; index < count; ++index) {
    Dl_info info{};
    if (::dladdr(frames[static_cast<std::size_t>(index)], &info) == 0 || info.dli_sname == nullptr) continue;
    const std::string_view name = info.dli_sname;
    if (name.find("json_value7destroy") != std::string_view::npos) return true;
  }
  return false;
}

bool is_to_fail() {
  if (!scarce.load(std::memory_order_relaxed) || exempt > 0 || of_caller.load() != is_caller) return false;
  const std::uint64_t number = seen.fetch_add(1) + 1;
  if (number < first.load() || number > last.load()) return false;
  ++exempt;  // backtrace() may allocate at its first call
  const bool excused = asked_by_json_destructor();
  --exempt;
  return !excused;
}

void* allocate(std::size_t size) {
  if (is_to_fail()) throw std::bad_alloc();
  bytes += size;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// The array forms of the standard library call these. So would its nothrow form, but AddressSanitizer's own
// does not.

void* operator new(std::size_t size) { return allocate(size); }

void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return is_to_fail() ? nullptr : std::malloc(size == 0 ? 1 : size);
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  if (is_to_fail()) throw std::bad_alloc();
  const auto step = static_cast<std::size_t>(alignment);
  if (void* const memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace tidings::memory {

ScarceMemory::ScarceMemory(Whose whose, std::uint64_t nth, std::uint64_t burst) {
  is_caller = true;
  of_caller.store(whose == Whose::Caller);
  seen.store(0);
  first.store(nth);
  last.store(nth + burst - 1);
  scarce.store(true);
}

ScarceMemory::~ScarceMemory() {
  scarce.store(false);
  is_caller = false;
}

bool ScarceMemory::was_reached() const noexcept { return seen.load() >= first.load(); }

std::uint64_t allocated_bytes() noexcept { return bytes; }

Plenty::Plenty() noexcept { ++exempt; }
Plenty::~Plenty() { --exempt; }

}  // namespace tidings::memory

/// nlohmann's converting constructor loses what to_json had made of the object when that throws: see
/// docs/testing.md. Read by LeakSanitizer, in builds with AddressSanitizer.
extern "C" const char* __lsan_default_suppressions() { return "leak:basic_json<tidings::memory::"; }
