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

/// A mark is seen within a second, by no more than two wake-ups a second.
constexpr std::chrono::milliseconds kPoll{600};
/// Between two of several batches of upkeep: others get the database's lock meanwhile.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::milliseconds kFirstBackoff{1'000};
constexpr std::chrono::milliseconds kLongestBackoff{30'000};
/// Long enough for a tick that waits for the database; renewed after a third of it.
constexpr std::chrono::seconds kLease{30};
/// What takes long is followed by so many times its own time without: the timer has other duties.
constexpr int kShare = 2;
constexpr std::size_t kClaimedAtOnce = 128;
constexpr std::size_t kMostBytes = 16U * 1024 * 1024;
constexpr std::size_t kMostHeld = 1024;
/// With fewer than these at hand more are claimed.
constexpr std::size_t kHungry = 64;
constexpr std::size_t kSettledAtOnce = 32;
constexpr std::chrono::milliseconds kSettledWithin{20};

std::string hex(std::uint64_t number) {
  static constexpr std::array kDigits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                         '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number >>= 4U)
    *digit = kDigits[number & 15U];
  return text;
}

std::string lane_of(const DeadLetter& letter) {
  if (!letter.ordering_key) return {};
  return letter.event_type + '\n' + letter.handler + '\n' + *letter.ordering_key;
}

}  // namespace

Redriver::Redriver(Redrives* redrives, BusLog& log, std::shared_ptr<Clock> clock, std::string service,
                   std::uint64_t random, Calls calls)
    : redrives_(redrives),
      log_(log),
      redrive_log_(log.records()),
      clock_(std::move(clock)),
      service_(std::move(service)),
      claimant_(hex(random)),
      calls_(std::move(calls)) {}

RedriveRequest Redriver::request(const LetterFilter& filter, const RedriveOptions& options) {
  const RedriveRequest request = redrives_->mark(service_, filter, options, clock_->now());
  look();
  return request;
}

void Redriver::look() {
  if (!supported()) return;
  {
    const MutexLock lock(mutex_);
    look_ = true;
  }
  calls_.wake();
}

void Redriver::look_at_keys() {
  {
    const MutexLock lock(mutex_);
    settled_ = true;
  }
  look();
}

void Redriver::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

// --- on the timer's thread ---

std::optional<Instant> Redriver::tick(Instant now) {
  if (!supported()) return std::nullopt;
  bool settle = false;
  bool look = false;
  {
    const MutexLock lock(mutex_);
    settle = must_flush(now);
    look = look_;
    if (stopping_ && results_.empty() && held_.empty()) return std::nullopt;
  }
  if (settle) flush();
  if (look || now >= next_poll_ || (next_claim_ && now >= *next_claim_)) poll(now);
  Instant next = std::min(next_poll_, next_claim_.value_or(next_poll_));
  const MutexLock lock(mutex_);
  if (oldest_result_) next = std::min(next, std::max(*oldest_result_ + kSettledWithin, settle_again_));
  return look_ && !stopping_ ? now : next;
}

void Redriver::poll(Instant now) {
  bool stopping = false;
  bool claims = false;
  bool settled = false;
  {
    const MutexLock lock(mutex_);
    stopping = stopping_;
    looking_ = !stopping;
    settled = std::exchange(settled_, false);
    claims = std::exchange(look_, false) || (next_claim_ && now >= *next_claim_);
    if (now >= next_poll_) claims = std::exchange(look_later_, false) || claims;
  }
  try {
    const bool changed = !stopping && redrives_->changed();
    if (now >= next_poll_) tend(now);  // also while the bus stops: handlers may run on for long
    if (stopping) {
      claims = false;
      next_claim_.reset();
    }
    if (claims || changed) claim(now);
    keys_are_due_ = keys_are_due_ || changed || settled;
    if (keys_are_due_ && now >= next_keys_) refresh_keys();
    backoff_ = std::chrono::milliseconds(0);
  } catch (const std::bad_alloc&) {
    try_again(now, kAgainWithoutMemory);
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
    backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
    try_again(now, backoff_);
  }
  const MutexLock lock(mutex_);
  looking_ = false;
  changed_.notify_all();
}

void Redriver::try_again(Instant now, std::chrono::milliseconds wait) {
  next_poll_ = now + wait;
  next_claim_.reset();
  keys_are_due_ = true;
  const MutexLock lock(mutex_);
  look_later_ = true;
}

