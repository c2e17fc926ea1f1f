#include "ledger/owed_ledger.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <utility>

namespace tidings::detail {

namespace {

/// `names` are those of the last one: they rarely change.
std::shared_ptr<OwedEvent> rebuild(const OwedDelivery& row, std::shared_ptr<const HandlerNames>& names) {
  if (!names || names->names != row.handlers) names = std::make_shared<const HandlerNames>(row.handlers);
  auto event = std::make_shared<OwedEvent>(names);
  event->id = row.journal_id;
  for (std::size_t index = 0; index < row.handlers.size(); ++index) {
    if (std::find(row.done.begin(), row.done.end(), row.handlers[index]) == row.done.end()) continue;
    event->parts[index].done = true;
    --event->parts_open;
  }
  return event;
}

}  // namespace

// --- ids ---

void OwedLedger::admit(std::span<AppendRequest> requests, const Admit& admit, Placing* placing) {
  try {
    if (placing != nullptr) placing->first_ = ids_.place();
    for (AppendRequest& request : requests) {
      request.append.id = ids_.take();
      request.owed->id = request.append.id;
      request.append.handlers = request.owed->handlers->json;
      request.batch_goes_on = &request != &requests.back();
      admit(request);
      events_.emplace(request.append.id, request.owed);
      next_.add(request);
    }
  } catch (...) {
    withdraw(requests);
    throw;
  }
}

/// Their ids are never seen: the mutex was held all the time.
void OwedLedger::withdraw(std::span<AppendRequest> requests) noexcept {
  for (AppendRequest& request : requests) {
    next_.remove(request);
    forget(request.append.id);
  }
}

void Placing::end() noexcept {
  if (first_ != 0) ledger_.placed(std::exchange(first_, 0));
}

void OwedLedger::placed(std::int64_t first) noexcept {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    wake = ids_.placed(first);
  }
  if (wake) wake_();
}

std::int64_t OwedLedger::reserve(const std::function<void(std::int64_t)>& admit) {
  const MutexLock lock(mutex_);
  const std::int64_t id = ids_.reserve();
  admit(id);
  return id;
}

std::vector<std::int64_t> OwedLedger::reserved() const {
  const MutexLock lock(mutex_);
  return ids_.reserved();
}

bool OwedLedger::awaits_transactions() const {
  const MutexLock lock(mutex_);
  return !ids_.reserved().empty();
}

void OwedLedger::transactions_ended(std::span<const std::int64_t> ids) {
  bool any = false;
  {
    const MutexLock lock(mutex_);
    any = ids_.settle_reserved(ids);
  }
  if (any) wake_();
}

std::int64_t OwedLedger::settled_up_to() const {
  const MutexLock lock(mutex_);
  return ids_.settled_up_to(next_.first_request());
}

// --- what is in memory ---

bool OwedLedger::take_in(OwedEvent& event, std::size_t index) {
  OwedEvent::Part& part = event.parts[index];
  if (part.done || part.in_memory) return false;
  part.in_memory = true;
  ++event.in_memory;
  return true;
}

void OwedLedger::let_go(OwedEvent& event, OwedEvent::Part& part) {
  part.in_memory = false;
  --event.in_memory;
}

OwedDeliveryHandle OwedLedger::adopt(const OwedDelivery& row) {
  // What needs memory comes first: a delivery that is taken in and then not returned would never be
  // delivered.
  auto attempts = row.delivery.attempts;
  const MutexLock lock(mutex_);
  auto& event = events_[row.journal_id];
  if (!event) event = rebuild(row, adopted_names_);
  const auto& names = event->handlers->names;
  const auto name = std::find(names.begin(), names.end(), row.delivery.handler);
  const auto index = static_cast<std::size_t>(name - names.begin());
  if (name == names.end() || !take_in(*event, index)) {
    forget_if_idle(*event);
    return {};
  }
  OwedEvent::Part& part = event->parts[index];
  part.crashes = row.delivery.crashes;
  part.attempts_made = row.delivery.attempts_made;
  part.attempts = std::move(attempts);
  part.failed_at = row.delivery.failed_at;
  part.next_attempt_at = row.delivery.next_attempt_at;
  return {event, index};
}

void OwedLedger::begin_reading() {
  const MutexLock lock(mutex_);
  ++readers_;
}

/// Rows that were read may be older than what was committed since. Events stay in memory until the last
/// reader is done, so that such a row is recognised.
void OwedLedger::end_reading() {
  const MutexLock lock(mutex_);
  if (--readers_ > 0) return;
  for (const std::int64_t id : std::exchange(left_while_reading_, {})) {
    const auto event = events_.find(id);
    if (event != events_.end()) forget_if_idle(*event->second);
  }
}

