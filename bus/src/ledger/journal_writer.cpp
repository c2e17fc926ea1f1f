#include "ledger/journal_writer.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxWaitingLetters = 4096;
/// Publishers that were in the last group are likely to be back after about this long.
constexpr std::chrono::microseconds kGatherFor{100};

std::string json_of(const std::vector<std::string>& names) {
  std::string json = "[";
  for (const std::string& name : names) {
    if (json.size() > 1) json += ',';
    json += '"' + name + '"';
  }
  return json += ']';
}

/// `names` are those of the last one: they rarely change.
std::shared_ptr<OwedEvent> rebuild(const OwedDelivery& row, std::shared_ptr<const HandlerNames>& names) {
  if (!names || names->names != row.handlers) names = std::make_shared<const HandlerNames>(row.handlers);
  auto event = std::make_shared<OwedEvent>(names);
  event->id = row.journal_id;
  for (std::size_t index = 0; index < row.handlers.size(); ++index) {
    if (std::find(row.done.begin(), row.done.end(), row.handlers[index]) == row.done.end()) continue;
    event->parts[index].done = true;
    --event->owed;
  }
  return event;
}

}  // namespace

HandlerNames::HandlerNames(std::vector<std::string> all) : names(std::move(all)), json(json_of(names)) {}

// --- publishing ---

void JournalWriter::append(std::span<Request> requests, const Admit& admit, Placing* placing) {
  const MutexLock lock(mutex_);
  try {
    if (placing != nullptr) {
      placing_.push_back(next_id_);
      placing->first_ = next_id_;
    }
    for (Request& request : requests) {
      request.append.id = next_id_++;
      request.owed->id = request.append.id;
      request.append.handlers = request.owed->handlers->json;
      admit(request);
      events_.emplace(request.append.id, request.owed);
      requests_.push_back(&request);
    }
  } catch (...) {
    withdraw(requests);
    throw;
  }
  if (gathering_) arrived_.notify_one();
  kill_point("publish.before_append");
  while (!requests.back().settled_) {
    if (committing_) {
      changed_.wait(mutex_);
    } else {
      commit_group(WhenBusy::Throw);
    }
  }
  for (const Request& request : requests) {
    if (request.error_) std::rethrow_exception(request.error_);
  }
}

/// Their ids are never seen: the mutex was held all the time.
void JournalWriter::withdraw(std::span<Request> requests) noexcept {
  for (Request& request : requests) {
    std::erase(requests_, &request);
    events_.erase(request.append.id);
  }
}

void JournalWriter::Placing::end() noexcept {
  if (first_ == 0) return;
  bool wake = false;
  {
    const MutexLock lock(journal_.mutex_);
    auto& placing = journal_.placing_;
    placing.erase(std::find(placing.begin(), placing.end(), std::exchange(first_, 0)));
    wake = std::exchange(journal_.wake_after_placing_, false);
  }
  if (wake) journal_.wake_();
}

void JournalWriter::gather() {
  if (last_group_ < 2) return;
  const auto deadline = std::chrono::steady_clock::now() + kGatherFor;
  gathering_ = true;
  while (requests_.size() < last_group_ && arrived_.wait_until(mutex_, deadline)) {
  }
  gathering_ = false;
}

// --- events in transactions of others ---

std::int64_t JournalWriter::reserve(const std::function<void(std::int64_t)>& admit) {
  const MutexLock lock(mutex_);
  reserved_.push_back(next_id_);
  const std::int64_t id = next_id_++;
  admit(id);
  return id;
}

std::vector<std::int64_t> JournalWriter::reserved() const {
  const MutexLock lock(mutex_);
  return reserved_;
}

bool JournalWriter::awaits_transactions() const {
  const MutexLock lock(mutex_);
  return !reserved_.empty();
}

bool JournalWriter::forget_reserved(std::span<const std::int64_t> ids) {
  const auto ended = [&](std::int64_t id) { return std::binary_search(ids.begin(), ids.end(), id); };
  return std::erase_if(reserved_, ended) > 0;
}

void JournalWriter::transactions_ended(std::span<const std::int64_t> ids) {
  bool any = false;
  {
    const MutexLock lock(mutex_);
    any = forget_reserved(ids);
  }
  if (any) wake_();
}

// --- what is in memory ---

bool JournalWriter::take_in(OwedEvent& event, std::size_t index) {
  OwedEvent::Part& part = event.parts[index];
  if (part.done || part.in_memory) return false;
  part.in_memory = true;
  ++event.in_memory;
  return true;
}

