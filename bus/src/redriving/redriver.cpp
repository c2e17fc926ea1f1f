#include "redriving/redriver.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <iterator>
#include <new>
#include <utility>

namespace tidings::detail {

namespace {

/// Long enough for a tick that waits for the database; renewed after a third of it.
constexpr std::chrono::seconds kLease{30};
constexpr std::size_t kClaimedAtOnce = 128;
constexpr std::size_t kMostBytes = 16U * 1024 * 1024;

std::string hex(std::uint64_t number) {
  static constexpr std::array kDigits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                         '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number >>= 4U)
    *digit = kDigits[number & 15U];
  return text;
}

}  // namespace

Redriver::Redriver(Redrives* redrives, BusLog& log, std::shared_ptr<Clock> clock, std::string service,
                   std::uint64_t random, Calls calls)
    : redrives_(redrives),
      log_(log),
      clock_(std::move(clock)),
      service_(std::move(service)),
      claimant_(hex(random)),
      calls_(std::move(calls)) {}

RedriveRequest Redriver::request(const LetterFilter& filter, const RedriveOptions& options) {
  RedriveRequest request = redrives_->mark(service_, filter, options, clock_->now());
  if (request.letters > 0) log_.letters.redrive_requested(request, options.requested_by);
  look();
  return request;
}

void Redriver::look() {
  if (!supported()) return;
  {
    const MutexLock lock(mutex_);
    asked_.look = true;
  }
  calls_.wake();
}

void Redriver::look_at_keys() {
  {
    const MutexLock lock(mutex_);
    asked_.keys = true;
  }
  look();
}

void Redriver::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

// --- on the housekeeper's thread ---

std::optional<Instant> Redriver::tick(Instant now) {
  if (!supported()) return std::nullopt;
  bool settle = false;
  bool look = false;
  {
    const MutexLock lock(mutex_);
    settle = results_.must_flush(now);
    look = asked_.look;
    if (stopping_ && results_.empty() && claimed_.empty()) return std::nullopt;
  }
  if (settle) flush();
  if (look || schedule_.poll_is_due(now) || schedule_.claim_is_due(now)) poll(now);
  const MutexLock lock(mutex_);
  if (asked_.look && !stopping_) return now;
  return std::min(schedule_.next(), results_.due().value_or(schedule_.next()));
}

void Redriver::poll(Instant now) {
  bool stopping = false;
  bool claims = false;
  bool keys = false;
  {
    const MutexLock lock(mutex_);
    stopping = stopping_;
    looking_ = !stopping;
    keys = std::exchange(asked_.keys, false);
    claims = std::exchange(asked_.look, false) || schedule_.claim_is_due(now);
    if (schedule_.poll_is_due(now)) claims = std::exchange(asked_.look_later, false) || claims;
  }
  try {
    const bool changed = !stopping && redrives_->changed();
    if (schedule_.poll_is_due(now)) tend(now);  // also while the bus stops: handlers may run on for long
    if (stopping) {
      claims = false;
      schedule_.claim_at(std::nullopt);
    }
    if (claims || changed) claim(now);
    if (changed || keys) schedule_.want_keys();
    if (schedule_.keys_are_due(now)) refresh_keys();
    schedule_.succeeded();
  } catch (const std::bad_alloc&) {
    schedule_.try_again(now + kAgainWithoutMemory);
    look_later();
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
    schedule_.failed(now);
    look_later();
  }
  const MutexLock lock(mutex_);
  looking_ = false;
  changed_.notify_all();
}

void Redriver::look_later() {
  const MutexLock lock(mutex_);
  asked_.look_later = true;
}

void Redriver::refresh_keys() {
  const Instant began = clock_->monotonic_now();
  const bool all = calls_.refresh_keys();
  schedule_.keys_refreshed(all, began, clock_->monotonic_now());
}

void Redriver::tend(Instant now) {
  schedule_.poll_again(now);
  const RedriveUpkeep upkeep = redrives_->tend(claimant_, kLease, clock_->now());
  for (const RedriveResult& crashed : upkeep.crashed) log_.letters.redrive_crashed(crashed);
  for (const RedriveEnd& end : upkeep.ended) log_.letters.redrive_ended(end);
  if (upkeep.more) schedule_.poll_soon(now);
  if (upkeep.returned == 0) return;
  const MutexLock lock(mutex_);
  asked_.look = true;
}

void Redriver::claim(Instant now) {
  schedule_.claim_at(std::nullopt);
  Claimed claimed = claim_once(now);
  for (; claimed == Claimed::Letters; claimed = claim_once(now)) {
    const MutexLock lock(mutex_);
    // What was handed back is not taken again at once: its reason may last.
    if (stopping_ || asked_.look_later || claimed_.full()) return;
  }
  if (claimed == Claimed::NoneYet) schedule_.look_on(now, clock_->monotonic_now());
}

Redriver::Claimed Redriver::claim_once(Instant now) {
  auto handlers = calls_.served();
  std::vector<std::int64_t> waiting;
  {
    const MutexLock lock(mutex_);
    claimed_.leave_out_busy(handlers);
    if (handlers.empty()) return Claimed::None;
    waiting = claimed_.waiting_requests();
    claimed_.begin_claim();
  }
  LetterClaim claim = redrives_->claim({.service = service_,
                                        .claimant = claimant_,
                                        .handlers = handlers,
                                        .most_letters = kClaimedAtOnce,
                                        .most_bytes = kMostBytes,
                                        .lease = kLease,
                                        .now = now,
                                        .wall = clock_->now(),
                                        .waiting = waiting});
  schedule_.claim_at(claim.next);
  for (const UnreadableLetter& letter : claim.unreadable) log_.letters.redrive_unreadable(letter);
  {
    const MutexLock lock(mutex_);
    claimed_.hold(claim);
  }
  if (claim.letters.empty()) return claim.more ? Claimed::NoneYet : Claimed::None;
  kill_point("redrive.claimed");
  log_.letters.redrive_claimed(claim.letters.size());
  for (ClaimedLetter& letter : claim.letters) calls_.deliver(std::move(letter));
  return Claimed::Letters;
}

// --- on handlers' threads ---

std::optional<RedriveResult::End> Redriver::begin(const ClaimedLetter& letter) {
  bool settle = false;
  ClaimedLetters::Begun begun;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return RedriveResult::End::Returned;
    settle = results_.must_flush(clock_->monotonic_now());
    begun = claimed_.begin(letter.id);
    if (begun.instead) return begun.instead;
  }
  if (settle) flush();
  if (begun.last_of_request) look();
  try {
    if (redrives_->begin(claimant_, letter.id, clock_->now())) {
      kill_point("redrive.begun");
      return std::nullopt;
    }
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
  }
  return RedriveResult::End::Returned;
}