void OwedLedger::forget_if_idle(const OwedEvent& event) {
  if (event.in_memory > 0 || event.dirty || event.in_commit) return;
  const std::int64_t id = event.id;
  if (readers_ > 0) {
    patiently([&] {
      mutex_.assert_held();
      left_while_reading_.push_back(id);
    });
  } else {
    forget(id);
  }
}

// --- what a subscriber gets from the journal ---

void OwedLedger::begin_backlog(Backlog& backlog) {
  const MutexLock lock(mutex_);
  backlog.begin(ids_.next());
}

void OwedLedger::close_backlog(Backlog& backlog) {
  const MutexLock lock(mutex_);
  backlog.close();
}

void OwedLedger::leave_to(Backlog& backlog, std::int64_t id) {
  const MutexLock lock(mutex_);
  backlog.leave(id);
}

Backlog::Unread OwedLedger::unread_of(Backlog& backlog) {
  const MutexLock lock(mutex_);
  return backlog.begin_reading();
}

Backlog::Reached OwedLedger::advance(Backlog& backlog, std::int64_t next, bool caught_up) {
  const MutexLock lock(mutex_);
  return backlog.end_reading(next, caught_up, ids_.next());
}

// --- what became of deliveries ---

void OwedLedger::end_part(const OwedDeliveryHandle& delivery) {
  OwedEvent& event = *delivery.event;
  OwedEvent::Part& part = event.parts[delivery.index];
  part.done = true;
  part.changed = true;
  let_go(event, part);
  --event.parts_open;
  next_.add(delivery.event);
}

void OwedLedger::ended(const OwedDeliveryHandle& delivery) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    end_part(delivery);
    wake = schedule_.arm();
  }
  if (wake) wake_();
}

/// Holds the mutex while it commits: what the commit says about the event's other handlers must still be true
/// when it happens, and nobody else can commit meanwhile anyway. If another handler's end waits for the next
/// group, perhaps with a letter, then that group deletes the event, and this transaction records only that
/// its own delivery is done.
void OwedLedger::handled_in(const OwedDeliveryHandle& delivery, DeliveryTransaction& transaction) {
  const MutexLock lock(mutex_);
  OwedEvent& event = *delivery.event;
  OwedEvent::Part& part = event.parts[delivery.index];
  JournalBatch end;
  const bool all_recorded = !event.dirty && !event.in_commit;
  if (event.parts_open == 1 && all_recorded) {
    end.finished.push_back(event.id);
  } else {
    end.changed.push_back(event.row_of(delivery.index));
    end.changed.back().done = true;
  }
  if (!all_recorded) next_.prepare_for_event();
  transaction.commit(end);
  part.done = true;
  part.changed = false;
  let_go(event, part);
  --event.parts_open;
  if (event.parts_open == 0 && !all_recorded && !event.dirty) next_.add(delivery.event);
  forget_if_idle(event);
}

std::uint64_t OwedLedger::failed(const OwedDeliveryHandle& delivery, std::uint32_t attempts_made,
                                 const std::vector<Attempt>& attempts, Timestamp failed_at,
                                 std::optional<Timestamp> next_attempt_at, bool synced) {
  bool wake = false;
  std::uint64_t ticket = 0;
  auto known = patiently([&] { return attempts; });
  {
    const MutexLock lock(mutex_);
    OwedEvent::Part& part = delivery.event->parts[delivery.index];
    part.attempts_made = attempts_made;
    part.attempts = std::move(known);
    part.failed_at = failed_at;
    part.next_attempt_at = next_attempt_at;
    part.changed = true;
    next_.add(delivery.event);
    if (synced) next_.sync();
    ticket = next_.ticket();
    wake = schedule_.arm();
  }
  if (wake) wake_();
  return ticket;
}

void OwedLedger::abandon(const OwedDeliveryHandle& delivery) {
  const MutexLock lock(mutex_);
  OwedEvent& event = *delivery.event;
  let_go(event, event.parts[delivery.index]);
  forget_if_idle(event);
}

void OwedLedger::change(JournalDelivery delivery) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    next_.add(std::move(delivery));
    wake = schedule_.arm();
  }
  if (wake) wake_();
}

// --- for GroupCommit ---

void OwedLedger::take(CommitGroup& group) {
  group.reserved = ids_.reserved();
  next_.take(group);  // changes nothing when it throws
  if (!group.requests.empty()) ids_.begin_appending(group.requests.front()->append.id);
}

void OwedLedger::release(const CommitGroup& group) {
  for (const auto& event : group.events) {
    event->in_commit = false;
    forget_if_idle(*event);
  }
}

}  // namespace tidings::detail
