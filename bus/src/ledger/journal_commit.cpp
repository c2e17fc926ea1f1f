#include "ledger/journal_writer.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

// What one commit takes, and what becomes of it when it is done or refused.

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxGroup = 4096;
constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kMaxBackoff{5000};

ErrorCode code_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& thrown) {
    return thrown.code();
  } catch (...) {
    return ErrorCode::InDoubt;
  }
}

bool is_bad_alloc(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Moves `first` to the front of `all`. Changes nothing when it throws.
template <class Element>
void put_before(std::vector<Element>& all, std::vector<Element>& first) {
  static_assert(std::is_nothrow_move_constructible_v<Element>);
  first.reserve(first.size() + all.size());
  std::move(all.begin(), all.end(), std::back_inserter(first));
  all.swap(first);
  first.clear();
}

/// What a request is to be told of an exception that its commit threw.
std::exception_ptr as_refusal(const char* what) noexcept {
  return patiently([&] { return std::make_exception_ptr(Error(ErrorCode::InDoubt, what)); });
}

/// Whether letters wait in memory after that error.
bool letters_wait_for(const std::exception_ptr& error, WhenBusy when_busy) noexcept {
  const ErrorCode code = code_of(error);
  if (code == ErrorCode::DatabaseBusy) return when_busy == WhenBusy::Throw;
  return code == ErrorCode::NotEncodable || is_bad_alloc(error);
}

/// How long to wait after a failure that follows one after which so long was waited.
std::chrono::milliseconds after_backoff(std::chrono::milliseconds last) {
  return std::clamp(last * 2, kFirstBackoff, kMaxBackoff);
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

void JournalWriter::take_group(Group& group) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(requests_.size(), alone_ > 0 ? 1 : kMaxGroup));
  group.requests.assign(requests_.begin(), requests_.begin() + count);
  group.reserved = reserved_;  // these two may throw; nothing below does
  if (alone_ > 0) --alone_;
  requests_.erase(requests_.begin(), requests_.begin() + count);
  group.events.swap(dirty_);
  group.synced = std::exchange(dirty_synced_, false);
  group.letters.swap(waiting_letters_);
  group.facts.swap(facts_);
  group.ticket = tickets_;
  for (const auto& event : group.events) {
    event->dirty = false;
    event->in_commit = true;
  }
  if (!group.requests.empty()) appending_ = group.requests.front()->append.id;
  letters_in_commit_ = group.letters.size();
}

/// The letters of its deliveries come first, then those of what it appends, request by request.
void JournalWriter::describe_group(Group& group) {
  JournalBatch& batch = group.batch;
  batch.synced = group.synced;
  batch.appended.reserve(group.requests.size());
  for (const Request* request : group.requests) {
    batch.appended.push_back(request->append);
    batch.synced = batch.synced || request->synced;
  }
  batch.changed = group.facts;
  for (const auto& event : group.events) describe(*event, batch);
  for (const DeadLetter& letter : group.letters) batch.letters.push_back(&letter);
  for (const Request* request : group.requests) {
    for (const DeadLetter& letter : request->letters) batch.letters.push_back(&letter);
  }
}

/// The one place where a group is taken, committed and settled. Whatever is thrown on the way, of whatever
/// type, the group is put back, its requests are told, and whoever waits is woken: it throws nothing itself.
bool JournalWriter::commit_group(WhenBusy when_busy) noexcept {
  committing_ = true;
  gather();
  Group group;
  Report report;
  patiently([&] {
    mutex_.assert_held();
    take_group(group);
  });
  try {
    describe_group(group);  // under the mutex, which guards what is known of events
  } catch (...) {
    report.error = std::current_exception();
  }
  report.last_backoff = backoff_;
  report.put_back = !group.events.empty();
  mutex_.unlock();
  JournalCommit commit;
  if (!report.error) report.error = commit_taken(group, commit);
  if (report.error) {
    if (!letters_wait_for(report.error, when_busy)) spill(group, report);
    report.newly_lost = code_of(report.error) == ErrorCode::JournalOwned && !lost_.exchange(true);
  }
  mutex_.lock();
  committing_ = false;
  letters_in_commit_ = 0;
  appending_.reset();
  if (report.error && code_of(report.error) == ErrorCode::NotEncodable && group.requests.size() > 1) {
    split(group);
  } else if (report.error) {
    refuse(group, report.error);
  } else {
    settle(group, commit);
    commit.letters.resize(group.letters.size());
    report.outcomes = std::move(commit.letters);
    report.letters = std::move(group.letters);
  }
  changed_.notify_all();
  if (std::exchange(wake_after_commit_, false)) wake_();
  tell(report);
  if (!report.error || lost()) recorded_ = std::max(recorded_, group.ticket);
  changed_.notify_all();
  return !report.error;
}

std::exception_ptr JournalWriter::commit_taken(Group& group, JournalCommit& commit) noexcept {
  kill_point("journal.before_commit");
  try {
    commit = journal_.commit(group.batch);
    patiently([&] {
      commit.repeats.resize(group.batch.appended.size());
      commit.letters.resize(group.batch.letters.size());  // Unsaved, should a journal have said less
    });
    kill_point("journal.after_commit");
    return {};
  } catch (const Error&) {
    return std::current_exception();
  } catch (const std::bad_alloc&) {
    return std::current_exception();
  } catch (const std::exception& thrown) {
    return as_refusal(what_of(thrown));
  } catch (...) {
    return as_refusal("the journal threw something that is not a std::exception");
  }
}

