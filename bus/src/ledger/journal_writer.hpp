#pragma once

#include "letters/letter_writer.hpp"
#include "queue/owed_event.hpp"

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>
#include <tidings/journal.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Keeps the journal: publishers and workers on any thread share commits, whoever finds nobody committing
/// commits for all. Completions are committed with the next group, or within 50 ms. Thread-safe.
///
/// Which deliveries of an event the memory holds is decided under this mutex, in the order of the journal's
/// ids: see `append`.
class JournalWriter {
 public:
  JournalWriter(Journal& journal, LetterWriter& letters, BusLog& log, std::shared_ptr<Clock> clock,
                std::function<void()> wake, std::int64_t next_id)
      : journal_(journal),
        letters_(letters),
        log_(log),
        clock_(std::move(clock)),
        wake_(std::move(wake)),
        next_id_(next_id) {}

  /// One event on its way into the journal, on its publisher's stack.
  struct Request {
    JournalAppend append;  // but for its id
    std::shared_ptr<OwedEvent> owed;
    bool synced = false;
    /// Of deliveries that are dead from the start: they are stored in the commit that appends the event, and
    /// nobody owes it.
    std::vector<DeadLetter> letters = {};
    /// Set when committed: the event that was published before under the same idempotency key.
    std::optional<EventId> repeat = {};
    /// The same: what became of `letters`.
    std::vector<LetterOutcome> outcomes = {};

   private:
    friend class JournalWriter;
    bool settled_ = false;
    /// Error, or std::bad_alloc.
    std::exception_ptr error_ = {};
  };
  /// Called once for each request, in the order of ids, before any later id is given out.
  using Admit = std::function<void(Request&)>;

  /// Of a publisher that puts what was admitted into its queues: from append() until its end nothing that
  /// came later is read from the journal, lest it be queued first.
  class Placing {
   public:
    explicit Placing(JournalWriter& journal) noexcept : journal_(journal) {}
    ~Placing() { end(); }
    Placing(const Placing&) = delete;
    Placing& operator=(const Placing&) = delete;
    void end() noexcept;

   private:
    friend class JournalWriter;
    JournalWriter& journal_;
    std::int64_t first_ = 0;  // 0: none
  };

  /// Returns when all are committed; `admit` is called for each, under the mutex, as soon as it has its id.
  /// Throws what Journal::commit does when they were not: Error, or std::bad_alloc. `placing` begins then;
  /// null: no queue is to have any.
  void append(std::span<Request> requests, const Admit& admit, Placing* placing);

  /// An id for an event that a transaction of somebody else's appends, which holds the database's write lock;
  /// `admit` is called with it, under the mutex.
  std::int64_t reserve(const std::function<void(std::int64_t)>& admit);
  /// The reserved ids of transactions that are not known to have ended, in ascending order. Nothing is read
  /// past the first of them.
  [[nodiscard]] std::vector<std::int64_t> reserved() const;
  /// Whether there are any.
  [[nodiscard]] bool awaits_transactions() const;
  /// The transactions of these ids have ended: each is in the journal, or never will be. An id is settled by
  /// its number alone, never by its place before another, so that none is passed by that was reserved later
  /// than the caller thinks.
  void transactions_ended(std::span<const std::int64_t> ids);

  /// Marks a delivery as in memory: called by `admit`, or for a row that was read. False: it is already, or
  /// done.
  [[nodiscard]] static bool take_in(OwedEvent& event, std::size_t index);
  /// The handle of a row that was read between begin_reading() and end_reading(). Nothing: the delivery is in
  /// memory already, or done.
  [[nodiscard]] OwedDeliveryHandle adopt(const OwedDelivery& row);
  void begin_reading();
  void end_reading();