OwedDeliveryHandle JournalWriter::adopt(const OwedDelivery& row) {
  // What needs memory comes first: what is taken in and then not returned would be delivered by nobody.
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

void JournalWriter::begin_reading() {
  const MutexLock lock(mutex_);
  ++readers_;
}

/// What the last reader has read may be older than what was committed since: until now the events remembered.
void JournalWriter::end_reading() {
  const MutexLock lock(mutex_);
  if (--readers_ > 0) return;
  for (const std::int64_t id : std::exchange(left_while_reading_, {})) {
    const auto event = events_.find(id);
    if (event != events_.end()) forget_if_idle(*event->second);
  }
}

void JournalWriter::forget_if_idle(const OwedEvent& event) {
  if (event.in_memory > 0 || event.dirty || event.in_commit) return;
  const std::int64_t id = event.id;
  if (readers_ > 0) {
    patiently([&] {
      mutex_.assert_held();
      left_while_reading_.push_back(id);
    });
  } else {
    events_.erase(id);
  }
}

// --- what became of deliveries ---

bool JournalWriter::arm() { return !due_ && arm_again(); }

/// The timer wakes by itself at the time that it was told last, unless that has just passed.
bool JournalWriter::arm_again() {
  const Instant now = clock_->monotonic_now();
  due_ = now + kFlushWithin;
  return !told_ || *told_ < now || *told_ > *due_;
}

void JournalWriter::mark_dirty(const std::shared_ptr<OwedEvent>& event) {
  if (!event->dirty)
    patiently([&] {
      mutex_.assert_held();
      dirty_.push_back(event);
    });
  ++tickets_;
  event->dirty = true;
}

void JournalWriter::end_part(const OwedDeliveryHandle& delivery) {
  OwedEvent& event = *delivery.event;
  OwedEvent::Part& part = event.parts[delivery.index];
  part.done = true;
  part.changed = true;
  part.in_memory = false;
  --event.in_memory;
  --event.owed;
  mark_dirty(delivery.event);
}

void JournalWriter::handled(const OwedDeliveryHandle& delivery) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    end_part(delivery);
    wake = arm();
  }
  if (wake) wake_();
}

/// Under the mutex for as long as the commit takes: what it says about the event's other handlers must be
/// so when it happens, and nobody else can commit meanwhile anyway. An end of another handler that waits for
/// the next group has a letter there, perhaps: then that group forgets the event, and this transaction says
/// no more than that its own delivery is done.
void JournalWriter::handled_in(const OwedDeliveryHandle& delivery, DeliveryTransaction& transaction) {
  const MutexLock lock(mutex_);
  OwedEvent& event = *delivery.event;
  OwedEvent::Part& part = event.parts[delivery.index];
  JournalBatch end;
  const bool all_recorded = !event.dirty && !event.in_commit;
  if (event.owed == 1 && all_recorded) {
    end.finished.push_back(event.id);
  } else {
    end.changed.push_back({event.id, event.handlers->names[delivery.index], true, part.attempts_made,
                           part.attempts, part.failed_at, part.next_attempt_at, part.crashes});
  }
  if (!all_recorded) dirty_.reserve(dirty_.size() + 1);
  transaction.commit(end);
  part.done = true;
  part.changed = false;
  part.in_memory = false;
  --event.in_memory;
  --event.owed;
  if (event.owed == 0 && !all_recorded && !event.dirty) mark_dirty(delivery.event);
  forget_if_idle(event);
}

std::uint64_t JournalWriter::failed(const OwedDeliveryHandle& delivery, std::uint32_t attempts_made,
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
    mark_dirty(delivery.event);
    dirty_synced_ = dirty_synced_ || synced;
    ticket = tickets_;
    wake = arm();
  }
  if (wake) wake_();
  return ticket;
}

bool JournalWriter::wait_recorded(std::uint64_t ticket) {
  const MutexLock lock(mutex_);
  while (recorded_ < ticket) {
    if (committing_ || committed_ >= ticket) {
      changed_.wait(mutex_);
    } else if (refused_ || !commit_group(WhenBusy::Throw)) {
      return false;
    }
  }
  return true;
}

void JournalWriter::make_room() {
  while (!stopping_ && waiting_letters_.size() >= kMaxWaitingLetters) {
    if (committing_ || refused_) {
      changed_.wait(mutex_);
    } else {
      commit_group(WhenBusy::Throw);
    }
  }
}

bool JournalWriter::bury(const OwedDeliveryHandle& delivery, DeadLetter letter, Wait wait) {
  bool wake = false;
  std::uint64_t ticket = 0;
  {
    const MutexLock lock(mutex_);
    if (wait != Wait::Not) make_room();
    patiently([&] {
      mutex_.assert_held();
      waiting_letters_.push_back(std::move(letter));
    });
    end_part(delivery);
    ticket = tickets_;
    wake = arm();
  }
  if (wake) wake_();
  return wait != Wait::ForCommit || wait_recorded(ticket);
}

void JournalWriter::keep_before(const DeadLetter& letter) {
  std::uint64_t ticket = 0;
  {
    const MutexLock lock(mutex_);
    const auto of_key = [&](const DeadLetter& each) { return have_one_key(each, letter); };
    if (letters_in_commit_ == 0 && std::none_of(waiting_letters_.begin(), waiting_letters_.end(), of_key))
      return;
    ticket = tickets_;
  }
  static_cast<void>(wait_recorded(ticket));
}

void JournalWriter::abandon(const OwedDeliveryHandle& delivery) {
  const MutexLock lock(mutex_);
  OwedEvent& event = *delivery.event;
  event.parts[delivery.index].in_memory = false;
  --event.in_memory;
  forget_if_idle(event);
}

void JournalWriter::change(JournalDelivery delivery) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    patiently([&] {
      mutex_.assert_held();
      facts_.push_back(std::move(delivery));
    });
    ++tickets_;
    wake = arm();
  }
  if (wake) wake_();
}

}  // namespace tidings::detail
