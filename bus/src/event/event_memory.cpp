#include "event/prefetch.hpp"

#include <tidings/detail/stored_event.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

// Where queued events live. A publisher allocates each and a worker frees it, so that a general allocator's
// caches for each thread are of no use: both would take the lock of the same arena for every event, and a
// burst's memory would be given back to the system and fetched again. Here blocks go round instead, in
// magazines (Bonwick and Adams, "Magazines and Vmem", USENIX 2001): each thread has up to two of each size,
// which it alone fills and empties, and goes to the depot that all share only to change a full one for an
// empty one, or the other way round, once in Magazine::kRounds blocks.
//
// Bounded: full magazines of kMostInDepot bytes in all wait in the depot, and empty ones of a twentieth of
// that; two of each size with a thread, until it ends. Nobody waits for the depot: when another thread is
// there, or one was at a fork, the allocator does. Sanitizers see every event as an allocation of its own.

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

/// Blocks share no cache line with one another: one may be filled while its neighbour is freed.
constexpr std::size_t kStep = kCacheLine;
constexpr std::align_val_t kAlignment{kStep};
constexpr std::size_t kLargest = 512;
constexpr std::size_t kSizes = kLargest / kStep;
constexpr std::size_t kMostInDepot = std::size_t{16} << 20;

constexpr std::size_t index_of(std::size_t size) noexcept { return (size - 1) / kStep; }
constexpr std::size_t size_at(std::size_t index) noexcept { return (index + 1) * kStep; }

/// Blocks of one size. Beside the blocks, not within them: what has been freed by one processor is not
/// touched until another one fills it, and which blocks come next is known without looking at one.
struct Magazine {
  static constexpr std::size_t kRounds = 64;

  Magazine* next = nullptr;  // in the depot
  std::size_t count = 0;
  void* blocks[kRounds];

  [[nodiscard]] bool is_empty() const noexcept { return count == 0; }
  [[nodiscard]] bool is_full() const noexcept { return count == kRounds; }
};

Magazine* pop(Magazine*& list) noexcept {
  Magazine* const first = list;
  if (first != nullptr) list = first->next;
  return first;
}

void push(Magazine*& list, Magazine* magazine) noexcept {
  magazine->next = list;
  list = magazine;
}

/// Magazines that no thread has.
class Depot {
 public:
  /// A full one for an empty one, which may be null. False: there is none, or no time.
  [[nodiscard]] bool exchange_for_full(Magazine*& magazine, std::size_t index) noexcept {
    if (taken_.test_and_set(std::memory_order_acquire)) return false;
    Magazine* const full = pop(full_[index]);
    if (full != nullptr) {
      bytes_ -= bytes_of(index);
      if (magazine != nullptr) push(empty_, magazine);
      magazine = full;
    }
    taken_.clear(std::memory_order_release);
    return full != nullptr;
  }

  /// An empty one for a full one, which may be null; null then if there is none. False: there is no room, or
  /// no time.
  [[nodiscard]] bool exchange_for_empty(Magazine*& magazine, std::size_t index) noexcept {
    if (taken_.test_and_set(std::memory_order_acquire)) return false;
    const bool fits = magazine == nullptr || bytes_ + bytes_of(index) <= kMostInDepot;
    if (fits) {
      if (magazine != nullptr) {
        push(full_[index], magazine);
        bytes_ += bytes_of(index);
      }
      magazine = pop(empty_);
    }
    taken_.clear(std::memory_order_release);
    return fits;
  }

 private:
  static constexpr std::size_t kAddedByMalloc = 16;  // to each block
  static constexpr std::size_t bytes_of(std::size_t index) noexcept {
    return sizeof(Magazine) + Magazine::kRounds * (size_at(index) + kAddedByMalloc);
  }

  std::atomic_flag taken_;
  Magazine* full_[kSizes] = {};
  Magazine* empty_ = nullptr;
  std::size_t bytes_ = 0;
};

constinit Depot depot;

/// What a thread has of one size: the one that it takes from and gives to, and another, full or empty.
struct Magazines {
  Magazine* loaded = nullptr;
  Magazine* previous = nullptr;
};

thread_local constinit Magazines own[kSizes];
thread_local constinit bool thread_ends = false;

void free_all(Magazine* magazine) noexcept {
  if (magazine == nullptr) return;
  while (!magazine->is_empty()) ::operator delete(magazine->blocks[--magazine->count], kAlignment);
  delete magazine;
}

/// Frees them when the thread ends.
struct MagazineOwner {
  MagazineOwner() = default;
  MagazineOwner(const MagazineOwner&) = delete;
  MagazineOwner& operator=(const MagazineOwner&) = delete;
  ~MagazineOwner() {
    thread_ends = true;
    for (Magazines& magazines : own) {
      free_all(std::exchange(magazines.loaded, nullptr));
      free_all(std::exchange(magazines.previous, nullptr));
    }
  }
};

/// Whether the calling thread still keeps blocks.
bool may_keep() {
  static thread_local MagazineOwner owner;
  static_cast<void>(owner);
  return !thread_ends;
}

/// Blocks come into the cache so long before they are filled: the processor that freed them has them in its
/// own.
constexpr std::size_t kFetchedAhead = 4;

/// False: there are no blocks for this thread.
[[gnu::noinline]] bool load_full(Magazines& magazines, std::size_t index) {
  if (!may_keep()) return false;
  std::swap(magazines.loaded, magazines.previous);
  if (magazines.loaded == nullptr || magazines.loaded->is_empty()) {
    if (!depot.exchange_for_full(magazines.loaded, index)) return false;
  }
  for (std::size_t ahead = 1; ahead <= std::min(kFetchedAhead, magazines.loaded->count); ++ahead)
    prefetch_to_write(magazines.loaded->blocks[magazines.loaded->count - ahead], size_at(index));
  return true;
}

/// False: there is nowhere to keep another block.
[[gnu::noinline]] bool load_empty(Magazines& magazines, std::size_t index) noexcept {
  if (!may_keep()) return false;
  std::swap(magazines.loaded, magazines.previous);
  if (magazines.loaded != nullptr && !magazines.loaded->is_full()) return true;
  if (!depot.exchange_for_empty(magazines.loaded, index)) return false;
  if (magazines.loaded == nullptr) magazines.loaded = new (std::nothrow) Magazine;
  return magazines.loaded != nullptr;
}

void* allocate_block(std::size_t index) {
  Magazines& magazines = own[index];
  const bool ready = magazines.loaded != nullptr && !magazines.loaded->is_empty();
  if (!ready && !load_full(magazines, index)) [[unlikely]]
    return ::operator new(size_at(index), kAlignment);
  Magazine& magazine = *magazines.loaded;
  void* const block = magazine.blocks[--magazine.count];
  if (magazine.count >= kFetchedAhead)
    prefetch_to_write(magazine.blocks[magazine.count - kFetchedAhead], size_at(index));
  return block;
}

void free_block(void* memory, std::size_t index) noexcept {
  Magazines& magazines = own[index];
  const bool ready = magazines.loaded != nullptr && !magazines.loaded->is_full();
  if (!ready && !load_empty(magazines, index)) [[unlikely]]
    return ::operator delete(memory, kAlignment);
  magazines.loaded->blocks[magazines.loaded->count++] = memory;
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
