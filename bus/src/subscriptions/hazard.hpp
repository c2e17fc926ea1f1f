#pragma once

#include "counting/count_cells.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

// How publish reads the subscriber lists without writing anything that another thread reads often, and how
// unsubscribe still knows when a handler runs nowhere. These are hazard pointers (Michael, "Hazard Pointers:
// Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 2004), with the reader's fence moved to the
// writer (membarrier(2)).
//
// Each thread owns a record with one slot for each level of nested dispatch. A slot says three things:
//   bus      which bus the thread is inside of
//   list     which subscriber list it is reading; that list, and all subscribers in it, may not be freed
//   running  which subscriber's handler it is running; that handler's captures may not be freed
//
// clang-format off
// Invariants, each tested by tests/bus/hazard_stress_test.cpp and tests/bus/unsubscribe_test.cpp:
//   1. A reader announces, then checks that the announced thing is still current. A writer makes it not
//      current, then looks at the announcements. A fence between the two steps on each side makes sure that at
//      least one sees the other.
//   2. Only the owning thread writes a slot; every thread may read it.
//   3. Records are never freed, only handed to the next thread that needs one. There are as many as there ever
//      were threads at once.
// clang-format on
//
// The reader's fence is a compiler barrier and the writer's is membarrier, which makes every other running
// thread of the process pass a full fence. Where the kernel has no membarrier both are full fences.
// ThreadSanitizer understands neither, so under it every announcement is a sequentially consistent store,
// which needs no fence and is what it checks.

namespace tidings::detail {

struct BusSetup;
class Subscriber;
struct SubscriberList;

struct HazardSlot {
  std::atomic<const BusSetup*> bus{nullptr};
  std::atomic<const SubscriberList*> list{nullptr};
  std::atomic<const Subscriber*> running{nullptr};
};

/// One thread's slots. The first levels of nesting are in the record itself; deeper ones in blocks that it
/// keeps.
class HazardRecord {
 public:
  static constexpr std::size_t kSlotsPerBlock = 8;
  struct Block {
    HazardSlot slots[kSlotsPerBlock];
    std::atomic<Block*> next{nullptr};
  };

  /// The slot for the owner's next level of nesting. Owner only.
  HazardSlot& push() {
    const std::size_t level = depth_;
    HazardSlot& slot = level < kSlotsPerBlock ? first_.slots[level] : deeper_slot(level);  // may throw
    ++depth_;
    return slot;
  }
  void pop() noexcept { --depth_; }
  [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
  /// 0, 1, 2 ... in the order in which records were made.
  [[nodiscard]] std::size_t ordinal() const noexcept { return ordinal_; }

  [[nodiscard]] const Block& first() const noexcept { return first_; }
  /// The owner's.
  [[nodiscard]] CountCells& cells() noexcept { return cells_; }
  [[nodiscard]] HazardRecord* next() const noexcept { return next_; }

 private:
  friend class HazardRegistry;
  HazardSlot& deeper_slot(std::size_t level);

  Block first_;
  std::size_t depth_ = 0;  // owner only
  CountCells cells_;
  std::atomic<bool> owned_{true};
  std::size_t ordinal_ = 0;       // constant once the record is listed
  HazardRecord* next_ = nullptr;  // constant once the record is listed
};

extern thread_local constinit HazardRecord* this_thread_record;

/// The calling thread's record, made or reused at its first call.
HazardRecord& acquire_thread_record();

inline HazardRecord& thread_record() {
  HazardRecord* const record = this_thread_record;
  return record != nullptr ? *record : acquire_thread_record();
}

/// Whether the calling thread is inside a publish or a handler of any bus.
inline bool inside_dispatch() noexcept {
  return this_thread_record != nullptr && this_thread_record->depth() > 0;
}

#if defined(__SANITIZE_THREAD__)
#define TIDINGS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TIDINGS_THREAD_SANITIZER 1
#endif
#endif

/// Whether membarrier works in this process. Written once, by choose_fence().
[[gnu::visibility("hidden")]] extern std::atomic<bool> has_membarrier;

/// Must be called before anything that hazards protect is made, so that readers and writers agree on their
/// fences. Idempotent.
void choose_fence() noexcept;

/// The reader's side of invariant 1: stores, and does not let any later load pass the store. `others_fence`
/// is has_membarrier, read beforehand.
template <class T>
inline void announce(std::atomic<const T*>& hazard, const T* value, bool others_fence) noexcept {
#if defined(TIDINGS_THREAD_SANITIZER)
  static_cast<void>(others_fence);
  hazard.store(value, std::memory_order_seq_cst);
#else
  hazard.store(value, std::memory_order_release);
  if (others_fence) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
#endif
}

/// The writer's side of invariant 1: to be called between the change and the look at the announcements.
void fence_all_threads() noexcept;

HazardRecord* first_record() noexcept;

/// Calls `visit(slot)` for every slot of every thread, until it returns true; returns whether it did.
template <class Visit>
bool any_slot(Visit visit) {
  for (const HazardRecord* record = first_record(); record != nullptr; record = record->next()) {
    for (const HazardRecord::Block* block = &record->first(); block != nullptr;
         block = block->next.load(std::memory_order_acquire)) {
      for (const HazardSlot& slot : block->slots) {
        if (visit(slot)) return true;
      }
    }
  }
  return false;
}

}  // namespace tidings::detail
