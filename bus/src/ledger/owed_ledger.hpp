#pragma once

#include "ledger/commit_schedule.hpp"
#include "ledger/journal_ids.hpp"
#include "ledger/next_commit.hpp"
#include "queue/owed_event.hpp"
#include "subscriptions/backlog.hpp"

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tidings::detail {

class OwedLedger;

/// Held by a publisher while it puts what was admitted into its queues: from GroupCommit::append() until its
/// end nothing that came later is read from the journal, lest it be queued first.
class Placing {
 public:
  explicit Placing(OwedLedger& ledger) noexcept : ledger_(ledger) {}
  ~Placing() { end(); }
  Placing(const Placing&) = delete;
  Placing& operator=(const Placing&) = delete;
  void end() noexcept;

 private:
  friend class OwedLedger;
  OwedLedger& ledger_;
  std::int64_t first_ = 0;  // 0: none
};

/// Which events and deliveries of the journal are in memory, what became of them, and what of that
/// GroupCommit has still to commit. Thread-safe.
///
/// One mutex guards this and GroupCommit: which deliveries of an event the memory holds is decided under it,
/// in the order of the journal's ids, and a commit sees all of it at one moment.
class OwedLedger {
 public:
  /// `wake` wakes the thread that commits in the background. It takes no mutex that its caller holds.
  OwedLedger(std::shared_ptr<Clock> clock, std::function<void()> wake, std::int64_t next_id)
      : wake_(std::move(wake)), ids_(next_id), schedule_(std::move(clock)) {}

  // --- ids ---

  /// An id for an event that a transaction of the application appends, which holds the database's write lock;
  /// `admit` is called with it, under the mutex.
  std::int64_t reserve(const std::function<void(std::int64_t)>& admit);
  /// The reserved ids of transactions that are not known to have ended, in ascending order. Nothing is read
  /// past the first of them.
  [[nodiscard]] std::vector<std::int64_t> reserved() const;
  /// Whether there are any.
  [[nodiscard]] bool awaits_transactions() const;
  /// The transactions of these ids have ended: each is in the journal, or never will be. An id is settled by
  /// its number alone, never by its place before another, so that an id that was reserved later than the
  /// caller thinks is not skipped.
  void transactions_ended(std::span<const std::int64_t> ids);
  /// Every id up to this one is committed, or never will be, and is in the queues that memory took it for.
  [[nodiscard]] std::int64_t settled_up_to() const;

  // --- what is in memory ---

  /// Marks a delivery as in memory: called by `admit`, or for a row that was read. False: it is already, or
  /// done.
  [[nodiscard]] static bool take_in(OwedEvent& event, std::size_t index);
  /// The handle of a row that was read between begin_reading() and end_reading(). Empty if the delivery is in
  /// memory already, or done.
  [[nodiscard]] OwedDeliveryHandle adopt(const OwedDelivery& row);
  void begin_reading();
  void end_reading();

  // --- what a subscriber gets from the journal; nothing is admitted meanwhile ---

  /// All that is owed by now comes from the journal, ahead of what is published from now on.
  void begin_backlog(Backlog& backlog);
  void close_backlog(Backlog& backlog);
  /// Goes back to that id, which is owed, unless the backlog is closed.
  void leave_to(Backlog& backlog, std::int64_t id);
  [[nodiscard]] Backlog::Unread unread_of(Backlog& backlog);
  /// Notes how far the backlog was read, and ends it when there can be no more of it.
  Backlog::Reached advance(Backlog& backlog, std::int64_t next, bool caught_up);

  // --- what became of deliveries; for one that is dead, see GroupCommit::bury ---

  /// The delivery was handled, or has a letter already.
  void ended(const OwedDeliveryHandle& delivery);
  /// The delivery was handled, and its end is committed in that transaction. Throws what its commit throws,
  /// and then nothing has changed.
  void handled_in(const OwedDeliveryHandle& delivery, DeliveryTransaction& transaction);
  /// An attempt failed; `synced` if that is to survive a power cut. Returns a ticket for
  /// GroupCommit::wait_recorded.
  std::uint64_t failed(const OwedDeliveryHandle& delivery, std::uint32_t attempts_made,
                       const std::vector<Attempt>& attempts, Timestamp failed_at,
                       std::optional<Timestamp> next_attempt_at, bool synced = false);
  /// The delivery leaves memory and stays owed.
  void abandon(const OwedDeliveryHandle& delivery);
  /// For facts found at start: replaces what is known of a delivery.
  void change(JournalDelivery delivery);

 private:
  friend class Placing;
  friend class GroupCommit;

  /// Called once for each request, in the order of ids, before any later id is given out.
  using Admit = std::function<void(AppendRequest&)>;

  /// Gives requests their ids and admits them, all or, when it throws, none.
  void admit(std::span<AppendRequest> requests, const Admit& admit, Placing* placing)
      TIDINGS_REQUIRES(mutex_);
  void withdraw(std::span<AppendRequest> requests) noexcept TIDINGS_REQUIRES(mutex_);
  void placed(std::int64_t first) noexcept;
  /// The delivery is done, and the next commit says so.
  void end_part(const OwedDeliveryHandle& delivery) TIDINGS_REQUIRES(mutex_);
  /// Takes a delivery out of memory.
  static void let_go(OwedEvent& event, OwedEvent::Part& part);
  void forget(std::int64_t id) noexcept TIDINGS_REQUIRES(mutex_) { events_.erase(id); }
  void forget_if_idle(const OwedEvent& event) TIDINGS_REQUIRES(mutex_);
  /// Takes what the next commit takes, all or, when memory is short, nothing.
  void take(CommitGroup& group) TIDINGS_REQUIRES(mutex_);
  /// The commit of the group's events is over, and they need not be committed again.
  void release(const CommitGroup& group) TIDINGS_REQUIRES(mutex_);

  const std::function<void()> wake_;

  mutable Mutex mutex_;
  JournalIds ids_ TIDINGS_GUARDED_BY(mutex_);
  std::unordered_map<std::int64_t, std::shared_ptr<OwedEvent>> events_ TIDINGS_GUARDED_BY(mutex_);
  std::shared_ptr<const HandlerNames> adopted_names_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::int64_t> left_while_reading_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t readers_ TIDINGS_GUARDED_BY(mutex_) = 0;
  NextCommit next_ TIDINGS_GUARDED_BY(mutex_);
  CommitSchedule schedule_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
