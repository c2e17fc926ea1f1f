#pragma once

#include "counting/count_cells.hpp"
#include "counting/counter_book.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tidings::detail {

/// Counts the publishes through one list of subscribers of one event type: a publish takes one cell, however
/// many handlers it runs. Each is taken as handled by every inline handler of the list; what is not is
/// counted apart (HandlerCount::not_handled). Its end, which nobody may publish at the same time, collects
/// the rest.
class ListCount {
 public:
  /// The type's own counts, and those of the list's inline handlers. May throw std::bad_alloc.
  ListCount(CounterBook& book, std::shared_ptr<HandlerCount> type,
            std::vector<std::shared_ptr<HandlerCount>> inline_handlers);
  ~ListCount();
  ListCount(const ListCount&) = delete;
  ListCount& operator=(const ListCount&) = delete;

  /// What CountCells::add() is to be called with.
  [[nodiscard]] std::uint32_t near_cell() const noexcept {
    return number_.value() < CountCells::kNear ? number_.value() : CountCells::kByCall;
  }
  [[nodiscard]] HandlerCount& type() const noexcept { return *type_; }

  /// Counts one publish of the thread that owns the cells. Returns whether it is to be timed.
  [[nodiscard]] bool add(CountCells& cells) const noexcept;

 private:
  friend class CounterBook;
  /// Adds what the threads have counted since the last call. Under the mutex of the book.
  void collect() noexcept;
  void count(std::uint64_t publishes) const noexcept;

  CounterBook& book_;
  const CellNumber number_;
  const std::shared_ptr<HandlerCount> type_;
  const std::vector<std::shared_ptr<HandlerCount>> handlers_;
  std::uint64_t collected_ = 0;  // guarded by the mutex of the book
  std::size_t place_ = 0;        // in the book's list, guarded by its mutex
};

}  // namespace tidings::detail
