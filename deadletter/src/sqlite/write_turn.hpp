#pragma once

#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <thread>

namespace tidings::deadletter {

/// The queue of writers among a store's connections, first come, first served. SQLite's own lock is not fair:
/// a connection that polls for it may find it taken for as long as another takes it again and again.
/// Thread-safe.
class WriteTurn {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  WriteTurn() = default;
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;

  /// Holds the turn to write while it lives.
  class Hold {
   public:
    /// Waits until all threads that came earlier have had their turn. Throws Error(DatabaseBusy) at the
    /// deadline, and at once on the thread that has the turn.
    Hold(WriteTurn& turn, Deadline deadline) : turn_(turn) { turn_.take(deadline); }
    ~Hold() { turn_.give(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    WriteTurn& turn_;
  };

  /// Whether rows of the journal's deliveries may be there, committed or not. Changed only by the thread that
  /// has the turn.
  std::atomic<bool> may_have_deliveries{true};

 private:
  void take(Deadline deadline);
  void give() noexcept;

  tidings::detail::Mutex mutex_;
  tidings::detail::Condition changed_;
  /// The tickets of those who have come, in order; the first has the turn.
  std::deque<std::uint64_t> tickets_ TIDINGS_GUARDED_BY(mutex_);
  std::uint64_t last_ticket_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::thread::id holder_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::deadletter
