#include "counting/count_cells.hpp"

#include <tidings/detail/mutex.hpp>

#include <algorithm>
#include <functional>
#include <new>
#include <vector>

namespace tidings::detail {

namespace {

std::atomic<CountCells*> all_cells{nullptr};

/// The numbers that are not given out, of those below `next`.
struct CellNumbers {
  Mutex mutex;
  std::vector<std::uint32_t> free TIDINGS_GUARDED_BY(mutex);  // a heap, the lowest in front
  std::uint32_t next TIDINGS_GUARDED_BY(mutex) = CountCells::kFirst;
};

/// Never destroyed: a bus may be, after all else.
CellNumbers& cell_numbers() {
  static CellNumbers& numbers = *new CellNumbers;
  return numbers;
}

}  // namespace

CountCells::CountCells() noexcept {
  near_[kUncounted].store(1, std::memory_order_relaxed);
  next_ = all_cells.load(std::memory_order_relaxed);
  while (!all_cells.compare_exchange_weak(next_, this, std::memory_order_release)) {
  }
}

CountCells::Cell* CountCells::find(std::uint32_t number) noexcept {
  if (number < kNear) return &near_[number];
  Block* block = far_.load(std::memory_order_acquire);
  for (std::uint32_t skip = number / kNear - 1; block != nullptr && skip > 0; --skip)
    block = block->next.load(std::memory_order_acquire);
  return block == nullptr ? nullptr : &block->cells[number % kNear];
}

CountCells::Cell* CountCells::own_cell(std::uint32_t number) noexcept {
  std::atomic<Block*>* place = &far_;
  for (std::uint32_t blocks = number / kNear; blocks > 0; --blocks) {
    Block* block = place->load(std::memory_order_relaxed);
    if (block == nullptr) {
      block = new (std::nothrow) Block;
      if (block == nullptr) return nullptr;
      place->store(block, std::memory_order_release);
    }
    place = &block->next;
  }
  return find(number);
}

std::uint64_t CountCells::sum(std::uint32_t number) noexcept {
  std::uint64_t all = 0;
  for (CountCells* cells = all_cells.load(std::memory_order_acquire); cells != nullptr;
       cells = cells->next_) {
    const Cell* const cell = cells->find(number);
    if (cell != nullptr) all += cell->load(std::memory_order_relaxed);
  }
  return all;
}

void CountCells::clear(std::uint32_t number) noexcept {
  for (CountCells* cells = all_cells.load(std::memory_order_acquire); cells != nullptr;
       cells = cells->next_) {
    if (Cell* const cell = cells->find(number)) cell->store(0, std::memory_order_relaxed);
  }
}

CellNumber::CellNumber() : value_(0) {
  CellNumbers& numbers = cell_numbers();
  const MutexLock lock(numbers.mutex);
  if (numbers.free.empty()) {
    numbers.free.reserve(numbers.next);  // so that all can be given back
    value_ = numbers.next++;
    return;
  }
  std::pop_heap(numbers.free.begin(), numbers.free.end(), std::greater<>());
  value_ = numbers.free.back();
  numbers.free.pop_back();
}

CellNumber::~CellNumber() {
  CountCells::clear(value_);
  CellNumbers& numbers = cell_numbers();
  const MutexLock lock(numbers.mutex);
  numbers.free.push_back(value_);
  std::push_heap(numbers.free.begin(), numbers.free.end(), std::greater<>());
}

}  // namespace tidings::detail
