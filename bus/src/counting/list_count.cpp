#include "counting/list_count.hpp"

#include <utility>

namespace tidings::detail {

ListCount::ListCount(CounterBook& book, std::shared_ptr<HandlerCount> type,
                     std::vector<std::shared_ptr<HandlerCount>> inline_handlers)
    : book_(book), type_(std::move(type)), handlers_(std::move(inline_handlers)) {
  const MutexLock lock(book_.mutex_);
  place_ = book_.lists_.size();
  book_.lists_.push_back(this);
}

ListCount::~ListCount() {
  const MutexLock lock(book_.mutex_);
  collect();
  book_.lists_.back()->place_ = place_;
  book_.lists_[place_] = book_.lists_.back();
  book_.lists_.pop_back();
}

bool ListCount::add(CountCells& cells) const noexcept {
  CountCells::Cell* const cell = cells.own_cell(number_.value());
  if (cell == nullptr) {
    count(1);
    return false;
  }
  const std::uint64_t before = cell->load(std::memory_order_relaxed);
  cell->store(before + 1, std::memory_order_relaxed);
  return before % CountCells::kTimedEach == 0;
}

void ListCount::collect() noexcept {
  const std::uint64_t sum = CountCells::sum(number_.value());
  if (sum != collected_) count(sum - collected_);
  collected_ = sum;
}

void ListCount::count(std::uint64_t publishes) const noexcept {
  type_->published(publishes);
  for (const auto& handler : handlers_) handler->handled(publishes);
}

}  // namespace tidings::detail