void Redriver::end(RedriveResult result) {
  bool settle = false;
  bool first = false;
  {
    const MutexLock lock(mutex_);
    const bool failed = result.end == RedriveResult::End::Failed;
    const bool limited = claimed_.end(result);
    const Instant now = clock_->monotonic_now();
    first = results_.add(std::move(result), now);
    // A failure may stop its request: no more of it is to begin.
    settle = results_.may_flush(now) &&
             ((failed && limited) || stopping_ || claimed_.empty() || results_.must_flush(now));
  }
  if (settle) {
    flush();
  } else if (first) {
    calls_.wake();
  }
}

std::vector<RedriveEnd> Redriver::settle_in(JournalTransaction& transaction, const RedriveResult& result) {
  if (auto ended = redrives_->settle_in(transaction, claimant_, result)) return std::move(*ended);
  throw Error(ErrorCode::DatabaseBusy,
              "the claim on the letter was lost while its handler ran (its lease had passed); nothing of the "
              "handler's transaction was kept, and whoever has the letter now delivers it");
}

void Redriver::settled(std::int64_t id, const std::vector<RedriveEnd>& ended) {
  for (const RedriveEnd& end : ended) log_.letters.redrive_ended(end);
  {
    const MutexLock lock(mutex_);
    claimed_.forget(id);
    asked_.keys = true;
    asked_.look = asked_.look || (claimed_.wants_more() && !stopping_);
    changed_.notify_all();
  }
  calls_.wake();
}

void Redriver::flush() noexcept {
  std::vector<RedriveResult> batch;
  std::ptrdiff_t returned = 0;
  {
    const MutexLock lock(mutex_);
    batch = results_.take();
    returned = std::count_if(batch.begin(), batch.end(), [](const RedriveResult& result) {
      return result.end == RedriveResult::End::Returned;
    });
    asked_.look_later = asked_.look_later || returned > 0;
  }
  if (batch.empty()) return;
  bool kept = true;
  auto again = RedriveSchedule::kFirstBackoff;
  kill_point("redrive.before_settle");
  try {
    for (const RedriveEnd& end : redrives_->settle(claimant_, batch)) log_.letters.redrive_ended(end);
    kill_point("redrive.after_settle");
  } catch (const std::bad_alloc&) {
    kept = false;
    again = kAgainWithoutMemory;
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
    kept = false;
  }
  {
    const MutexLock lock(mutex_);
    if (!kept) {
      results_.put_back(batch, clock_->monotonic_now() + again);
    } else {
      results_.settled(batch);
      claimed_.settled(batch);
      asked_.keys = true;
      asked_.look = asked_.look || (claimed_.wants_more() && returned < std::ssize(batch) && !stopping_);
    }
    changed_.notify_all();
  }
  calls_.wake();
}

bool Redriver::wait_idle(Instant deadline) {
  if (!supported()) return true;
  const MutexLock lock(mutex_);
  bool in_time = true;
  while (!stopping_ && (asked_.look || looking_ || !claimed_.empty() || !results_.all_settled())) {
    if (!in_time) return false;
    in_time = changed_.wait_until(mutex_, deadline);
  }
  return true;
}

}  // namespace tidings::detail