void Redriver::refresh_keys() {
  const Instant began = clock_->monotonic_now();
  keys_are_due_ = !calls_.refresh_keys();
  const Instant ended = clock_->monotonic_now();
  next_keys_ = ended + (ended - began) * kShare;
}

void Redriver::tend(Instant now) {
  next_poll_ = now + kPoll;
  const RedriveUpkeep upkeep = redrives_->tend(claimant_, kLease, clock_->now());
  for (const std::int64_t id : upkeep.crashed) redrive_log_.crashed(id);
  for (const RedriveEnd& end : upkeep.ended) redrive_log_.ended(end);
  if (upkeep.more) next_poll_ = now + kPause;
  if (upkeep.returned == 0) return;
  const MutexLock lock(mutex_);
  look_ = true;
}

void Redriver::claim(Instant now) {
  next_claim_.reset();
  unfinished_look_ = false;
  while (claim_once(now)) {
    const MutexLock lock(mutex_);
    // What was handed back is not taken again at once: its reason may last.
    if (stopping_ || look_later_ || held_.size() >= kMostHeld) break;
  }
  if (!unfinished_look_) return;
  const Instant ended = clock_->monotonic_now();
  const Instant go_on = ended + (ended - now) * kShare;
  next_claim_ = std::min(next_claim_.value_or(go_on), go_on);
}

