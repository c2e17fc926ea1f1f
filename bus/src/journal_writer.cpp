#include "journal_writer.hpp"

#include <tidings/detail/kill_point.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxGroup = 4096;
constexpr std::size_t kMaxWaitingLetters = 4096;
constexpr std::chrono::milliseconds kFlushWithin{50};
constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kMaxBackoff{5000};
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

std::shared_ptr<OwedEvent> rebuild(const OwedDelivery& row) {
  auto event = std::make_shared<OwedEvent>(std::make_shared<const HandlerNames>(row.handlers));
  event->id = row.journal_id;
  for (std::size_t index = 0; index < row.handlers.size(); ++index) {
    if (std::find(row.done.begin(), row.done.end(), row.handlers[index]) == row.done.end()) continue;
    event->parts[index].done = true;
    --event->owed;
  }
  return event;
}

JournalCommit commit_now(Journal& journal, const JournalBatch& batch) {
  try {
    return journal.commit(batch);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::InDoubt, error.what());
  }
}

}  // namespace

HandlerNames::HandlerNames(std::vector<std::string> all) : names(std::move(all)), json(json_of(names)) {}

// --- publishing ---

void JournalWriter::append(std::span<Request> requests, const Admit& admit) {
  const MutexLock lock(mutex_);
  for (Request& request : requests) {
    request.append.id = next_id_++;
    request.owed->id = request.append.id;
    request.append.handlers = request.owed->handlers->json;
    admit(request);
    events_.emplace(request.append.id, request.owed);
    requests_.push_back(&request);
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
    if (request.error_) throw Error(*request.error_);
  }
}

void JournalWriter::gather() {
  if (last_group_ < 2) return;
  const auto deadline = std::chrono::steady_clock::now() + kGatherFor;
  gathering_ = true;
  while (requests_.size() < last_group_ && arrived_.wait_until(mutex_, deadline)) {
  }
  gathering_ = false;
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
  const MutexLock lock(mutex_);
  auto& event = events_[row.journal_id];
  if (!event) event = rebuild(row);
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
  part.attempts = row.delivery.attempts;
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
    left_while_reading_.push_back(id);
  } else {
    events_.erase(id);
  }
}

// --- what became of deliveries ---

bool JournalWriter::arm() {
  if (due_) return false;
  due_ = clock_->monotonic_now() + kFlushWithin;
  return true;
}

void JournalWriter::mark_dirty(const std::shared_ptr<OwedEvent>& event) {
  ++tickets_;
  if (event->dirty) return;
  event->dirty = true;
  dirty_.push_back(event);
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

std::uint64_t JournalWriter::failed(const OwedDeliveryHandle& delivery, std::uint32_t attempts_made,
                                    const std::vector<Attempt>& attempts, Timestamp failed_at,
                                    std::optional<Timestamp> next_attempt_at) {
  bool wake = false;
  std::uint64_t ticket = 0;
  {
    const MutexLock lock(mutex_);
    OwedEvent::Part& part = delivery.event->parts[delivery.index];
    part.attempts_made = attempts_made;
    part.attempts = attempts;
    part.failed_at = failed_at;
    part.next_attempt_at = next_attempt_at;
    part.changed = true;
    mark_dirty(delivery.event);
    ticket = tickets_;
    wake = arm();
  }
  if (wake) wake_();
  return ticket;
}

bool JournalWriter::wait_recorded(std::uint64_t ticket) {
  const MutexLock lock(mutex_);
  while (recorded_ < ticket) {
    if (committing_) {
      changed_.wait(mutex_);
    } else if (refused_ || !commit_group(WhenBusy::Throw)) {
      return false;
    }
  }
  return true;
}

void JournalWriter::make_room() {
  while (waiting_letters_.size() >= kMaxWaitingLetters) {
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
    waiting_letters_.push_back(std::move(letter));
    end_part(delivery);
    ticket = tickets_;
    wake = arm();
  }
  if (wake) wake_();
  return wait != Wait::ForCommit || wait_recorded(ticket);
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
    facts_.push_back(std::move(delivery));
    ++tickets_;
    wake = arm();
  }
  if (wake) wake_();
}

// --- committing ---

/// What the journal is to be told of an event. An event that nobody owes any more needs no more than its end.
void JournalWriter::describe(OwedEvent& event, JournalBatch& batch) {
  if (event.owed == 0) {
    batch.finished.push_back(event.id);
    return;
  }
  for (std::size_t index = 0; index < event.parts.size(); ++index) {
    OwedEvent::Part& part = event.parts[index];
    if (!std::exchange(part.changed, false)) continue;
    batch.changed.push_back({event.id, event.handlers->names[index], part.done, part.attempts_made,
                             part.attempts, part.failed_at, part.next_attempt_at, part.crashes});
  }
}

JournalWriter::Group JournalWriter::take_group() {
  Group group;
  const auto count = static_cast<std::ptrdiff_t>(std::min(requests_.size(), alone_ > 0 ? 1 : kMaxGroup));
  if (alone_ > 0) --alone_;
  group.requests.assign(requests_.begin(), requests_.begin() + count);
  requests_.erase(requests_.begin(), requests_.begin() + count);
  group.events = std::exchange(dirty_, {});
  group.letters = std::exchange(waiting_letters_, {});
  group.facts = std::exchange(facts_, {});
  group.ticket = tickets_;

  JournalBatch& batch = group.batch;
  batch.appended.reserve(group.requests.size());
  for (const Request* request : group.requests) {
    batch.appended.push_back(request->append);
    batch.synced = batch.synced || request->synced;
  }
  batch.changed = group.facts;
  for (const auto& event : group.events) {
    event->dirty = false;
    event->in_commit = true;
    describe(*event, batch);
  }
  for (const DeadLetter& letter : group.letters) batch.letters.push_back(&letter);
  in_commit_ = group.letters.size() + group.events.size();
  return group;
}

