#pragma once

#include "subscriptions/hazard.hpp"

#include <tidings/journal.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidings::detail {

/// Says in a journal's crash slots what the calling thread runs, for as long as it lives. A bus without a
/// journal has no slots, and pays for the check only.
class RunningMark {
 public:
  static constexpr std::int64_t kNotJournalled = -1;

  RunningMark(std::span<CrashSlot> slots, std::int64_t journal_id, std::uint64_t handler) noexcept {
    if (slots.empty()) return;
    const HazardRecord& record = thread_record();
    const std::size_t place = record.ordinal() * HazardRecord::kSlotsPerBlock + record.depth() - 1;
    // The last slot stands for all that have none, and is never freed: nobody is alone any more.
    const bool fits = record.depth() <= HazardRecord::kSlotsPerBlock && place < slots.size() - 1;
    CrashSlot& slot = fits ? slots[place] : slots.back();
    slot.handler.store(handler, std::memory_order_relaxed);
    slot.thread.store(fits ? record.ordinal() : UINT64_MAX, std::memory_order_relaxed);
    slot.journal_id.store(fits ? journal_id : kNotJournalled, std::memory_order_release);
    if (fits) slot_ = &slot;
  }
  ~RunningMark() {
    if (slot_ != nullptr) slot_->journal_id.store(0, std::memory_order_release);
  }
  RunningMark(const RunningMark&) = delete;
  RunningMark& operator=(const RunningMark&) = delete;

 private:
  CrashSlot* slot_ = nullptr;
};

}  // namespace tidings::detail