bool Redriver::claim_once(Instant now) {
  const auto handlers = hungry_handlers();
  if (handlers.empty()) return false;
  const auto waiting = waiting_requests();
  {
    const MutexLock lock(mutex_);
    claiming_ = true;
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
  next_claim_ = claim.next;
  for (const UnreadableLetter& letter : claim.unreadable) redrive_log_.unreadable(letter);
  hold(claim);
  unfinished_look_ = claim.more && claim.letters.empty();
  if (claim.letters.empty()) return false;
  kill_point("redrive.claimed");
  redrive_log_.claimed(claim.letters.size());
  for (ClaimedLetter& letter : claim.letters) calls_.deliver(std::move(letter));
  return true;
}

/// A handler with enough at hand is left out, so that it holds up no other.
std::vector<ServedHandler> Redriver::hungry_handlers() const {
  auto handlers = calls_.served();
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> at_hand;
  const MutexLock lock(mutex_);
  for (const auto& [id, held] : held_) {
    ++at_hand[{held.event_type, held.handler}];
    ++at_hand[{"*", held.handler}];
  }
  std::erase_if(handlers, [&](const ServedHandler& each) {
    const auto found = at_hand.find({each.event_type, each.handler});
    return found != at_hand.end() && found->second >= kHungry;
  });
  return handlers;
}

std::vector<std::int64_t> Redriver::waiting_requests() const {
  std::vector<std::int64_t> requests;
  const MutexLock lock(mutex_);
  for (const auto& [id, held] : held_) {
    if (held.limited_request && !held.begun) requests.push_back(*held.limited_request);
  }
  return requests;
}

void Redriver::hold(const LetterClaim& claim) {
  const MutexLock lock(mutex_);
  for (const ClaimedLetter& letter : claim.letters) {
    // They are claimed: who is not held here is delivered by nobody.
    Held& held = patiently([&]() -> Held& {
      mutex_.assert_held();
      return held_[letter.id];
    });
    held.event_type = patiently([&] { return letter.letter.event_type; });
    held.handler = patiently([&] { return letter.letter.handler; });
    held.lane = patiently([&] { return lane_of(letter.letter); });
    if (letter.limited) held.limited_request = letter.redrive_id;
  }
  claiming_ = false;
  for (const Block& each : blocks_) block(each);
  std::erase_if(blocks_, [](const Block& each) { return each.settled; });
}

void Redriver::unblock(const std::vector<RedriveResult>& settled) {
  for (const RedriveResult& result : settled) {
    for (Block& each : blocks_) each.settled = each.settled || each.id == result.id;
  }
  if (!claiming_) std::erase_if(blocks_, [](const Block& each) { return each.settled; });
}

void Redriver::block(const Block& block) {
  for (auto held = held_.upper_bound(block.id); held != held_.end(); ++held) {
    if (held->second.lane == block.lane && !held->second.instead) held->second.instead = block.behind;
  }
}

// --- on handlers' threads ---

bool Redriver::may_flush(Instant now) const { return !results_.empty() && now >= settle_again_; }

bool Redriver::must_flush(Instant now) const {
  if (!may_flush(now)) return false;
  return results_.size() >= kSettledAtOnce || (oldest_result_ && now >= *oldest_result_ + kSettledWithin);
}

std::optional<RedriveResult::End> Redriver::begin(const ClaimedLetter& letter) {
  bool settle = false;
  bool look_again = false;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return RedriveResult::End::Returned;
    settle = must_flush(clock_->monotonic_now());
    Held& held = held_[letter.id];
    if (held.instead) return held.instead;
    held.begun = true;
    look_again = held.limited_request && std::none_of(held_.begin(), held_.end(), [&](const auto& each) {
                   return each.second.limited_request == held.limited_request && !each.second.begun;
                 });
  }
  if (settle) flush();
  if (look_again) look();
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

/// With AfterDeath::Park nothing of a lane is delivered before what came earlier.
void Redriver::block_behind(const RedriveResult& result, const std::string& lane) {
  using End = RedriveResult::End;
  if (!result.parks || lane.empty() || result.end == End::Reprocessed) return;
  const auto end = result.end == End::Returned ? End::Returned : End::Withdrawn;
  Block behind{result.id, patiently([&] { return lane; }), end, false};
  block(behind);
  patiently([&] {
    mutex_.assert_held();
    blocks_.push_back(std::move(behind));
  });
}

void Redriver::end(RedriveResult result) {
  bool settle = false;
  bool first = false;
  {
    const MutexLock lock(mutex_);
    const auto held = held_.find(result.id);
    // A failure may stop its request: no more of it is to begin.
    settle = result.end == RedriveResult::End::Failed && held != held_.end() && held->second.limited_request;
    if (held != held_.end()) {
      block_behind(result, held->second.lane);
      held_.erase(held);
    }
    patiently([&] {
      mutex_.assert_held();
      results_.push_back(std::move(result));
    });
    const Instant now = clock_->monotonic_now();
    first = !oldest_result_;
    if (first) oldest_result_ = now;
    settle = may_flush(now) && (settle || stopping_ || held_.empty() || must_flush(now));
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
  for (const RedriveEnd& end : ended) redrive_log_.ended(end);
  {
    const MutexLock lock(mutex_);
    held_.erase(id);
    settled_ = true;
    look_ = look_ || (held_.size() < kHungry && !stopping_);
    changed_.notify_all();
  }
  calls_.wake();
}

void Redriver::flush() noexcept {
  std::vector<RedriveResult> batch;
  std::ptrdiff_t returned = 0;
  {
    const MutexLock lock(mutex_);
    batch.swap(results_);
    oldest_result_.reset();
    settling_ += batch.size();
    returned = std::count_if(batch.begin(), batch.end(), [](const RedriveResult& result) {
      return result.end == RedriveResult::End::Returned;
    });
    look_later_ = look_later_ || returned > 0;
  }
  if (batch.empty()) return;
  bool kept = true;
  auto again = kFirstBackoff;
  kill_point("redrive.before_settle");
  try {
    for (const RedriveEnd& end : redrives_->settle(claimant_, batch)) redrive_log_.ended(end);
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
    settling_ -= batch.size();
    if (!kept) {
      settle_again_ = clock_->monotonic_now() + again;
      oldest_result_ = settle_again_;
      patiently([&] {
        mutex_.assert_held();
        batch.reserve(batch.size() + results_.size());
      });
      std::move(results_.begin(), results_.end(), std::back_inserter(batch));
      results_.swap(batch);
    } else {
      unblock(batch);
      settled_ = true;
      look_ = look_ || (held_.size() < kHungry && returned < std::ssize(batch) && !stopping_);
    }
    changed_.notify_all();
  }
  calls_.wake();
}

bool Redriver::wait_idle(Instant deadline) {
  if (!supported()) return true;
  const MutexLock lock(mutex_);
  bool in_time = true;
  while (!stopping_ && (look_ || looking_ || !held_.empty() || !results_.empty() || settling_ > 0)) {
    if (!in_time) return false;
    in_time = changed_.wait_until(mutex_, deadline);
  }
  return true;
}

}  // namespace tidings::detail
