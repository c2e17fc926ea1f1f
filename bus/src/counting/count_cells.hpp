#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidings::detail {

/// How many publishes one thread has made through each list of subscribers, a cell for each list. Only the
/// owning thread adds, with plain loads and stores; every thread may read. Never freed, as the thread's
/// HazardRecord that it is a part of; the next thread that owns it counts on.
class CountCells {
 public:
  using Cell = std::atomic<std::uint64_t>;

  /// Cells that are found without a call.
  static constexpr std::uint32_t kNear = 512;
  /// Of lists that nobody counts: 1 for ever, as these add nothing.
  static constexpr std::uint32_t kUncounted = 0;
  /// Of lists that must be counted by a call: 0 for ever.
  static constexpr std::uint32_t kByCall = 1;
  static constexpr std::uint32_t kFirst = 2;
  /// One publish in so many is timed: that which finds a multiple of it in its cell.
  static constexpr std::uint64_t kTimedEach = 64;

  /// Lists itself, for good.
  CountCells() noexcept;
  CountCells(const CountCells&) = delete;
  CountCells& operator=(const CountCells&) = delete;

  /// False, and nothing is added: the publish is to be timed, or counted by a call. Owner only.
  [[nodiscard]] bool add(std::uint32_t near_cell, std::uint64_t step) noexcept {
    Cell& cell = near_[near_cell];
    const std::uint64_t count = cell.load(std::memory_order_relaxed);
    if (count % kTimedEach == 0) [[unlikely]]
      return false;
    cell.store(count + step, std::memory_order_relaxed);
    return true;
  }
  /// Null: there is no memory for it. Owner only.
  [[nodiscard]] Cell* own_cell(std::uint32_t number) noexcept;

  /// The sum of that cell over all threads.
  [[nodiscard]] static std::uint64_t sum(std::uint32_t number) noexcept;
  /// Sets that cell to 0 in all threads, none of which may be adding to it.
  static void clear(std::uint32_t number) noexcept;

 private:
  struct Block {
    std::array<Cell, kNear> cells{};
    std::atomic<Block*> next{nullptr};
  };

  [[nodiscard]] Cell* find(std::uint32_t number) noexcept;

  std::array<Cell, kNear> near_{};
  std::atomic<Block*> far_{nullptr};
  CountCells* next_ = nullptr;  // constant once listed
};

/// The number of a cell that no other list has, while it lives. Thread-safe.
class CellNumber {
 public:
  /// May throw std::bad_alloc.
  CellNumber();
  ~CellNumber();
  CellNumber(const CellNumber&) = delete;
  CellNumber& operator=(const CellNumber&) = delete;
  [[nodiscard]] std::uint32_t value() const noexcept { return value_; }

 private:
  std::uint32_t value_;
};

}  // namespace tidings::detail
