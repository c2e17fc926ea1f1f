#include <tidings/detail/stored_event.hpp>

#include <atomic>
#include <cstddef>
#include <utility>

// Where queued events live. A publisher allocates each and a worker frees it, so that a general allocator's
// caches for each thread are of no use: both would take the lock of the same arena for every event, and a
// burst's memory would be given back to the system and fetched anew. Here blocks go round instead, in
// magazines (Bonwick and Adams, "Magazines and Vmem", USENIX 2001): each thread has up to two of each size,
// which it alone fills and empties, and goes to the depot that all share only to give a full one or to take
// one, once in kMagazine blocks.
//
// Bounded: kMostInDepot bytes in all wait in the depot, and two magazines of each size with a thread, until
// it ends. Nobody waits for the depot: when another thread is there, or one was at a fork, the allocator
// does. Sanitizers see every event as an allocation of its own.

namespace tidings::detail {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kUsedAgain = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kUsedAgain = false;
#else
constexpr bool kUsedAgain = true;
#endif
#else
constexpr bool kUsedAgain = true;
#endif

constexpr std::size_t kStep = 32;
constexpr std::size_t kLargest = 512;
constexpr std::size_t kSizes = kLargest / kStep;
constexpr std::size_t kMagazine = 64;
constexpr std::size_t kMostInDepot = std::size_t{16} << 20;

constexpr std::size_t index_of(std::size_t size) noexcept { return (size - 1) / kStep; }
constexpr std::size_t size_at(std::size_t index) noexcept { return (index + 1) * kStep; }

struct Block {
  Block* next = nullptr;
  /// Of a magazine's first block in the depot.
  Block* next_magazine = nullptr;
};

/// Full magazines of all sizes.
class Depot {
 public:
  /// The first block of kMagazine, or null.
  [[nodiscard]] Block* take(std::size_t index) noexcept {
    if (taken_.test_and_set(std::memory_order_acquire)) return nullptr;
    Block* const magazine = magazines_[index];
    if (magazine != nullptr) {
      magazines_[index] = magazine->next_magazine;
      bytes_ -= kMagazine * size_at(index);
    }
    taken_.clear(std::memory_order_release);
    return magazine;
  }

  /// False: there is no room, or no time.
  [[nodiscard]] bool give(Block* magazine, std::size_t index) noexcept {
    if (taken_.test_and_set(std::memory_order_acquire)) return false;
    const bool fits = bytes_ + kMagazine * size_at(index) <= kMostInDepot;
    if (fits) {
      magazine->next_magazine = std::exchange(magazines_[index], magazine);
      bytes_ += kMagazine * size_at(index);
    }
    taken_.clear(std::memory_order_release);
    return fits;
  }

 private:
  std::atomic_flag taken_;
  Block* magazines_[kSizes] = {};
  std::size_t bytes_ = 0;
};

constinit Depot depot;

void free_all(Block* blocks) noexcept {
  while (blocks != nullptr) ::operator delete(std::exchange(blocks, blocks->next));
}

/// What a thread has of one size.
struct Magazines {
  Block* current = nullptr;
  std::size_t in_current = 0;
  Block* full = nullptr;
};

thread_local constinit Magazines own[kSizes];
thread_local constinit bool thread_ends = false;

/// Frees them when the thread ends.
struct MagazineOwner {
  MagazineOwner() = default;
  MagazineOwner(const MagazineOwner&) = delete;
  MagazineOwner& operator=(const MagazineOwner&) = delete;
  ~MagazineOwner() {
    thread_ends = true;
    for (Magazines& magazines : own) {
      free_all(std::exchange(magazines.current, nullptr));
      free_all(std::exchange(magazines.full, nullptr));
    }
  }
};

/// Whether the calling thread still keeps blocks.
bool may_keep() {
  static thread_local MagazineOwner owner;
  static_cast<void>(owner);
  return !thread_ends;
}

/// The next block comes into the cache while this one is filled.
void fetch_ahead(const Block* block, std::size_t size) noexcept {
  constexpr std::size_t kCacheLine = 64;
  const auto* const bytes = reinterpret_cast<const char*>(block);
  for (std::size_t offset = 0; offset < size; offset += kCacheLine) __builtin_prefetch(bytes + offset, 1);
}

[[gnu::noinline]] bool refill(Magazines& magazines, std::size_t index) {
  if (!may_keep()) return false;
  magazines.current = magazines.full != nullptr ? std::exchange(magazines.full, nullptr) : depot.take(index);
  magazines.in_current = magazines.current != nullptr ? kMagazine : 0;
  return magazines.current != nullptr;
}

/// False: there is nowhere to keep another block.
[[gnu::noinline]] bool make_room(Magazines& magazines, std::size_t index) noexcept {
  if (!may_keep()) return false;
  if (magazines.current == nullptr) return true;
  if (magazines.full != nullptr && !depot.give(magazines.full, index)) return false;
  magazines.full = std::exchange(magazines.current, nullptr);
  magazines.in_current = 0;
  return true;
}

void* allocate_block(std::size_t index) {
  Magazines& magazines = own[index];
  if (magazines.current == nullptr && !refill(magazines, index)) [[unlikely]]
    return ::operator new(size_at(index));
  Block* const block = std::exchange(magazines.current, magazines.current->next);
  --magazines.in_current;
  if (magazines.current != nullptr) fetch_ahead(magazines.current, size_at(index));
  return block;
}

void free_block(void* memory, std::size_t index) noexcept {
  Magazines& magazines = own[index];
  const bool ready = magazines.current != nullptr && magazines.in_current < kMagazine;
  if (!ready && !make_room(magazines, index)) [[unlikely]]
    return ::operator delete(memory);
  magazines.current = ::new (memory) Block{magazines.current, nullptr};
  ++magazines.in_current;
}

}  // namespace

void* StoredEvent::operator new(std::size_t size) {
  return kUsedAgain && size <= kLargest ? allocate_block(index_of(size)) : ::operator new(size);
}

void StoredEvent::operator delete(void* memory, std::size_t size) noexcept {
  if (kUsedAgain && size <= kLargest) return free_block(memory, index_of(size));
  ::operator delete(memory);
}

void* StoredEvent::operator new(std::size_t size, std::align_val_t alignment) {
  return ::operator new(size, alignment);
}

void StoredEvent::operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  ::operator delete(memory, alignment);
}

}  // namespace tidings::detail
