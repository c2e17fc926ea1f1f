#pragma once

#include "counting/storage_counts.hpp"
#include "letters/shared_commits.hpp"
#include "log/bus_log.hpp"
#include "observing/observing.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/letter_sink.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tidings::detail {

/// Brings letters to the sink. Threads that hand over letters at the same time share commits: whoever finds
/// nobody committing commits for all. While the database is busy the letters wait here, bounded, and are
/// tried again in the background. Thread-safe.
class LetterWriter final : private SharedCommits {
 public:
  /// `wake` is called when due() has become earlier.
  LetterWriter(std::shared_ptr<LetterSink> sink, BusLog& log, Observing& observing, StorageCounts& counts,
               std::shared_ptr<Clock> clock, std::function<void()> wake)
      : sink_(std::move(sink)),
        log_(log.letters),
        observing_(observing),
        counts_(counts),
        clock_(std::move(clock)),
        wake_(std::move(wake)) {}

  /// Returns when the letter is kept (true), or when the database is busy and the letter waits for it
  /// (false). Blocks while too many wait.
  bool store(DeadLetter letter);
  enum class WhenTooMany : std::uint8_t { Wait, Append };
  /// Does not wait for the commit, which follows within 50 ms. With `Wait` blocks while too many letters
  /// wait; with `Append` never.
  void store_soon(DeadLetter letter, WhenTooMany when_too_many);

  /// When flush_if_due wants to be called next.
  [[nodiscard]] std::optional<Instant> due() const;
  /// Commits as many as do not keep the housekeeper from its other duties for long; due() says when to go on.
  void flush_if_due(Instant now);
  /// The same, due or not. False: more wait, or the database is busy.
  bool flush_a_turn();
  /// Tries to commit all that wait. False: the database is busy.
  bool flush();
  /// Tries to commit what waits of the letter's ordering key, and what came before that.
  void keep_before(const DeadLetter& letter);
  /// Commits all that wait, or waits until the background has, while the database is busy. False at the
  /// deadline.
  bool wait_until_kept(Instant deadline);
  /// Keeps all that wait, in the spill file if the database is busy. For the end of the bus.
  void flush_finally(std::optional<Instant> deadline = {});
  /// Letters that are not committed yet.
  [[nodiscard]] std::size_t pending() const;

  using Batch = std::vector<DeadLetter>;
  /// Logs, tells and counts what became of each letter, and writes those that are unsaved to standard error.
  void report(std::span<const DeadLetter> letters, std::span<const LetterOutcome> outcomes) noexcept;
  /// Stores letters at once, in the spill file if it must be; for what another writer could not store. What
  /// became of each is the caller's to report.
  [[nodiscard]] std::vector<LetterOutcome> keep_now(const Batch& batch) noexcept;

 private:
  void append(DeadLetter letter) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool anything_waits() const override TIDINGS_REQUIRES(mutex_) { return !waiting_.empty(); }
  [[nodiscard]] bool refused() const override TIDINGS_REQUIRES(mutex_) { return busy_; }
  /// Commits one batch.
  CommitProgress commit(WhenBusy when_busy) noexcept override TIDINGS_REQUIRES(mutex_);
  bool commit_a_turn() TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] Batch take_batch() TIDINGS_REQUIRES(mutex_);
  void put_back(Batch batch, bool short_of_memory) TIDINGS_REQUIRES(mutex_);
  /// Waits until there is room, committing if nobody else does.
  void make_room() TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] std::vector<LetterOutcome> hand_over(const Batch& batch, WhenBusy when_busy);
  [[nodiscard]] bool full() const TIDINGS_REQUIRES(mutex_);

  const std::shared_ptr<LetterSink> sink_;
  LetterLog& log_;
  Observing& observing_;
  StorageCounts& counts_;
  const std::shared_ptr<Clock> clock_;
  const std::function<void()> wake_;

  mutable Mutex mutex_;
  std::deque<DeadLetter> waiting_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::size_t in_commit_ TIDINGS_GUARDED_BY(mutex_) = 0;
  std::uint64_t appended_ TIDINGS_GUARDED_BY(mutex_) = 0;
  bool busy_ TIDINGS_GUARDED_BY(mutex_) = false;
  std::chrono::milliseconds busy_backoff_ TIDINGS_GUARDED_BY(mutex_){0};
  std::optional<Instant> due_ TIDINGS_GUARDED_BY(mutex_);
};

/// Whether letters are of one ordering key of one handler.
[[nodiscard]] bool have_one_key(const DeadLetter& one, const DeadLetter& other) noexcept;

/// The last resort: the complete letter as one JSON line on standard error.
void write_to_stderr(const DeadLetter& letter, std::string_view problem) noexcept;

}  // namespace tidings::detail
