#include "recovery/journal_duties.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <new>
#include <thread>

namespace tidings::detail {

namespace {

constexpr std::chrono::hours kForgetKeysEvery{1};
/// A service may be started often; a machine's clock may be set only after it has started.
constexpr std::chrono::minutes kForgetKeysFirst{1};
constexpr std::chrono::milliseconds kLookForReader{1};

/// Raises a flag while it lives.
class Raised {
 public:
  explicit Raised(std::atomic<bool>& flag) noexcept : flag_(flag) { flag_.store(true); }
  ~Raised() { flag_.store(false); }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

void JournalDuties::begin(const JournalStart& start) {
  const Instant now = bus_.setup.clock.monotonic_now();
  if (start.events > 0) unserved_.begin(now);
  keys_due_ = now + kForgetKeysFirst;
  if (start.events > 0 || start.crashed) bus_.log.recovered(start);
  bus_.observing.recovery_started({start.events, start.crashed}, start.next_id);
  kill_point("recover.acquired");
  suspects_.begin(start.suspects, now);
}

std::optional<Instant> JournalDuties::serve(Instant now) {
  if (!bus_.journal) return std::nullopt;
  try {
    if (!bus_.journal.is_lost()) return serve_open(now);
  } catch (const std::bad_alloc&) {
    bus_.refill.request_quietly();
    return now + kAgainWithoutMemory;
  } catch (const std::exception& error) {
    const auto* const known = dynamic_cast<const Error*>(&error);
    if (known == nullptr || known->code() != ErrorCode::JournalOwned) {
      bus_.log.housekeeping_failed(what_of(error));
      bus_.refill.request_quietly();
      return now + std::chrono::seconds(1);
    }
    bus_.journal.commits->lose(*known);
  }
  leave_to_owner();
  return std::nullopt;
}

/// What the journal still has for this bus's handlers is another bus's to deliver.
void JournalDuties::leave_to_owner() {
  for (const auto& subscriber : bus_.topics.all()) backlogs_.end(*subscriber);
}

Instant JournalDuties::serve_open(Instant now) {
  bus_.journal.commits->flush_if_due(now);
  auto look = transactions_.look(now);
  read_back(now);
  if (!look) look = transactions_.due(now);
  unserved_.report_if_due(now);
  forget_keys(now);
  Instant next = keys_due_;
  for (const auto& due : {bus_.journal.commits->due(), unserved_.due(), suspects_.due(), look}) {
    if (due) next = std::min(next, *due);
  }
  return next;
}

/// A stop closes the gate before it asks whether this is running.
void JournalDuties::read_back(Instant now) {
  const Raised reading(reading_back_);
  if (!bus_.gate.is_open()) return;
  suspects_.serve(now);
  backlogs_.refill();
}

void JournalDuties::forget_keys(Instant now) {
  if (now < keys_due_) return;
  const bool more =
      bus_.journal.port->forget_keys(bus_.journal.idempotency->ending_with(bus_.setup.clock.now()));
  keys_due_ = more ? now + std::chrono::seconds(1) : now + kForgetKeysEvery;
}

void JournalDuties::wait_for_reader(std::chrono::steady_clock::time_point deadline) const {
  while (reading_back_.load() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(kLookForReader);
}

}  // namespace tidings::detail
