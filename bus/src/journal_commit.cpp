#include "journal_writer.hpp"

#include <tidings/detail/kill_point.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <span>
#include <utility>

// What one commit takes, and what becomes of it when it is done or refused.

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxGroup = 4096;
constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kMaxBackoff{5000};

JournalCommit commit_now(Journal& journal, const JournalBatch& batch) {
  try {
    JournalCommit result = journal.commit(batch);
    result.repeats.resize(batch.appended.size());
    result.letters.resize(batch.letters.size());  // Unsaved, should a journal have said less
    return result;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::InDoubt, error.what());
  }
}

}  // namespace

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
  group.synced = std::exchange(dirty_synced_, false);
  group.letters = std::exchange(waiting_letters_, {});
  group.facts = std::exchange(facts_, {});
  group.ticket = tickets_;
  group.reserved = reserved_;
  if (!group.requests.empty()) appending_ = group.requests.front()->append.id;
  fill_batch(group);
  in_commit_ = group.letters.size() + group.events.size();
  return group;
}

/// The letters of its deliveries come first, then those of what it appends, request by request.
void JournalWriter::fill_batch(Group& group) {
  JournalBatch& batch = group.batch;
  batch.synced = group.synced;
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
  for (const Request* request : group.requests) {
    for (const DeadLetter& letter : request->letters) batch.letters.push_back(&letter);
  }
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
    letters_.report(group.letters, std::span(commit.letters).first(group.letters.size()));
  } else {
    // A letter never waits for a database that fails; for one that is busy it waits as long as it may.
    const bool too_large = error->code() == ErrorCode::NotEncodable;
    const bool wait = error->code() == ErrorCode::DatabaseBusy && when_busy == WhenBusy::Throw;
    if (!wait && !too_large) letters_.keep_now(std::exchange(group.letters, {}));
    if (error->code() == ErrorCode::JournalOwned) {
      lose(*error);
    } else if (!group.events.empty() && !too_large) {
      log_.journal_refused(error->what(), std::max(last_backoff * 2, kFirstBackoff));
    }
  }
  mutex_.lock();
  committing_ = false;
  in_commit_ = 0;
  appending_.reset();
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
  auto outcome = commit.letters.begin() + static_cast<std::ptrdiff_t>(group.letters.size());
  for (std::size_t index = 0; index < group.requests.size(); ++index) {
    Request& request = *group.requests[index];
    request.settled_ = true;
    const auto end = outcome + static_cast<std::ptrdiff_t>(request.letters.size());
    request.outcomes.assign(outcome, end);
    outcome = end;
    if (commit.repeats[index]) {
      request.repeat = commit.repeats[index];
      events_.erase(request.append.id);
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
  if (forget_reserved(group.reserved)) wake_after_commit_ = true;
  backoff_ = std::chrono::milliseconds(0);
  due_.reset();
  if (anything_waits() && arm_again()) wake_after_commit_ = true;
}

void JournalWriter::refuse(Group& group, const Error& error) {
  for (Request* request : group.requests) {
    request->settled_ = true;
    request->error_ = error;
    events_.erase(request->append.id);
  }
  if (lost()) return drop(group);
  put_back(group);
  refused_ = anything_waits();
  if (!refused_) return;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
  due_ = clock_->monotonic_now() + backoff_;
  wake_after_commit_ = true;
}

void JournalWriter::lose(const Error& error) noexcept {
  if (!lost_.exchange(true)) log_.journal_lost(error.what());
}

void JournalWriter::drop(Group& group) {
  for (const auto& event : group.events) {
    event->in_commit = false;
    forget_if_idle(*event);
  }
  recorded_ = group.ticket;
  refused_ = false;
  due_.reset();
  wake_after_commit_ = true;
}

void JournalWriter::split(Group& group) {
  alone_ = group.requests.size();
  requests_.insert(requests_.begin(), group.requests.begin(), group.requests.end());
  put_back(group);
}

void JournalWriter::put_back(Group& group) {
  dirty_synced_ = dirty_synced_ || group.synced;
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
  std::int64_t first_open = next_id_;
  if (!requests_.empty()) first_open = requests_.front()->append.id;
  if (appending_) first_open = *appending_;
  if (!reserved_.empty()) first_open = std::min(first_open, reserved_.front());
  if (!placing_.empty()) first_open = std::min(first_open, placing_.front());
  return first_open - 1;
}

bool JournalWriter::anything_waits() const {
  return !dirty_.empty() || !waiting_letters_.empty() || !facts_.empty();
}

std::optional<Instant> JournalWriter::due() {
  const MutexLock lock(mutex_);
  told_ = due_;
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

void JournalWriter::wake_when_settled() {
  {
    const MutexLock lock(mutex_);
    if (committing_) {
      wake_after_commit_ = true;
      return;
    }
    if (!placing_.empty()) {
      wake_after_placing_ = true;
      return;
    }
    if (requests_.empty() && !reserved_.empty()) return;
  }
  wake_();
}

std::size_t JournalWriter::pending() const {
  const MutexLock lock(mutex_);
  return waiting_letters_.size() + dirty_.size() + in_commit_;
}

}  // namespace tidings::detail
