#pragma once

#include "queue/delivery_queue.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace tidings::detail {

/// What a subscriber is owed that the journal alone holds: what a restart left, and what found the queue
/// full. While it is active, everything from one id on comes from the journal, for an inline handler up to
/// another, and everything else straight from publish. Guarded by the mutex of OwedLedger, through which all
/// but publishers change it; whether it is active or closed may be asked without.
class Backlog {
 public:
  Backlog(DeliveryQueue& queue, bool queued) noexcept : queue_(queue), queued_(queued) {}

  [[nodiscard]] bool active(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return active_.load(order);
  }
  /// Whether what is owed is the next subscription's of that name. The same.
  [[nodiscard]] bool closed() const noexcept { return closed_.load(); }
  /// Whether this id comes from the journal.
  [[nodiscard]] bool holds(std::int64_t id) const noexcept { return active() && (queued_ || id < until_); }

  /// Everything that is owed before `next_id` comes from the journal, and to a queue all that follows.
  void begin(std::int64_t next_id) {
    next_ = 1;
    until_ = queued_ ? kEverything : next_id;
    set_active(true);
  }
  /// Leaves one to the journal, unless it is closed.
  void leave(std::int64_t id) {
    if (closed()) return;
    if (!active()) {
      next_ = id;
      set_active(true);
    }
    next_ = std::min(next_, id);
    left_meanwhile_ = std::min(left_meanwhile_, id);
    until_ = queued_ ? kEverything : std::max(until_, id + 1);
  }
  /// For good, as its subscription ends: nobody reads what is left to it from now on.
  void close() {
    closed_.store(true);
    set_active(false);
  }

  /// Before the subscriber is shared: what it is owed stays owed, as if it were not subscribed, since without
  /// a key it cannot be delivered.
  void refuse() {
    refused_ = true;
    close();
  }
  [[nodiscard]] bool refused() const noexcept { return refused_; }

  /// What is to be read next.
  struct Unread {
    std::int64_t next = 0;
    std::int64_t until = 0;
  };
  [[nodiscard]] Unread begin_reading() noexcept {
    left_meanwhile_ = kEverything;
    return {next_, until_};
  }
  enum class Reached : std::uint8_t {
    Chunk,               ///< There may be more in the journal.
    AllThatIsCommitted,  ///< There will be more, which is not committed yet.
    End,                 ///< The backlog is over.
  };
  /// What came before `next` was read; `caught_up` if the journal had no more. `next_id` is the next event's.
  Reached end_reading(std::int64_t next, bool caught_up, std::int64_t next_id) {
    // What was left to the journal meanwhile may have been passed over, being in memory still: it is read
    // again.
    caught_up = caught_up && next <= left_meanwhile_;
    next_ = std::min(next, left_meanwhile_);
    if (!caught_up) return Reached::Chunk;
    if (next < std::min(next_id, until_)) return Reached::AllThatIsCommitted;
    set_active(false);
    return Reached::End;
  }

 private:
  static constexpr std::int64_t kEverything = INT64_MAX;

  void set_active(bool active) {
    active_.store(active);
    queue_.set_backlog(active);
  }

  DeliveryQueue& queue_;
  const bool queued_;
  std::atomic<bool> active_{false};
  bool refused_ = false;
  std::atomic<bool> closed_{false};
  std::int64_t next_ = 1;
  std::int64_t until_ = 0;
  /// The first that was left to the journal since its reader last looked.
  std::int64_t left_meanwhile_ = kEverything;
};

}  // namespace tidings::detail