  /// The delivery was handled.
  void handled(const OwedDeliveryHandle& delivery);
  /// The delivery was handled, and its end is committed in that transaction. Throws what its commit throws,
  /// and then nothing has changed.
  void handled_in(const OwedDeliveryHandle& delivery, DeliveryTransaction& transaction);
  /// An attempt failed; `synced` if that is to survive a power cut. Returns a ticket for wait_recorded.
  std::uint64_t failed(const OwedDeliveryHandle& delivery, std::uint32_t attempts_made,
                       const std::vector<Attempt>& attempts, Timestamp failed_at,
                       std::optional<Timestamp> next_attempt_at, bool synced = false);
  /// Returns when what the ticket stands for is committed (true), or the database does not take it now.
  [[nodiscard]] bool wait_recorded(std::uint64_t ticket);
  /// How long bury() waits.
  enum class Wait : std::uint8_t {
    Not,        ///< Not at all: for the thread that commits what waits.
    ForRoom,    ///< While too many letters wait.
    ForCommit,  ///< Until the letter is kept.
  };
  /// The delivery gave up. False: its letter was to be waited for, but the database is busy, and the letter
  /// waits for it.
  bool bury(const OwedDeliveryHandle& delivery, DeadLetter letter, Wait wait);
  /// Tries to commit what waits of the letter's ordering key, and all else that waits now.
  void keep_before(const DeadLetter& letter);
  /// The delivery leaves memory and stays owed.
  void abandon(const OwedDeliveryHandle& delivery);
  /// For facts found at start: replaces what is known of a delivery.
  void change(JournalDelivery delivery);

  /// Runs `work(next_id)` under the mutex: nothing is admitted meanwhile.
  template <class Work>
  auto exclusively(Work work) {
    const MutexLock lock(mutex_);
    return work(next_id_);
  }
  /// Every id up to this one is committed, or never will be, and is in the queues that memory took it for.
  [[nodiscard]] std::int64_t settled_up_to() const;

  /// When to call flush_if_due(). For the one thread that does, and that asks again no later than then, or
  /// when it is woken: it is not woken for what is due after that.
  [[nodiscard]] std::optional<Instant> due();
  void flush_if_due(Instant now);
  /// Commits all that waits. False: the database does not take it now.
  bool flush();
  /// The same, or waits until the background has, while the database is busy. False at the deadline.
  bool wait_until_recorded(Instant deadline);
  /// Calls `wake` when settled_up_to() may have grown: after the commit or the placing that is under way, if
  /// one is; not for the end of transactions.
  void wake_when_settled();
  /// The same for the end of the bus: letters go to the spill file if the database is busy.
  void flush_finally(std::optional<Instant> deadline = {});
  /// From here on bury() waits for no room: the bus stops, and what it ends is in memory already.
  void stop_waiting();
  /// After the last flush: writes letters that nothing took to standard error. Their deliveries stay owed.
  void give_up_letters() noexcept;
  /// Another bus has taken the journal: said once in the log. What is left here is that bus's to deliver.
  void lose(const Error& error) noexcept;
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
  /// Letters that are not committed yet.
  [[nodiscard]] std::size_t pending_letters() const;

 private:
  static constexpr std::chrono::milliseconds kFlushWithin{50};

  /// What one commit takes, and what it is to be told to.
  struct Group {
    std::vector<Request*> requests;
    std::vector<std::shared_ptr<OwedEvent>> events;
    std::vector<DeadLetter> letters;
    std::vector<JournalDelivery> facts;
    bool synced = false;  // for the sake of `events`
    JournalBatch batch;
    std::uint64_t ticket = 0;
    /// Reserved before the commit began, and so settled by it: it had the write lock.
    std::vector<std::int64_t> reserved;
  };

