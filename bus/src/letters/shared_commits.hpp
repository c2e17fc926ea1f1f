#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/letter_sink.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tidings::detail {

/// What became of one commit.
enum class CommitProgress : std::uint8_t { Committed, Refused, ShortOfMemory };

/// How threads share commits: whoever finds nobody committing commits for all, and the others wait. Whoever
/// has committed reports without the mutex; it may be stuck in a log sink, so nobody waits for it to commit.
/// The base of what commits: all of this is guarded by the mutex that each call is given, and that waits
/// release meanwhile.
class SharedCommits {
 public:
  SharedCommits() = default;
  SharedCommits(const SharedCommits&) = delete;
  SharedCommits& operator=(const SharedCommits&) = delete;

 protected:
  ~SharedCommits() = default;

  // Called under the mutex.
  [[nodiscard]] virtual bool anything_waits() const = 0;
  /// Whether the next commit is to be left to the background.
  [[nodiscard]] virtual bool refused() const = 0;
  /// Commits once; releases the mutex meanwhile. Nobody else is committing.
  virtual CommitProgress commit(WhenBusy when_busy) noexcept = 0;

  [[nodiscard]] bool committing() const noexcept { return committing_; }
  void begin_commit() noexcept { committing_ = true; }
  /// Wakes nobody: notify() follows when all that the commit has changed is in place.
  void end_commit() noexcept { committing_ = false; }
  /// All up to this ticket is committed. Tickets are given out in order by what commits, from 1 on.
  void set_committed(std::uint64_t ticket) noexcept { committed_ = ticket; }
  [[nodiscard]] std::uint64_t committed() const noexcept { return committed_; }
  /// The same, and it is reported. Who reports first may have committed last.
  void set_reported(std::uint64_t ticket) noexcept { reported_ = std::max(reported_, ticket); }
  void notify() noexcept { changed_.notify_all(); }
  void wait(Mutex& mutex) TIDINGS_REQUIRES(mutex) { changed_.wait(mutex); }
  /// Runs `work` without the mutex, and lets others commit meanwhile.
  template <class Work>
  void report_without(Mutex& mutex, const Work& work) noexcept TIDINGS_REQUIRES(mutex) {
    ++reporting_;
    changed_.notify_all();
    mutex.unlock();
    work();
    mutex.lock();
    --reporting_;
  }

  /// Waits until that ticket is committed, or commits. False: a commit was refused, or is to be left to the
  /// background.
  [[nodiscard]] bool wait_committed(Mutex& mutex, std::uint64_t ticket) TIDINGS_REQUIRES(mutex);
  /// The same, and until it is reported.
  [[nodiscard]] bool wait_reported(Mutex& mutex, std::uint64_t ticket) TIDINGS_REQUIRES(mutex);
  /// Waits for another's commit, or commits.
  void wait_or_commit(Mutex& mutex) TIDINGS_REQUIRES(mutex);
  /// Commits all that waits, and waits for what is being reported, but not beyond `deadline`. False: a commit
  /// was refused.
  bool flush_all(Mutex& mutex, WhenBusy when_busy, std::optional<Instant> deadline) TIDINGS_REQUIRES(mutex);
  /// Commits all that waits, or waits until the background has, and until it is reported. False at the
  /// deadline.
  bool wait_until_done(Mutex& mutex, Instant deadline) TIDINGS_REQUIRES(mutex);

 private:
  Condition changed_;
  bool committing_ = false;
  std::uint64_t committed_ = 0;
  std::uint64_t reported_ = 0;
  /// Threads that report.
  std::size_t reporting_ = 0;
};

}  // namespace tidings::detail
