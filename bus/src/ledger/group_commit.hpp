#pragma once

#include "counting/storage_counts.hpp"
#include "ledger/owed_ledger.hpp"
#include "letters/letter_writer.hpp"
#include "letters/shared_commits.hpp"
#include "log/bus_log.hpp"
#include "observing/observing.hpp"

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
#include <optional>
#include <span>
#include <vector>

namespace tidings::detail {

/// Commits what an OwedLedger has for the journal: publishers and workers on any thread share commits,
/// whoever finds nobody committing commits for all. Completions are committed with the next group, or within
/// 50 ms. Works under the ledger's mutex, and releases it while it commits. Thread-safe.
class GroupCommit final : private SharedCommits {
 public:
  GroupCommit(OwedLedger& ledger, Journal& journal, LetterWriter& letters, StorageCounts& counts, BusLog& log,
              Observing& observing)
      : ledger_(ledger),
        journal_(journal),
        letters_(letters),
        counts_(counts),
        log_(log),
        observing_(observing) {}

  using Admit = OwedLedger::Admit;
  /// Returns when all are committed; `admit` is called for each, under the mutex, as soon as it has its id.
  /// Throws what Journal::commit does when they were not: Error, or std::bad_alloc. `placing` begins then;
  /// null: no queue is to have any.
  void append(std::span<AppendRequest> requests, const Admit& admit, Placing* placing);

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

  /// When to call flush_if_due(). For the housekeeper alone: it asks again at that time or when it is woken,
  /// and is not woken for what is due later.
  [[nodiscard]] std::optional<Instant> due();
  void flush_if_due(Instant now);
  /// Commits all that waits. False: the database does not take it now.
  bool flush();
  /// The same, but waits for the background while the database is busy. Returns false at the deadline.
  bool wait_until_recorded(Instant deadline);
  /// Wakes the background when OwedLedger::settled_up_to() may have grown: after the running commit or
  /// placing, if there is one. The end of a transaction does not wake it.
  void wake_when_settled();
  /// flush() for the end of the bus: letters go to the spill file if the database is busy.
  void flush_finally(std::optional<Instant> deadline = {});
  /// From here on bury() waits for no room: the bus stops, and what it ends is in memory already.
  void stop_waiting();
  /// After the last flush: writes letters that nothing took to standard error. Their deliveries stay owed.
  void give_up_letters() noexcept;
  /// Another bus has taken the journal. Logs that once; what is left here is for that bus to deliver.
  void lose(const Error& error) noexcept;
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
  /// Letters that are not committed yet.
  [[nodiscard]] std::size_t pending_letters() const;

 private:
  /// What is to be logged of a group that was settled or refused.
  struct Report {
    std::exception_ptr error = {};
    /// Letters that found a place, and which.
    std::vector<DeadLetter> letters = {};
    std::vector<LetterOutcome> outcomes = {};
    bool newly_lost = false;
    bool put_back = false;
    std::chrono::milliseconds last_backoff{0};
  };

  [[nodiscard]] bool anything_waits() const override TIDINGS_REQUIRES(ledger_.mutex_);
  [[nodiscard]] bool refused() const override TIDINGS_REQUIRES(ledger_.mutex_);
  CommitProgress commit(WhenBusy when_busy) noexcept override TIDINGS_REQUIRES(ledger_.mutex_);
  /// Lets other publishers join the group, for as long as it is likely that they come.
  void gather() TIDINGS_REQUIRES(ledger_.mutex_);
  /// The part without the mutex: what it threw, or null. `took`: how long the journal did.
  [[nodiscard]] std::exception_ptr commit_taken(CommitGroup& group, JournalCommit& commit,
                                                std::chrono::nanoseconds& took) noexcept;
  /// The same, and lets an observer know.
  [[nodiscard]] std::exception_ptr commit_observed(CommitGroup& group, JournalCommit& commit) noexcept;
  /// Brings the letters of a refused group to the spill file, without the mutex. What it does not take either
  /// stays in the group: its delivery stays owed until a letter of it is kept.
  void spill(CommitGroup& group, Report& report) noexcept;
  void tell(const Report& report) noexcept;
  void tell_refusal(const Report& report) noexcept;
  void settle(CommitGroup& group, const JournalCommit& commit) TIDINGS_REQUIRES(ledger_.mutex_);
  void settle_requests(CommitGroup& group, const JournalCommit& commit) TIDINGS_REQUIRES(ledger_.mutex_);
  void refuse(CommitGroup& group, const std::exception_ptr& error) TIDINGS_REQUIRES(ledger_.mutex_);
  /// Forgets a group, since the journal is lost.
  void drop(CommitGroup& group) TIDINGS_REQUIRES(ledger_.mutex_);

  OwedLedger& ledger_;
  Journal& journal_;
  LetterWriter& letters_;
  StorageCounts& counts_;
  BusLog& log_;
  Observing& observing_;

  std::atomic<bool> lost_{false};
  Condition arrived_;
  bool gathering_ TIDINGS_GUARDED_BY(ledger_.mutex_) = false;
  std::size_t last_group_ TIDINGS_GUARDED_BY(ledger_.mutex_) = 1;
  std::size_t letters_in_commit_ TIDINGS_GUARDED_BY(ledger_.mutex_) = 0;
  bool stopping_ TIDINGS_GUARDED_BY(ledger_.mutex_) = false;
  bool wake_after_commit_ TIDINGS_GUARDED_BY(ledger_.mutex_) = false;
};

}  // namespace tidings::detail