void JournalWriter::spill(Group& group, Report& report) noexcept {
  std::vector<LetterOutcome> outcomes = letters_.keep_now(group.letters);
  std::vector<DeadLetter> without_place;
  patiently([&] {  // nothing below throws
    report.letters.reserve(group.letters.size());
    report.outcomes.reserve(group.letters.size());
    without_place.reserve(group.letters.size());
  });
  for (std::size_t index = 0; index < outcomes.size(); ++index) {
    if (outcomes[index].place == LetterOutcome::Place::Unsaved) {
      without_place.push_back(std::move(group.letters[index]));
    } else {
      report.letters.push_back(std::move(group.letters[index]));
      report.outcomes.push_back(std::move(outcomes[index]));
    }
  }
  group.letters.swap(without_place);
}

void JournalWriter::tell(const Report& report) noexcept {
  ++reporting_;
  mutex_.unlock();
  if (report.error) tell_refusal(report);
  letters_.report(report.letters, report.outcomes);
  mutex_.lock();
  --reporting_;
}

void JournalWriter::tell_refusal(const Report& report) noexcept {
  try {
    std::rethrow_exception(report.error);
  } catch (const Error& refusal) {
    if (report.newly_lost) {
      log_.journal_lost(refusal.what());
    } else if (report.put_back && refusal.code() != ErrorCode::NotEncodable && !lost()) {
      log_.journal_refused(refusal.what(), after_backoff(report.last_backoff));
    }
  } catch (const std::exception&) {
    if (report.put_back) log_.journal_refused("there is not enough memory", kAgainWithoutMemory);
  }
}

void JournalWriter::give_up_letters() noexcept {
  std::vector<DeadLetter> letters;
  {
    const MutexLock lock(mutex_);
    letters.swap(waiting_letters_);
  }
  const auto outcomes = patiently([&] {
    return std::vector<LetterOutcome>(
        letters.size(),
        {LetterOutcome::Place::Unsaved, 0,
         "neither the database nor the spill file took it; its event is still in the journal"});
  });
  letters_.report(letters, outcomes);
}

void JournalWriter::settle(Group& group, const JournalCommit& commit) {
  auto outcome = commit.letters.begin() + static_cast<std::ptrdiff_t>(group.letters.size());
  for (std::size_t index = 0; index < group.requests.size(); ++index) {
    Request& request = *group.requests[index];
    request.settled_ = true;
    const auto end = outcome + static_cast<std::ptrdiff_t>(request.letters.size());
    patiently([&] { request.outcomes.assign(outcome, end); });
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
  committed_ = group.ticket;
  refused_ = false;
  if (forget_reserved(group.reserved)) wake_after_commit_ = true;
  backoff_ = std::chrono::milliseconds(0);
  due_.reset();
  if (anything_waits() && arm_again()) wake_after_commit_ = true;
}

void JournalWriter::refuse(Group& group, const std::exception_ptr& error) {
  for (Request* request : group.requests) {
    request->settled_ = true;
    request->error_ = error;
    events_.erase(request->append.id);
  }
  if (lost()) return drop(group);
  put_back(group);
  short_of_memory_ = is_bad_alloc(error);
  refused_ = anything_waits();
  if (!refused_) return;
  if (short_of_memory_) {
    due_ = clock_->monotonic_now() + kAgainWithoutMemory;
  } else {
    backoff_ = after_backoff(backoff_);
    due_ = clock_->monotonic_now() + backoff_;
  }
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
  committed_ = group.ticket;
  refused_ = false;
  due_.reset();
  wake_after_commit_ = true;
}

void JournalWriter::split(Group& group) {
  alone_ = group.requests.size();
  patiently([&] {
    mutex_.assert_held();
    put_before(requests_, group.requests);
  });
  put_back(group);
}

void JournalWriter::put_back(Group& group) {
  dirty_synced_ = dirty_synced_ || group.synced;
  for (const auto& event : group.events) {
    event->in_commit = false;
    for (OwedEvent::Part& part : event->parts) part.changed = part.done || part.attempts_made > 0;
    if (!event->dirty)
      patiently([&] {
        mutex_.assert_held();
        dirty_.push_back(event);
      });
    event->dirty = true;
  }
  patiently([&] {
    mutex_.assert_held();
    put_before(waiting_letters_, group.letters);
  });
  patiently([&] {
    mutex_.assert_held();
    put_before(facts_, group.facts);
  });
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
  flush_all(WhenBusy::Throw, std::chrono::steady_clock::now());  // which waits for no reporter
}

bool JournalWriter::flush() { return flush_all(WhenBusy::Throw); }

void JournalWriter::flush_finally(std::optional<Instant> deadline) { flush_all(WhenBusy::Spill, deadline); }

bool JournalWriter::flush_all(WhenBusy when_busy, std::optional<Instant> deadline) {
  MutexLock lock(mutex_);
  for (Patience patience; anything_waits() || committing_;) {
    if (committing_) {
      changed_.wait(mutex_);
    } else if (!commit_group(when_busy)) {
      if (when_busy == WhenBusy::Throw || !short_of_memory_) return false;
      lock.unlock();
      patience.wait();  // nobody would try again
      lock.lock();
    }
  }
  // Who reports may be stuck in a log sink; what it reports is committed.
  while (reporting_ > 0) {
    if (!deadline) {
      changed_.wait(mutex_);
    } else if (!changed_.wait_until(mutex_, *deadline)) {
      break;
    }
  }
  return true;
}

void JournalWriter::stop_waiting() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool JournalWriter::wait_until_recorded(Instant deadline) {
  const MutexLock lock(mutex_);
  bool in_time = true;
  while (anything_waits() || committing_ || reporting_ > 0) {
    if (!in_time) return false;
    if (committing_ || refused_ || !anything_waits()) {
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

std::size_t JournalWriter::pending_letters() const {
  const MutexLock lock(mutex_);
  return waiting_letters_.size() + letters_in_commit_;
}

}  // namespace tidings::detail
