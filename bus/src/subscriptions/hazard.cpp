#include "subscriptions/hazard.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tidings::detail {

thread_local constinit HazardRecord* this_thread_record = nullptr;
std::atomic<bool> has_membarrier{false};

namespace {

std::atomic<HazardRecord*> records{nullptr};

long membarrier(int command) noexcept { return syscall(__NR_membarrier, command, 0U, 0); }

bool register_membarrier() noexcept { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }

}  // namespace

void choose_fence() noexcept {
  [[maybe_unused]] static const bool chosen = [] {
    has_membarrier.store(register_membarrier(), std::memory_order_relaxed);
    return true;
  }();
}

/// Hands records out and takes them back.
class HazardRegistry {
 public:
  static HazardRecord& acquire() {
    for (HazardRecord* record = records.load(std::memory_order_acquire); record != nullptr;
         record = record->next_) {
      bool free = false;
      if (record->owned_.compare_exchange_strong(free, true, std::memory_order_acquire)) return *record;
    }
    return append();
  }

  static void release(HazardRecord& record) noexcept {
    record.owned_.store(false, std::memory_order_release);
  }

 private:
  static HazardRecord& append() {
    static std::atomic<std::size_t> made{0};
    auto* const record = new HazardRecord;
    record->ordinal_ = made.fetch_add(1);
    record->next_ = records.load(std::memory_order_relaxed);
    while (!records.compare_exchange_weak(record->next_, record, std::memory_order_release)) {
    }
    return *record;
  }
};

namespace {

/// Gives the record back when its thread ends.
struct RecordOwner {
  RecordOwner() = default;
  RecordOwner(const RecordOwner&) = delete;
  RecordOwner& operator=(const RecordOwner&) = delete;
  ~RecordOwner() {
    if (this_thread_record != nullptr) HazardRegistry::release(*this_thread_record);
    this_thread_record = nullptr;
  }
};

}  // namespace

HazardSlot& HazardRecord::deeper_slot(std::size_t level) {
  Block* block = &first_;
  for (std::size_t skip = level / kSlotsPerBlock; skip > 0; --skip) {
    Block* next = block->next.load(std::memory_order_relaxed);
    if (next == nullptr) {
      next = new Block;
      block->next.store(next, std::memory_order_release);
    }
    block = next;
  }
  return block->slots[level % kSlotsPerBlock];
}

HazardRecord& acquire_thread_record() {
  static thread_local RecordOwner owner;
  static_cast<void>(owner);
  this_thread_record = &HazardRegistry::acquire();
  return *this_thread_record;
}

HazardRecord* first_record() noexcept { return records.load(std::memory_order_acquire); }

void fence_all_threads() noexcept {
#if !defined(TIDINGS_THREAD_SANITIZER)
  if (has_membarrier.load(std::memory_order_relaxed)) {
    // A forked child may have lost the registration; it has one thread then, and registering again is enough.
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return;
    if (register_membarrier() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return;
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace tidings::detail
