#include <tidings/detail/stored_event.hpp>

#include <atomic>
#include <cstddef>
#include <utility>

// Where queued events live. A publisher allocates each and a worker frees it, so that a general allocator's
// caches for each thread are of no use: both would take the lock of the same arena for every event, and a
// burst's memory would be given back to the system and fetched anew. Here blocks of one size go round
// instead: a worker puts a block on a shared stack, and a publisher that has none left takes the whole stack
// at once, which no other thread can confuse (there is no taking of single blocks from it, and so no ABA).
//
// Bounded: no more than kMostReturned blocks wait on the stack, and no more than that with each publishing
// thread. Sanitizers see every event as an allocation of its own.

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

/// Metadata take 328 bytes of it.
constexpr std::size_t kBlockSize = 512;
constexpr std::size_t kMostReturned = 4096;

struct Block {
  Block* next;
};

std::atomic<Block*> returned{nullptr};
/// About as many as there are in `returned`.
std::atomic<std::size_t> returned_count{0};

/// The calling thread's own.
thread_local constinit Block* blocks = nullptr;

/// Frees them when the thread ends.
struct BlockOwner {
  BlockOwner() = default;
  BlockOwner(const BlockOwner&) = delete;
  BlockOwner& operator=(const BlockOwner&) = delete;
  ~BlockOwner() {
    while (blocks != nullptr) ::operator delete(std::exchange(blocks, blocks->next));
  }
};

void* allocate_block() {
  if (blocks == nullptr) {
    static thread_local BlockOwner owner;
    static_cast<void>(owner);
    if (returned.load(std::memory_order_relaxed) == nullptr) return ::operator new(kBlockSize);
    returned_count.store(0, std::memory_order_relaxed);
    blocks = returned.exchange(nullptr, std::memory_order_acquire);
    if (blocks == nullptr) return ::operator new(kBlockSize);
  }
  return std::exchange(blocks, blocks->next);
}

void return_block(void* memory) noexcept {
  if (returned_count.load(std::memory_order_relaxed) >= kMostReturned) return ::operator delete(memory);
  returned_count.fetch_add(1, std::memory_order_relaxed);
  auto* const block = ::new (memory) Block{returned.load(std::memory_order_relaxed)};
  while (!returned.compare_exchange_weak(block->next, block, std::memory_order_release,
                                         std::memory_order_relaxed)) {
  }
}

}  // namespace

void* StoredEvent::operator new(std::size_t size) {
  return kUsedAgain && size <= kBlockSize ? allocate_block() : ::operator new(size);
}

void StoredEvent::operator delete(void* memory, std::size_t size) noexcept {
  if (kUsedAgain && size <= kBlockSize) return return_block(memory);
  ::operator delete(memory);
}

void* StoredEvent::operator new(std::size_t size, std::align_val_t alignment) {
  return ::operator new(size, alignment);
}

void StoredEvent::operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  ::operator delete(memory, alignment);
}

}  // namespace tidings::detail
