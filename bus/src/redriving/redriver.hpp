#pragma once

#include "log/bus_log.hpp"
#include "redriving/claimed_letters.hpp"
#include "redriving/redrive_results.hpp"
#include "redriving/redrive_schedule.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// Brings letters that somebody wants delivered again from the sink to their handlers, and reports to the
/// sink what became of them. The housekeeper calls tick(); handlers' threads call begin() and end().
/// Thread-safe.
class Redriver {
 public:
  struct Calls {
    /// The handlers that may be given letters now.
    std::function<std::vector<ServedHandler>()> served;
    /// Takes a claimed letter to its handler's queue; end() follows, whatever happens.
    std::function<void(ClaimedLetter)> deliver;
    /// Something has changed in the sink: looks what that means for ordering keys. False: to be called again.
    std::function<bool()> refresh_keys;
    /// Makes the housekeeper call tick() at once.
    std::function<void()> wake;
  };

  /// A null `redrives` makes an object that does nothing.
  Redriver(Redrives* redrives, BusLog& log, std::shared_ptr<Clock> clock, std::string service,
           std::uint64_t random, Calls calls);

  [[nodiscard]] bool supported() const noexcept { return redrives_ != nullptr; }
  /// Marks letters, and has them claimed soon. Throws Error.
  RedriveRequest request(const LetterFilter& filter, const RedriveOptions& options);
  /// There are new handlers: looks soon for letters that are marked for them.
  void look();
  /// Looks soon, and refreshes ordering keys too: what waits behind a key's redrives may be able to go on.
  void look_at_keys();
  /// No letter is begun any more.
  void stop();

  /// Does what is due, and says when it wants to be called next. On the housekeeper's thread only.
  [[nodiscard]] std::optional<Instant> tick(Instant now);

  /// Returns nullopt if the letter's handler may be run; from here on a death of the process counts as an
  /// attempt. Otherwise returns how the redrive is to end without a run.
  [[nodiscard]] std::optional<RedriveResult::End> begin(const ClaimedLetter& letter);
  /// Takes what became of a letter that was claimed.
  void end(RedriveResult result);
  /// Records in that transaction, which the caller commits, that the letter's handler returned. Throws Error,
  /// also when the claim was lost.
  [[nodiscard]] std::vector<RedriveEnd> settle_in(JournalTransaction& transaction,
                                                  const RedriveResult& result);
  /// What settle_in has written is committed.
  void settled(std::int64_t id, const std::vector<RedriveEnd>& ended);
  /// Reports to the sink what has ended. Failures are tried again by tick().
  void flush() noexcept;
  /// Waits until all that tick() was asked for is done. False at the deadline.
  [[nodiscard]] bool wait_idle(Instant deadline);

 private:
  enum class Claimed : std::uint8_t {
    None,
    NoneYet,  ///< The sink has marked letters that it has not looked at.
    Letters,
  };
  /// What tick() is asked to do.
  struct Asked {
    /// To claim at once; at its next poll.
    bool look = true;
    bool look_later = false;
    /// To refresh ordering keys.
    bool keys = false;
  };

  void poll(Instant now);
  void tend(Instant now);
  void claim(Instant now);
  [[nodiscard]] Claimed claim_once(Instant now);
  void refresh_keys();
  void look_later();

  Redrives* const redrives_;
  BusLog& log_;
  const std::shared_ptr<Clock> clock_;
  const std::string service_;
  const std::string claimant_;
  const Calls calls_;
  RedriveSchedule schedule_;  // for the housekeeper's thread

  mutable Mutex mutex_;
  Condition changed_;
  ClaimedLetters claimed_ TIDINGS_GUARDED_BY(mutex_);
  RedriveResults results_ TIDINGS_GUARDED_BY(mutex_);
  Asked asked_ TIDINGS_GUARDED_BY(mutex_);
  /// A look is under way, or its letters are on their way to their queues.
  bool looking_ TIDINGS_GUARDED_BY(mutex_) = false;
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
