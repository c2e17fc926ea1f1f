#include "bus_core.hpp"
#include "subscriptions/crash_slots.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/error_description.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

// What the journal holds and memory does not: deliveries that a restart left owed, those that found a queue
// full, and those that may have killed the process. All of it is read back on the housekeeper's thread.

namespace tidings::detail {

namespace {

constexpr std::size_t kChunk = 256;
constexpr std::chrono::seconds kReportUnservedAfter{10};
constexpr std::chrono::seconds kReportUnservedAgain{60};
constexpr std::chrono::hours kForgetKeysEvery{1};
/// A service may be started often; a machine's clock may be set only after it has started.
constexpr std::chrono::minutes kForgetKeysFirst{1};
constexpr std::chrono::seconds kImportSpilledEvery{5};
constexpr std::chrono::milliseconds kLookForCommits{500};
constexpr std::chrono::milliseconds kLookAgain{5};

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

/// Before any thread of the bus runs.
void BusCore::open_journal() {
  if (options_.durability == Durability::None) return;
  Journal& port = *options_.store->journal();
  const JournalStart start = port.acquire(options_.service, options_.owner_wait);
  journal_port_ = &port;
  crash_slots_ = port.crash_slots();
  journal_ = std::make_unique<Ledger>(
      port, letters_, log_, options_.clock, [this] { housekeeper_.wake(); }, start.next_id);
  const Instant now = clock_.monotonic_now();
  if (start.events > 0) unserved_due_ = now + kReportUnservedAfter;
  keys_ = std::make_unique<KeyWindow>(options_.idempotency_window, clock_);
  keys_due_ = now + kForgetKeysFirst;
  if (start.events > 0 || start.crashed) log_.recovered(start);
  kill_point("recover.acquired");
  for (const CrashSuspect& suspect : start.suspects) suspect_of_crash(suspect);
  std::sort(suspects_.begin(), suspects_.end(),
            [](const Suspect& left, const Suspect& right) { return left.journal_id < right.journal_id; });
  held_.store(!suspects_.empty());
  suspects_due_ = now + kReportUnservedAfter;
}

/// A letter from what the journal has, without anything being decoded.
void BusCore::bury_row(const OwedDelivery& row, const OwedDeliveryHandle& owed, Reason reason) {
  DeadLetter letter;
  letter.event_type = row.event_type;
  letter.schema_version = row.schema_version;
  letter.data = row.data;
  letter.metadata = row.metadata;
  letter.service = options_.service;
  letter.handler = row.delivery.handler;
  letter.reason = reason;
  letter.attempts = row.delivery.attempts;
  letter.failed_at = clock_.now();
  letter.retry_count = row.delivery.attempts_made == 0 ? 0 : row.delivery.attempts_made - 1;
  explain_letter(letter);
  gave_up(letter);
  journal_->commits.bury(owed, std::move(letter), GroupCommit::Wait::Not);
}

/// Everything that is owed to a new subscriber comes from the journal, ahead of what is published from now
/// on.
void BusCore::begin_recovery(Subscriber& subscriber) {
  if (journal_) journal_->owed.begin_backlog(subscriber.backlog);
}

void BusCore::end_recovery(Subscriber& subscriber) {
  if (journal_ && subscriber.backlog.active()) journal_->owed.end_backlog(subscriber.backlog);
}

/// Leaves a delivery of a closed subscriber, or of a bus that stops, to the journal. Who bears its handler's
/// name by now may have read past it, and so goes back.
void BusCore::leave_in_journal(const Subscriber& subscriber, const OwedDeliveryHandle& owed) {
  journal_->owed.abandon(owed);
  if (!accepting_.load() || journal_->commits.lost()) return;
  for (const auto& successor : topics_.all()) {
    if (successor->state.load() != SubscriberState::Open ||
        successor->identity.handler != subscriber.identity.handler ||
        successor->identity.event_type != subscriber.identity.event_type) {
      continue;
    }
    journal_->owed.leave_to(successor->backlog, owed.event->id);
    request_refill();
  }
}

void BusCore::request_refill() {
  if (!refill_wanted_.exchange(true)) housekeeper_.wake();
}

/// Whoever gives a place back, for whatever reason: what waits in the journal may have the room.
void BusCore::release_place(Subscriber& subscriber) {
  subscriber.queue.release();
  if (!subscriber.backlog.active(std::memory_order_relaxed)) return;
  if (subscriber.queue.room() >= std::min(kChunk, (subscriber.queue.capacity() + 1) / 2)) request_refill();
}

/// Who stops has said so before it looks whether this is at work.
void BusCore::read_back(Instant now) {
  const Raised reading(reading_back_);
  if (!accepting_.load()) return;
  serve_suspects(now);
  if (refill_wanted_.exchange(false)) refill_backlogs();
}

void BusCore::refill_backlogs() {
  if (held_.load()) return;
  for (const auto& subscriber : topics_.all()) {
    while (accepting_.load() && subscriber->backlog.active() && refill(subscriber)) {
    }
  }
}

/// Reads the next chunk of a subscriber's backlog. False: for now there is no more to do.
bool BusCore::refill(const std::shared_ptr<Subscriber>& subscriber) {
  const std::size_t room = subscriber->queue.room();
  if (room == 0 || subscriber->state.load() != SubscriberState::Open) return false;
  const auto [next, until] = journal_->owed.unread_of(subscriber->backlog);
  const std::int64_t up_to = std::min(journal_->owed.settled_up_to(), until - 1);
  const std::size_t limit = std::min(room, kChunk);
  journal_->owed.begin_reading();
  std::vector<OwedDelivery> rows;
  try {
    rows = journal_port_->owed(
        {subscriber->queried_type(), subscriber->identity.handler, next - 1, up_to, limit});
    kill_point("recover.read");
    schedule_recovered(subscriber, rows);
    kill_point("recover.queued");
  } catch (...) {
    journal_->owed.end_reading();
    throw;
  }
  journal_->owed.end_reading();
  const bool caught_up = rows.size() < limit;
  return advance(*subscriber, caught_up ? std::max(next, up_to + 1) : rows.back().journal_id + 1, caught_up);
}

/// Notes how far the backlog was read. True: there may be more to read at once.
bool BusCore::advance(Subscriber& subscriber, std::int64_t next, bool caught_up) {
  const auto reached = journal_->owed.advance(subscriber.backlog, next, caught_up);
  if (reached == Backlog::Reached::Committed) {
    refill_wanted_.store(true);
    journal_->commits.wake_when_settled();
  }
  return reached == Backlog::Reached::Chunk;
}

/// Makes the delivery of a row. Nothing: memory has it already, or it became a letter.
std::optional<Delivery> BusCore::take_over(Subscriber& subscriber, OwedDelivery& row) {
  OwedDeliveryHandle owed = journal_->owed.adopt(row);
  if (!owed) return std::nullopt;
  try {
    return take_over(subscriber, row, owed);
  } catch (...) {
    journal_->owed.abandon(owed);  // or memory would have it for ever
    throw;
  }
}

std::optional<Delivery> BusCore::take_over(Subscriber& subscriber, OwedDelivery& row,
                                           const OwedDeliveryHandle& owed) {
  if (row.has_letter) {
    journal_->owed.handled(owed);
    return std::nullopt;
  }
  if (!row.problem.empty()) {
    row.delivery.attempts.push_back(
        {clock_.now(), std::chrono::microseconds(0), "tidings::Error", row.problem});
    bury_row(row, owed, Reason::Undecodable);
    return std::nullopt;
  }
  // Only of events published in a transaction, which commits or forgets this with all else.
  if (row.metadata.causation_depth > options_.max_causation_depth) {
    bury_row(row, owed, Reason::CausationLoop);
    return std::nullopt;
  }
  Delivery delivery;
  delivery.event = EventPointer(
      new RecoveredEvent(StoredForm{std::move(row.data), row.schema_version}, std::move(row.event_type),
                         KeptMetadata(row.metadata, source_), subscriber.schema_version, upcasters_));
  DeliveryState& state = delivery.remember();
  state.owed = owed;
  state.attempts_made = row.delivery.attempts_made;
  state.attempts = row.delivery.attempts;
  if (row.delivery.crashes > 0 && row.delivery.crashes >= options_.max_crashes)
    state.dead_of = Reason::Crashed;
  if (!state.attempts.empty()) {
    const auto since = std::max(clock_.now() - state.attempts.front().at, std::chrono::microseconds(0));
    state.first_attempt = clock_.monotonic_now() - since;
  }
  if (subscriber.keyed && !find_key_again(subscriber, delivery, row)) return std::nullopt;
  return delivery;
}

/// False: the subscription's ordering_key, perhaps a newer one than at the publish, threw; that is a letter.
bool BusCore::find_key_again(Subscriber& subscriber, Delivery& delivery, OwedDelivery& row) {
  try {
    DispatchGuard guard(*this);
    const Payload payload = delivery.event->payload();
    PayloadForms forms(payload);
    delivery.state->ordering_key = ordering_key_of(subscriber, forms, guard);
    return true;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    const auto error = logging::describe_error(std::current_exception());
    row.delivery.attempts.push_back({clock_.now(), std::chrono::microseconds(0), error.type,
                                     error.message + " (thrown by the ordering_key of the subscription)"});
    row.data = delivery.event->stored_form()->data;
    row.event_type = delivery.event->payload().event_type;
    bury_row(row, delivery.state->owed, Reason::Undecodable);
    return false;
  }
}

/// How long a retry still has to wait. No longer than it had to when it failed, whatever the wall clock says.
std::chrono::microseconds BusCore::time_to_retry(const JournalDelivery& known) const {
  if (!known.next_attempt_at || !known.failed_at) return std::chrono::microseconds(0);
  const auto whole = std::max(*known.next_attempt_at - *known.failed_at, std::chrono::microseconds(0));
  return std::clamp(*known.next_attempt_at - clock_.now(), std::chrono::microseconds(0), whole);
}

/// All at once: a worker that finds one at a time falls asleep in between.
void BusCore::schedule_recovered(const std::shared_ptr<Subscriber>& subscriber,
                                 std::span<OwedDelivery> rows) {
  std::vector<std::optional<Delivery>> deliveries;
  deliveries.reserve(rows.size());
  try {
    for (OwedDelivery& row : rows) deliveries.push_back(take_over(*subscriber, row));
  } catch (...) {
    // Nothing of the chunk was scheduled: all of it is read again.
    for (const auto& delivery : deliveries) {
      if (delivery) journal_->owed.abandon(delivery->state->owed);
    }
    throw;
  }
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (deliveries[index]) schedule_recovered(subscriber, *deliveries[index], rows[index].delivery);
  }
}

void BusCore::schedule_recovered(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                                 const JournalDelivery& known) {
  subscriber->queue.reserve();
  const auto wait = delivery.state->suspect != nullptr ? std::chrono::microseconds(0) : time_to_retry(known);
  const std::string* const key = delivery.ordering_key();
  if (wait.count() > 0 && (key == nullptr || subscriber->queue.hold_key(*key))) {
    if (retry_later(subscriber, delivery, wait)) return;
    bury_soon(*subscriber, delivery, Reason::Shutdown);
    return end_delivery(subscriber, delivery, Reason::Shutdown);
  }
  PublishResult ignored;
  enqueue_delivery(subscriber, delivery, ignored);
}

// --- duties ---

std::optional<Instant> BusCore::look_for_commits(Instant now) {
  const std::vector<std::int64_t> ids = journal_->owed.reserved();
  if (ids.empty()) return std::nullopt;
  if (journal_port_->transactions_ended(ids)) {
    journal_->owed.transactions_ended(ids);
    return std::nullopt;
  }
  if (looks_wanted_.load() <= 0) return now + kLookForCommits;
  looks_wanted_.fetch_sub(1);
  return now + kLookAgain;
}

std::optional<Instant> BusCore::do_journal_duties(Instant now) {
  if (!journal_) return std::nullopt;
  if (journal_->commits.lost()) return leave_to_owner();
  try {
    return serve_journal(now);
  } catch (const std::bad_alloc&) {
    refill_wanted_.store(true);
    return now + kAgainWithoutMemory;
  } catch (const std::exception& error) {
    const auto* const known = dynamic_cast<const Error*>(&error);
    if (known != nullptr && known->code() == ErrorCode::JournalOwned) {
      journal_->commits.lose(*known);
      return leave_to_owner();
    }
    log_.housekeeping_failed(what_of(error));
    refill_wanted_.store(true);
    return now + std::chrono::seconds(1);
  }
}

/// What the journal still has for this bus's handlers is another bus's to deliver.
std::nullopt_t BusCore::leave_to_owner() {
  for (const auto& subscriber : topics_.all()) end_recovery(*subscriber);
  return std::nullopt;
}

Instant BusCore::serve_journal(Instant now) {
  journal_->commits.flush_if_due(now);
  std::optional<Instant> look = look_for_commits(now);
  read_back(now);
  if (!look && journal_->owed.awaits_transactions()) look = now + kLookForCommits;
  if (unserved_due_ && now >= *unserved_due_) report_unserved(now);
  if (now >= keys_due_) {
    const bool more = journal_port_->forget_keys(keys_->ending_with(clock_.now()));
    keys_due_ = more ? now + std::chrono::seconds(1) : now + kForgetKeysEvery;
  }
  Instant next = keys_due_;
  if (const auto flush = journal_->commits.due()) next = std::min(next, *flush);
  if (unserved_due_) next = std::min(next, *unserved_due_);
  if (held_.load() && accepting_.load()) next = std::min(next, suspects_due_);
  if (look) next = std::min(next, *look);
  return next;
}

/// Looked after whenever the thread is awake anyway: it wakes for nothing else often enough.
void BusCore::import_spilled(Instant now) {
  if (!options_.store || now < spill_due_) return;
  const SpillImport done = options_.store->import_spilled();
  spill_due_ = done.more ? now : now + kImportSpilledEvery;
  if (done.more) housekeeper_.wake();
  if (done.imported > 0 || done.set_aside > 0) log_.letters.spill_imported(done);
  const bool news = done.problem != spill_problem_;
  spill_problem_ = done.problem;
  if (news && !done.problem.empty()) log_.letters.spill_waits(done.problem);
}

void BusCore::report_unserved(Instant now) {
  const std::vector<OwedTotal> unserved = unserved_of(journal_port_->owed_totals(SIZE_MAX), topics_.all());
  const bool changed = unserved.size() != unserved_reported_;
  if (changed) {
    for (const OwedTotal& total : unserved) log_.unserved(total);
  }
  journal_port_->report_unserved(unserved);
  unserved_reported_ = unserved.size();
  unserved_due_.reset();
  if (!unserved.empty()) unserved_due_ = now + kReportUnservedAgain;
}

}  // namespace tidings::detail
