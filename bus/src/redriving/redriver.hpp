#pragma once

#include "letters/bus_log.hpp"
#include "redriving/redrive_log.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>
#include <tidings/redrive.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// Brings letters that somebody wants delivered again from the sink to their handlers, and tells the sink
/// what became of them. The timer calls tick(); handlers' threads call begin() and end(). Thread-safe.
class Redriver {
 public:
  struct Calls {
    /// The handlers that may be given letters now.
    std::function<std::vector<ServedHandler>()> served;
    /// Takes a claimed letter to its handler's queue; end() follows, whatever happens.
    std::function<void(ClaimedLetter)> deliver;
    /// Something has changed in the sink: looks what that means for ordering keys. False: to be called again.
    std::function<bool()> refresh_keys;
    /// Makes the timer call tick() at once.
    std::function<void()> wake;
  };

  /// A null `redrives` makes an object that does nothing.
  Redriver(Redrives* redrives, BusLog& log, std::shared_ptr<Clock> clock, std::string service,
           std::uint64_t random, Calls calls);

  [[nodiscard]] bool supported() const noexcept { return redrives_ != nullptr; }
  /// Marks letters, and sees to them. Throws Error.
  RedriveRequest request(const LetterFilter& filter, const RedriveOptions& options);
  /// Handlers have come: there may be letters for them.
  void look();
  /// What waits behind an ordering key's redrives may go on: refresh_keys is to be called.
  void look_at_keys();
  /// No letter is begun any more.
  void stop();

  /// Does what is due, and says when it wants to be called next. On the timer's thread only.
  [[nodiscard]] std::optional<Instant> tick(Instant now);

  /// Nothing: the letter's handler may be run, and from here on a death of the process counts as an attempt.
  /// Otherwise how the redrive is to end without.
  [[nodiscard]] std::optional<RedriveResult::End> begin(const ClaimedLetter& letter);
  /// What became of a letter that was claimed.
  void end(RedriveResult result);
  /// Writes down in that transaction, which the caller commits, that the letter's handler returned. Throws
  /// Error, also when the claim was lost.
  [[nodiscard]] std::vector<RedriveEnd> settle_in(JournalTransaction& transaction,
                                                  const RedriveResult& result);
  /// What settle_in has written is committed.
  void settled(std::int64_t id, const std::vector<RedriveEnd>& ended);
  /// Tells the sink what has ended. Failures are tried again by tick().
  void flush() noexcept;
  /// Waits until nothing that tick() has been asked for is left to be done. False at the deadline.
  [[nodiscard]] bool wait_idle(Instant deadline);

 private:
  struct Held {
    std::string event_type;
    std::string handler;
    /// Event type, handler and ordering key, if it has one.
    std::string lane;
    std::optional<std::int64_t> limited_request;
    bool begun = false;
    /// An earlier letter of its lane was not delivered: nor is this one to be.
    std::optional<RedriveResult::End> instead;
  };
  /// A letter that parks all that follow it in its lane.
  struct Block {
    std::int64_t id = 0;
    std::string lane;
    RedriveResult::End behind;
    /// The sink knows; no claim that begins from now on needs to be told.
    bool settled = false;
  };

  void poll(Instant now);
  void tend(Instant now);
  void claim(Instant now);
  [[nodiscard]] bool claim_once(Instant now);
  [[nodiscard]] std::vector<ServedHandler> hungry_handlers() const;
  [[nodiscard]] std::vector<std::int64_t> waiting_requests() const;
  void hold(const LetterClaim& claim);
  void block_behind(const RedriveResult& result, const std::string& lane) TIDINGS_REQUIRES(mutex_);
  void block(const Block& block) TIDINGS_REQUIRES(mutex_);
  void unblock(const std::vector<RedriveResult>& settled) TIDINGS_REQUIRES(mutex_);
  void refresh_keys();
  void try_again(Instant now, std::chrono::milliseconds wait);
  [[nodiscard]] bool may_flush(Instant now) const TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool must_flush(Instant now) const TIDINGS_REQUIRES(mutex_);

  Redrives* const redrives_;
  BusLog& log_;
  RedriveLog redrive_log_;
  const std::shared_ptr<Clock> clock_;
  const std::string service_;
  const std::string claimant_;
  const Calls calls_;

  // Of the timer's thread.
  Instant next_poll_{};
  std::optional<Instant> next_claim_;
  std::chrono::milliseconds backoff_{0};
  Instant next_keys_{};
  /// The sink has marked letters that it has not looked at yet.
  bool unfinished_look_ = false;
  bool keys_are_due_ = true;

  mutable Mutex mutex_;
  Condition changed_;
  std::map<std::int64_t, Held> held_ TIDINGS_GUARDED_BY(mutex_);
  /// What was blocked: until the sink knows, and letters that were being claimed meanwhile are held.
  std::vector<Block> blocks_ TIDINGS_GUARDED_BY(mutex_);
  bool claiming_ TIDINGS_GUARDED_BY(mutex_) = false;
  std::vector<RedriveResult> results_ TIDINGS_GUARDED_BY(mutex_);
  std::optional<Instant> oldest_result_ TIDINGS_GUARDED_BY(mutex_);
  std::size_t settling_ TIDINGS_GUARDED_BY(mutex_) = 0;
  /// The sink could not keep results: it is not asked again before.
  Instant settle_again_ TIDINGS_GUARDED_BY(mutex_){};
  /// tick() is to claim at once; at its next poll.
  bool look_ TIDINGS_GUARDED_BY(mutex_) = true;
  bool look_later_ TIDINGS_GUARDED_BY(mutex_) = false;
  /// A look is under way, or its letters are on their way to their queues.
  bool looking_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool settled_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