bool JournalWriter::commit_group(WhenBusy when_busy) {
  committing_ = true;
  gather();
  Group group = take_group();
  const std::chrono::milliseconds last_backoff = backoff_;
  mutex_.unlock();
  JournalCommit commit;
  std::optional<Error> error;
  kill_point("journal.before_commit");
  try {
    commit = commit_now(journal_, group.batch);
    kill_point("journal.after_commit");
  } catch (const Error& thrown) {
    error = thrown;
  }
  if (!error) {
    letters_.report(group.letters, commit.letters);
  } else {
    // A letter never waits for a database that fails; for one that is busy it waits as long as it may.
    const bool too_large = error->code() == ErrorCode::NotEncodable;
    const bool wait = error->code() == ErrorCode::DatabaseBusy && when_busy == WhenBusy::Throw;
    if (!wait && !too_large) letters_.keep_now(std::exchange(group.letters, {}));
    if (!group.events.empty() && !too_large)
      log_.journal_refused(error->what(), std::max(last_backoff * 2, kFirstBackoff));
  }
  mutex_.lock();
  committing_ = false;
  in_commit_ = 0;
  if (error && error->code() == ErrorCode::NotEncodable && group.requests.size() > 1) {
    split(group);
  } else if (error) {
    refuse(group, *error);
  } else {
    settle(group, commit);
  }
  changed_.notify_all();
  if (std::exchange(wake_after_commit_, false)) wake_();
  return !error;
}

void JournalWriter::settle(Group& group, const JournalCommit& commit) {
  for (std::size_t index = 0; index < group.requests.size(); ++index) {
    Request& request = *group.requests[index];
    request.settled_ = true;
    settled_up_to_ = request.append.id;
    if (index < commit.repeats.size() && commit.repeats[index]) {
      request.repeat = commit.repeats[index];
      events_.erase(request.append.id);
    } else if (request.owed->owed == 0) {
      mark_dirty(request.owed);
    } else {
      forget_if_idle(*request.owed);
    }
  }
  for (const auto& event : group.events) {
    event->in_commit = false;
    forget_if_idle(*event);
  }
  if (!group.requests.empty()) last_group_ = group.requests.size();
  recorded_ = group.ticket;
  refused_ = false;
  backoff_ = std::chrono::milliseconds(0);
  const bool armed = due_.has_value();
  due_.reset();
  if (anything_waits()) due_ = clock_->monotonic_now() + kFlushWithin;
  if (due_ && !armed) wake_after_commit_ = true;
}

void JournalWriter::refuse(Group& group, const Error& error) {
  for (Request* request : group.requests) {
    request->settled_ = true;
    request->error_ = error;
    settled_up_to_ = request->append.id;
    events_.erase(request->append.id);
  }
  put_back(group);
  refused_ = anything_waits();
  if (!refused_) return;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
  due_ = clock_->monotonic_now() + backoff_;
  wake_after_commit_ = true;
}

void JournalWriter::split(Group& group) {
  alone_ = group.requests.size();
  requests_.insert(requests_.begin(), group.requests.begin(), group.requests.end());
  put_back(group);
}

void JournalWriter::put_back(Group& group) {
  for (const auto& event : group.events) {
    event->in_commit = false;
    for (OwedEvent::Part& part : event->parts) part.changed = part.done || part.attempts_made > 0;
    if (!std::exchange(event->dirty, true)) dirty_.push_back(event);
  }
  waiting_letters_.insert(waiting_letters_.begin(), std::make_move_iterator(group.letters.begin()),
                          std::make_move_iterator(group.letters.end()));
  facts_.insert(facts_.begin(), std::make_move_iterator(group.facts.begin()),
                std::make_move_iterator(group.facts.end()));
}

std::int64_t JournalWriter::settled_up_to() const {
  const MutexLock lock(mutex_);
  return settled_up_to_;
}

bool JournalWriter::anything_waits() const {
  return !dirty_.empty() || !waiting_letters_.empty() || !facts_.empty();
}

std::optional<Instant> JournalWriter::due() const {
  const MutexLock lock(mutex_);
  return due_;
}

void JournalWriter::flush_if_due(Instant now) {
  {
    const MutexLock lock(mutex_);
    if (!due_ || now < *due_) return;
    due_.reset();
    refused_ = false;
  }
  flush_all(WhenBusy::Throw);
}

bool JournalWriter::flush() { return flush_all(WhenBusy::Throw); }

void JournalWriter::flush_finally() { flush_all(WhenBusy::Spill); }

bool JournalWriter::flush_all(WhenBusy when_busy) {
  const MutexLock lock(mutex_);
  while (anything_waits() || committing_) {
    if (committing_) {
      changed_.wait(mutex_);
    } else if (!commit_group(when_busy)) {
      return false;
    }
  }
  return true;
}

bool JournalWriter::wait_until_recorded(Instant deadline) {
  const MutexLock lock(mutex_);
  bool in_time = true;
  while (anything_waits() || committing_) {
    if (!in_time) return false;
    if (committing_ || refused_) {
      in_time = changed_.wait_until(mutex_, deadline);
    } else {
      commit_group(WhenBusy::Throw);
    }
  }
  return true;
}

void JournalWriter::wake_after_commit() {
  {
    const MutexLock lock(mutex_);
    if (committing_) {
      wake_after_commit_ = true;
      return;
    }
  }
  wake_();
}

std::size_t JournalWriter::pending() const {
  const MutexLock lock(mutex_);
  return waiting_letters_.size() + dirty_.size() + in_commit_;
}

}  // namespace tidings::detail
