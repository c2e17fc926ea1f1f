#include "sqlite/write_turn.hpp"

#include <tidings/error.hpp>

#include <algorithm>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

void WriteTurn::take(Deadline deadline) {
  const MutexLock lock(mutex_);
  if (holder_ == std::this_thread::get_id()) {
    throw Error(ErrorCode::DatabaseBusy,
                "this thread has a transaction(context) open, which this write would wait for: write through "
                "that transaction, or after the handler has returned");
  }
  const std::uint64_t ticket = ++last_ticket_;
  tickets_.push_back(ticket);
  while (tickets_.front() != ticket) {
    if (changed_.wait_until(mutex_, deadline) || tickets_.front() == ticket) continue;
    tickets_.erase(std::find(tickets_.begin(), tickets_.end(), ticket));
    throw Error(ErrorCode::DatabaseBusy,
                "another thread of this process has been writing to the database for longer than the busy "
                "timeout; try again, or end its long transaction(context)");
  }
  holder_ = std::this_thread::get_id();
}

void WriteTurn::give() noexcept {
  {
    const MutexLock lock(mutex_);
    holder_ = {};
    tickets_.pop_front();
  }
  changed_.notify_all();
}

}  // namespace tidings::deadletter
