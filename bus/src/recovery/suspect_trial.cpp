#include "recovery/suspect_trial.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kReadAtOnce = 256;
constexpr std::chrono::seconds kWaitForHandlers{10};

/// A delivery that never ran alone becomes a letter after this many times `max_crashes` crashes in a row in
/// which no other durable delivery was running.
constexpr std::uint64_t kSoleCrashes = 4;

Attempt crash_attempt(Timestamp now, const CrashSuspect& suspect) {
  std::string what = "the process died while this delivery alone was running";
  if (!suspect.alone) {
    what = "the process died " + std::to_string(suspect.sole_crashes) +
           " times in a row while no other durable delivery was running";
  }
  return {now, std::chrono::microseconds(0), "tidings::crashed", std::move(what)};
}

}  // namespace

/// A crash counts against a delivery that ran alone, or that was the only durable one in many crashes in a
/// row. At `max_crashes` it becomes a letter, when it is queued: only its subscriber can compute its ordering
/// key.
void SuspectTrial::add(const CrashSuspect& suspect) {
  const auto rows =
      bus_.journal.port->owed({"", suspect.handler, suspect.journal_id - 1, suspect.journal_id, 1});
  if (rows.empty()) return;
  OwedDelivery row = rows.front();
  const bool always_there = suspect.sole_crashes >= kSoleCrashes * bus_.setup.options.max_crashes;
  if (suspect.alone || always_there) {
    ++row.delivery.crashes;
    if (always_there) row.delivery.crashes = std::max(row.delivery.crashes, bus_.setup.options.max_crashes);
    row.delivery.attempts.push_back(crash_attempt(bus_.setup.clock.now(), suspect));
    row.delivery.failed_at = bus_.setup.clock.now();
    row.delivery.next_attempt_at.reset();  // that attempt was under way when the process died
    bus_.journal.ledger->change(row.delivery);
    bus_.journal.commits->flush();
  }
  suspects_.push_back({suspect.journal_id, suspect.handler});
}

void SuspectTrial::begin(std::span<const CrashSuspect> suspects, Instant now) {
  for (const CrashSuspect& suspect : suspects) add(suspect);
  std::sort(suspects_.begin(), suspects_.end(),
            [](const Suspect& left, const Suspect& right) { return left.journal_id < right.journal_id; });
  bus_.gate.hold_durable(!suspects_.empty());
  wait_until_ = now + kWaitForHandlers;
}

std::optional<Instant> SuspectTrial::due() const {
  if (!bus_.gate.durable_held() || !bus_.gate.is_open()) return std::nullopt;
  return wait_until_;
}

void SuspectTrial::end_turn() noexcept {
  runs_.store(false);
  bus_.housekeeper.wake();
}

void SuspectTrial::serve(Instant now) {
  if (!bus_.gate.durable_held() || runs_.load()) return;
  const auto subscribers = bus_.topics.all();
  for (auto suspect = suspects_.begin(); suspect != suspects_.end();) {
    if (suspect->clear_up_to == suspect->journal_id) {  // has run
      suspect = suspects_.erase(suspect);
      continue;
    }
    auto rows =
        bus_.journal.port->owed({"", suspect->handler, suspect->journal_id - 1, suspect->journal_id, 1});
    const auto subscriber = std::find_if(subscribers.begin(), subscribers.end(), [&](const auto& candidate) {
      return !rows.empty() && candidate->serves(rows.front().event_type, suspect->handler);
    });
    if (!rows.empty() && subscriber == subscribers.end()) {
      ++suspect;
    } else if (!rows.empty() && serve(*suspect, *subscriber, rows.front())) {
      return;
    } else {
      suspect = suspects_.erase(suspect);
    }
  }
  if (!suspects_.empty() && now < wait_until_) return;
  suspects_.clear();
  bus_.gate.hold_durable(false);
  bus_.refill.request_quietly();
}

/// Runs what is to run next, so that the suspect has its turn in the order of its queue. False: it is no
/// longer a suspect, and comes when the journal is read: after one of its key that waits for a retry or a
/// redrive.
bool SuspectTrial::serve(Suspect& suspect, const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row) {
  const auto key = subscriber->keyed ? readmission_.key_of(*subscriber, row) : std::nullopt;
  if (key && subscriber->queue.has_key(*key)) return false;
  auto earlier = owed_before(suspect, *subscriber, key);
  if (earlier && readmission_.time_to_retry(earlier->delivery).count() > 0) return false;
  const std::int64_t runs = earlier ? earlier->journal_id : suspect.journal_id;
  run(subscriber, earlier ? *earlier : row);
  suspect.clear_up_to = runs;  // not before: when run() throws it is tried again
  return true;
}

/// The next delivery that the suspect's queue runs before it: one with its key, or, in a queue without keys
/// that runs one after the other, one that has not been attempted.
std::optional<OwedDelivery> SuspectTrial::owed_before(Suspect& suspect, Subscriber& subscriber,
                                                      const std::optional<std::string>& key) {
  const bool in_line = !subscriber.keyed && subscriber.options.concurrency == 1;
  if (!subscriber.queued || (!key && !in_line)) return std::nullopt;
  for (;;) {
    auto rows = bus_.journal.port->owed({subscriber.queried_type(), suspect.handler, suspect.clear_up_to,
                                         suspect.journal_id - 1, kReadAtOnce});
    for (OwedDelivery& row : rows) {
      if (key ? readmission_.key_of(subscriber, row) == key : row.delivery.attempts_made == 0)
        return std::move(row);
    }
    if (rows.empty()) return std::nullopt;
    suspect.clear_up_to = rows.back().journal_id;
  }
}

void SuspectTrial::run(const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row) {
  runs_.store(true);
  SuspectTurn turn(this);
  auto delivery = readmission_.take_over(*subscriber, row);
  if (!delivery) return;
  delivery->state->suspect = std::move(turn);
  readmission_.queue(subscriber, *delivery, row.delivery);
}

}  // namespace tidings::detail
