#include "bus_core.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

// Deliveries that may have killed the process: they run one at a time, before all others but those that their
// own queue owes them first.

namespace tidings::detail {

namespace {

constexpr std::size_t kReadAtOnce = 256;

/// So many times as many crashes as of one that ran alone end one beside which something always runs that the
/// journal does not have.
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

/// A crash counts only against a delivery that ran alone, and only so often. One that never runs alone has to
/// be there again and again. It becomes a letter in its turn, when its subscriber tells its ordering key.
void BusCore::suspect_of_crash(const CrashSuspect& suspect) {
  const auto rows = journal_port_->owed({"", suspect.handler, suspect.journal_id - 1, suspect.journal_id, 1});
  if (rows.empty()) return;
  OwedDelivery row = rows.front();
  const bool always_there = suspect.sole_crashes >= kSoleCrashes * options_.max_crashes;
  if (suspect.alone || always_there) {
    ++row.delivery.crashes;
    if (always_there) row.delivery.crashes = std::max(row.delivery.crashes, options_.max_crashes);
    row.delivery.attempts.push_back(crash_attempt(clock_.now(), suspect));
    row.delivery.failed_at = clock_.now();
    row.delivery.next_attempt_at.reset();  // that attempt was under way when the process died
    journal_->owed.change(row.delivery);
    journal_->commits.flush();
  }
  suspects_.push_back({suspect.journal_id, suspect.handler});
}

void EndSuspectTurn::operator()(BusCore* bus) const noexcept {
  bus->suspect_runs_.store(false);
  bus->housekeeper_.wake();
}

void BusCore::serve_suspects(Instant now) {
  if (!held_.load() || suspect_runs_.load()) return;
  const auto subscribers = topics_.all();
  for (auto suspect = suspects_.begin(); suspect != suspects_.end();) {
    if (suspect->clear_up_to == suspect->journal_id) {  // has run
      suspect = suspects_.erase(suspect);
      continue;
    }
    auto rows = journal_port_->owed({"", suspect->handler, suspect->journal_id - 1, suspect->journal_id, 1});
    const auto subscriber = std::find_if(subscribers.begin(), subscribers.end(), [&](const auto& candidate) {
      return !rows.empty() && candidate->serves(rows.front().event_type, suspect->handler);
    });
    if (!rows.empty() && subscriber == subscribers.end()) {
      ++suspect;
    } else if (!rows.empty() && serve_suspect(*suspect, *subscriber, rows.front())) {
      return;
    } else {
      suspect = suspects_.erase(suspect);
    }
  }
  // Nobody waits longer than this for a handler that does not come back.
  if (!suspects_.empty() && now < suspects_due_) return;
  suspects_.clear();
  held_.store(false);
  refill_wanted_.store(true);
}

/// Runs what is to run next, so that the suspect has its turn in the order of its queue. False: it is no
/// longer one, and comes when the journal is read: after one of its key that waits for a retry or a redrive.
bool BusCore::serve_suspect(Suspect& suspect, const std::shared_ptr<Subscriber>& subscriber,
                            OwedDelivery& row) {
  const auto key = subscriber->keyed ? key_of(*subscriber, row) : std::nullopt;
  if (key && subscriber->queue.has_key(*key)) return false;
  auto earlier = owed_before(suspect, *subscriber, key);
  if (earlier && time_to_retry(earlier->delivery).count() > 0) return false;
  suspect.clear_up_to = earlier ? earlier->journal_id : suspect.journal_id;
  run_suspect(subscriber, earlier ? *earlier : row);
  return true;
}

/// The next of what the suspect's queue runs before it: what has its key, or without keys each first attempt,
/// if one runs after the other.
std::optional<OwedDelivery> BusCore::owed_before(Suspect& suspect, Subscriber& subscriber,
                                                 const std::optional<std::string>& key) {
  const bool in_line = !subscriber.keyed && subscriber.options.concurrency == 1;
  if (!subscriber.queued || (!key && !in_line)) return std::nullopt;
  for (;;) {
    auto rows = journal_port_->owed({subscriber.queried_type(), suspect.handler, suspect.clear_up_to,
                                     suspect.journal_id - 1, kReadAtOnce});
    for (OwedDelivery& row : rows) {
      if (key ? key_of(subscriber, row) == key : row.delivery.attempts_made == 0) return std::move(row);
    }
    if (rows.empty()) return std::nullopt;
    suspect.clear_up_to = rows.back().journal_id;
  }
}

/// Nothing: it has none, or it cannot be found out, which its delivery will find out again.
std::optional<std::string> BusCore::key_of(Subscriber& subscriber, const OwedDelivery& row) {
  if (row.has_letter || !row.problem.empty()) return std::nullopt;
  try {
    const StoredData stored(row.data, row.event_type, row.schema_version, subscriber.schema_version,
                            upcasters_);
    const Payload payload = stored.payload();
    PayloadForms forms(payload);
    DispatchGuard guard(*this);
    return ordering_key_of(subscriber, forms, guard);
  } catch (...) {
    return std::nullopt;
  }
}

void BusCore::run_suspect(const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row) {
  suspect_runs_.store(true);
  SuspectTurn turn(this);
  auto delivery = take_over(*subscriber, row);
  if (!delivery) return;
  delivery->state->suspect = std::move(turn);
  schedule_recovered(subscriber, *delivery, row.delivery);
}

}  // namespace tidings::detail
