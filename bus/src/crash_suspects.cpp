#include "bus_core.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

// Deliveries that may have killed the process: they run one at a time, before all others.

namespace tidings::detail {

namespace {

Attempt crash_attempt(Timestamp now) {
  return {now, std::chrono::microseconds(0), "tidings::crashed",
          "the process died while this delivery alone was running"};
}

}  // namespace

/// A crash counts only against a delivery that ran alone, and only so often.
void BusCore::suspect_of_crash(const CrashSuspect& suspect) {
  const auto rows = journal_port_->owed({"", suspect.handler, suspect.journal_id - 1, suspect.journal_id, 1});
  if (rows.empty()) return;
  OwedDelivery row = rows.front();
  if (suspect.alone) {
    ++row.delivery.crashes;
    row.delivery.attempts.push_back(crash_attempt(clock_.now()));
    row.delivery.failed_at = clock_.now();
    row.delivery.next_attempt_at.reset();  // that attempt was under way when the process died
    journal_->change(row.delivery);
    journal_->flush();
  }
  if (row.delivery.crashes >= options_.max_crashes) {
    if (const OwedDeliveryHandle owed = journal_->adopt(row)) bury_row(row, owed, Reason::Crashed);
    return;
  }
  suspects_.push_back(suspect);
}

void BusCore::serve_suspects(Instant now) {
  if (!held_.load() || suspect_runs_.load()) return;
  const auto subscribers = topics_.all();
  for (auto suspect = suspects_.begin(); suspect != suspects_.end();) {
    auto rows = journal_port_->owed({"", suspect->handler, suspect->journal_id - 1, suspect->journal_id, 1});
    if (rows.empty()) {
      suspect = suspects_.erase(suspect);
      continue;
    }
    const auto subscriber = std::find_if(subscribers.begin(), subscribers.end(), [&](const auto& candidate) {
      return candidate->serves(rows.front().event_type, suspect->handler);
    });
    if (subscriber == subscribers.end()) {
      ++suspect;
      continue;
    }
    suspects_.erase(suspect);
    suspect_runs_.store(true);
    return run_suspect(*subscriber, rows.front());
  }
  // Nobody waits longer than this for a handler that does not come back.
  if (!suspects_.empty() && now < suspects_due_) return;
  suspects_.clear();
  held_.store(false);
  refill_wanted_.store(true);
}

void BusCore::run_suspect(const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row) {
  auto delivery = take_over(*subscriber, row);
  if (!delivery) return suspect_returned();
  delivery->state->suspect = true;
  schedule_recovered(subscriber, *delivery, row.delivery);
}

void BusCore::suspect_returned() {
  suspect_runs_.store(false);
  housekeeper_.wake();
}

}  // namespace tidings::detail