  void mark_dirty(const std::shared_ptr<OwedEvent>& event) TIDINGS_REQUIRES(mutex_);
  void forget_if_idle(const OwedEvent& event) TIDINGS_REQUIRES(mutex_);
  void end_part(const OwedDeliveryHandle& delivery) TIDINGS_REQUIRES(mutex_);
  void make_room() TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool anything_waits() const TIDINGS_REQUIRES(mutex_);
  /// Asks for a commit within 50 ms. True: the timer must be woken.
  [[nodiscard]] bool arm() TIDINGS_REQUIRES(mutex_);
  /// The same, without a look whether one is asked for already.
  [[nodiscard]] bool arm_again() TIDINGS_REQUIRES(mutex_);
  /// Lets other publishers join the group, for as long as it is likely that they come.
  void gather() TIDINGS_REQUIRES(mutex_);
  /// Takes what waits, all or, when memory is short, nothing.
  void take_group(Group& group) TIDINGS_REQUIRES(mutex_);
  /// What the journal is told of it; may throw std::bad_alloc half-way, before the group is put back.
  static void describe_group(Group& group);
  static void describe(OwedEvent& event, JournalBatch& batch);
  /// Commits one group; releases the mutex meanwhile. Nobody else is committing. False: it was refused.
  bool commit_group(WhenBusy when_busy) noexcept TIDINGS_REQUIRES(mutex_);
  /// The part without the mutex: what it threw, or null.
  [[nodiscard]] std::exception_ptr commit_taken(Group& group, JournalCommit& commit) noexcept;
  /// What the log is told of a group that was settled or refused.
  struct Report {
    std::exception_ptr error = {};
    /// Letters that found a place, and which.
    std::vector<DeadLetter> letters = {};
    std::vector<LetterOutcome> outcomes = {};
    bool newly_lost = false;
    bool put_back = false;
    std::chrono::milliseconds last_backoff{0};
  };
  /// Brings the letters of a refused group to the spill file, without the mutex. What it does not take either
  /// stays in the group: its delivery stays owed until a letter of it is kept.
  void spill(Group& group, Report& report) noexcept;
  /// Releases the mutex meanwhile, and lets others commit.
  void tell(const Report& report) noexcept TIDINGS_REQUIRES(mutex_);
  void tell_refusal(const Report& report) noexcept;
  /// Forgets requests that append() could not add.
  void withdraw(std::span<Request> requests) noexcept TIDINGS_REQUIRES(mutex_);
  void settle(Group& group, const JournalCommit& commit) TIDINGS_REQUIRES(mutex_);
  void refuse(Group& group, const std::exception_ptr& error) TIDINGS_REQUIRES(mutex_);
  /// Puts a group back whose requests are to be tried each by itself.
  void split(Group& group) TIDINGS_REQUIRES(mutex_);
  void put_back(Group& group) TIDINGS_REQUIRES(mutex_);
  /// Of a journal that is lost.
  void drop(Group& group) TIDINGS_REQUIRES(mutex_);
  /// True: some of them were awaited.
  bool forget_reserved(std::span<const std::int64_t> ids) TIDINGS_REQUIRES(mutex_);
  bool flush_all(WhenBusy when_busy, std::optional<Instant> deadline = {});

  Journal& journal_;
  LetterWriter& letters_;
  BusLog& log_;
  const std::shared_ptr<Clock> clock_;
  const std::function<void()> wake_;

  std::atomic<bool> lost_{false};
  mutable Mutex mutex_;
  Condition changed_;
  Condition arrived_;
  std::int64_t next_id_ TIDINGS_GUARDED_BY(mutex_);
  /// Ids in transactions that may not have ended, in ascending order.
  std::vector<std::int64_t> reserved_ TIDINGS_GUARDED_BY(mutex_);
  /// The first id that the commit appends that is running.
  std::optional<std::int64_t> appending_ TIDINGS_GUARDED_BY(mutex_);
  /// The first ids of what publishers are placing, in order.
  std::vector<std::int64_t> placing_ TIDINGS_GUARDED_BY(mutex_);
  std::unordered_map<std::int64_t, std::shared_ptr<OwedEvent>> events_ TIDINGS_GUARDED_BY(mutex_);
  std::shared_ptr<const HandlerNames> adopted_names_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::int64_t> left_while_reading_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t readers_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::vector<Request*> requests_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<OwedEvent>> dirty_ TIDINGS_GUARDED_BY(mutex_);
  /// Something in dirty_ is to be synced.
  bool dirty_synced_ TIDINGS_GUARDED_BY(mutex_) = false;
  std::vector<DeadLetter> waiting_letters_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<JournalDelivery> facts_ TIDINGS_GUARDED_BY(mutex_);
  /// So many of the next requests are committed each by itself: one of them was too large.
  std::size_t alone_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::size_t letters_in_commit_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::size_t last_group_ TIDINGS_GUARDED_BY(mutex_) = 1;
  std::uint64_t tickets_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::uint64_t committed_ TIDINGS_GUARDED_BY(mutex_) = 0;  // the ticket of the last commit
  std::uint64_t recorded_ TIDINGS_GUARDED_BY(mutex_) = 0;   // the same, and its letters are reported
  /// Threads that report. They may be stuck in a log sink, so nobody waits for them to commit.
  std::size_t reporting_ TIDINGS_GUARDED_BY(mutex_) = 0;
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool committing_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool gathering_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool refused_ TIDINGS_GUARDED_BY(mutex_) = false;
  /// The last refusal was for want of memory.
  bool short_of_memory_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool wake_after_commit_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool wake_after_placing_ TIDINGS_GUARDED_BY(mutex_) = false;
  std::chrono::milliseconds backoff_ TIDINGS_GUARDED_BY(mutex_){0};
  std::optional<Instant> due_ TIDINGS_GUARDED_BY(mutex_);
  /// What due() has answered last.
  std::optional<Instant> told_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
