#include "ledger/group_commit.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxWaitingLetters = 4096;
/// Publishers that were in the last group are likely to be back after about this long.
constexpr std::chrono::microseconds kGatherFor{100};

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

/// The error that a request throws for an exception that its commit threw.
std::exception_ptr as_refusal(const char* what) noexcept {
  return patiently([&] { return std::make_exception_ptr(Error(ErrorCode::InDoubt, what)); });
}

/// Whether letters wait in memory after that error.
bool letters_wait_for(const std::exception_ptr& error, WhenBusy when_busy) noexcept {
  const ErrorCode code = code_of(error);
  if (code == ErrorCode::DatabaseBusy) return when_busy == WhenBusy::Throw;
  return code == ErrorCode::NotEncodable || is_bad_alloc(error);
}

}  // namespace

// --- publishing ---

void GroupCommit::append(std::span<AppendRequest> requests, const Admit& admit, Placing* placing) {
  const MutexLock lock(ledger_.mutex_);
  ledger_.admit(requests, admit, placing);
  if (gathering_) arrived_.notify_one();
  kill_point("publish.before_append");
  while (!requests.back().settled_) {
    if (committing()) {
      wait(ledger_.mutex_);
    } else {
      commit(WhenBusy::Throw);
    }
  }
  for (const AppendRequest& request : requests) {
    if (request.error_) std::rethrow_exception(request.error_);
  }
}

void GroupCommit::gather() {
  if (last_group_ < 2) return;
  const auto deadline = std::chrono::steady_clock::now() + kGatherFor;
  gathering_ = true;
  while (ledger_.next_.requests() < last_group_ && arrived_.wait_until(ledger_.mutex_, deadline)) {
  }
  gathering_ = false;
}

// --- letters and attempts ---

bool GroupCommit::wait_recorded(std::uint64_t ticket) {
  const MutexLock lock(ledger_.mutex_);
  return wait_reported(ledger_.mutex_, ticket);
}

bool GroupCommit::bury(const OwedDeliveryHandle& delivery, DeadLetter letter, Wait wait) {
  bool wake = false;
  std::uint64_t ticket = 0;
  {
    const MutexLock lock(ledger_.mutex_);
    if (wait != Wait::Not) {
      while (!stopping_ && ledger_.next_.letters().size() >= kMaxWaitingLetters)
        wait_or_commit(ledger_.mutex_);
    }
    ledger_.next_.add(std::move(letter));
    ledger_.end_part(delivery);
    ticket = ledger_.next_.ticket();
    wake = ledger_.schedule_.arm();
  }
  if (wake) ledger_.wake_();
  return wait != Wait::ForCommit || wait_recorded(ticket);
}

void GroupCommit::keep_before(const DeadLetter& letter) {
  std::uint64_t ticket = 0;
  {
    const MutexLock lock(ledger_.mutex_);
    const auto& waiting = ledger_.next_.letters();
    const auto of_key = [&](const DeadLetter& each) { return have_one_key(each, letter); };
    if (letters_in_commit_ == 0 && std::none_of(waiting.begin(), waiting.end(), of_key)) return;
    ticket = ledger_.next_.ticket();
  }
  static_cast<void>(wait_recorded(ticket));
}

// --- what one commit takes, and what becomes of it when it is done or refused ---

bool GroupCommit::anything_waits() const { return ledger_.next_.anything_waits(); }

bool GroupCommit::refused() const { return ledger_.schedule_.refused(); }

/// The one place where a group is taken, committed and settled. Whatever is thrown on the way, of whatever
/// type, the group is put back, its requests get the error, and waiting threads are woken: it throws nothing
/// itself.
CommitProgress GroupCommit::commit(WhenBusy when_busy) noexcept {
  begin_commit();
  gather();
  CommitGroup group;
  Report report;
  patiently([&] {
    ledger_.mutex_.assert_held();
    ledger_.take(group);
  });
  letters_in_commit_ = group.letters.size();
  try {
    group.describe();
  } catch (...) {
    report.error = std::current_exception();
  }
  report.last_backoff = ledger_.schedule_.backoff();
  report.put_back = !group.events.empty();
  ledger_.mutex_.unlock();
  JournalCommit commit;
  if (!report.error) report.error = commit_observed(group, commit);
  if (report.error) {
    if (!letters_wait_for(report.error, when_busy)) spill(group, report);
    report.newly_lost = code_of(report.error) == ErrorCode::JournalOwned && !lost_.exchange(true);
  }
  ledger_.mutex_.lock();
  end_commit();
  letters_in_commit_ = 0;
  ledger_.ids_.end_appending();
  if (report.error && code_of(report.error) == ErrorCode::NotEncodable && group.batches() > 1) {
    ledger_.next_.put_back_each(group);
  } else if (report.error) {
    refuse(group, report.error);
  } else {
    settle(group, commit);
    commit.letters.resize(group.letters.size());
    report.outcomes = std::move(commit.letters);
    report.letters = std::move(group.letters);
  }
  if (std::exchange(wake_after_commit_, false)) ledger_.wake_();
  report_without(ledger_.mutex_, [&] { tell(report); });
  if (!report.error || lost()) set_reported(group.ticket);
  notify();
  if (!report.error) return CommitProgress::Committed;
  return is_bad_alloc(report.error) ? CommitProgress::ShortOfMemory : CommitProgress::Refused;
}

std::exception_ptr GroupCommit::commit_taken(CommitGroup& group, JournalCommit& commit,
                                             std::chrono::nanoseconds& took) noexcept {
  kill_point("journal.before_commit");
  try {
    {
      const StorageCounts::Timing timing(counts_, &took);
      commit = journal_.commit(group.batch);
    }
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

std::exception_ptr GroupCommit::commit_observed(CommitGroup& group, JournalCommit& commit) noexcept {
  std::chrono::nanoseconds took{0};
  std::exception_ptr error = commit_taken(group, commit, took);
  if (observing_.on())
    observing_.journal_committed(
        {group.batch.appended.size(), group.batch.letters.size(), took, error != nullptr});
  return error;
}

void GroupCommit::spill(CommitGroup& group, Report& report) noexcept {
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

void GroupCommit::tell(const Report& report) noexcept {
  if (report.error) tell_refusal(report);
  letters_.report(report.letters, report.outcomes);
}

void GroupCommit::tell_refusal(const Report& report) noexcept {
  try {
    std::rethrow_exception(report.error);
  } catch (const Error& refusal) {
    if (report.newly_lost) {
      log_.journal_lost(refusal.what());
    } else if (report.put_back && refusal.code() != ErrorCode::NotEncodable && !lost()) {
      log_.journal_refused(refusal.what(), CommitSchedule::after_backoff(report.last_backoff));
    }
  } catch (const std::exception&) {
    if (report.put_back) log_.journal_refused("there is not enough memory", kAgainWithoutMemory);
  }
}

void GroupCommit::settle(CommitGroup& group, const JournalCommit& commit) {
  settle_requests(group, commit);
  ledger_.release(group);
  if (!group.requests.empty()) last_group_ = group.requests.size();
  set_committed(group.ticket);
  if (ledger_.ids_.settle_reserved(group.reserved)) wake_after_commit_ = true;
  ledger_.schedule_.commit_succeeded();
  if (anything_waits() && ledger_.schedule_.arm_again()) wake_after_commit_ = true;
}

void GroupCommit::settle_requests(CommitGroup& group, const JournalCommit& commit) {
  auto outcome = commit.letters.begin() + static_cast<std::ptrdiff_t>(group.letters.size());
  for (std::size_t index = 0; index < group.requests.size(); ++index) {
    AppendRequest& request = *group.requests[index];
    request.settled_ = true;
    const auto end = outcome + static_cast<std::ptrdiff_t>(request.letters.size());
    patiently([&] { request.outcomes.assign(outcome, end); });
    outcome = end;
    if (commit.repeats[index]) {
      request.repeat = commit.repeats[index];
      ledger_.forget(request.append.id);
    } else {
      ledger_.forget_if_idle(*request.owed);
    }
  }
}

void GroupCommit::refuse(CommitGroup& group, const std::exception_ptr& error) {
  for (AppendRequest* request : group.requests) {
    request->settled_ = true;
    request->error_ = error;
    ledger_.forget(request->append.id);
  }
  if (lost()) return drop(group);
  ledger_.next_.put_back(group);
  if (!anything_waits()) return ledger_.schedule_.clear_refusal();
  ledger_.schedule_.commit_refused(is_bad_alloc(error));
  wake_after_commit_ = true;
}

void GroupCommit::drop(CommitGroup& group) {
  ledger_.release(group);
  set_committed(group.ticket);
  ledger_.schedule_.nothing_is_due();
  wake_after_commit_ = true;
}

void GroupCommit::lose(const Error& error) noexcept {
  if (!lost_.exchange(true)) log_.journal_lost(error.what());
}

// --- in the background, and at the end ---

std::optional<Instant> GroupCommit::due() {
  const MutexLock lock(ledger_.mutex_);
  return ledger_.schedule_.next_due();
}

void GroupCommit::flush_if_due(Instant now) {
  const MutexLock lock(ledger_.mutex_);
  if (!ledger_.schedule_.take_due(now)) return;
  const Instant at_once = std::chrono::steady_clock::now();  // waits for no reporter
  flush_all(ledger_.mutex_, WhenBusy::Throw, at_once);
}

bool GroupCommit::flush() {
  const MutexLock lock(ledger_.mutex_);
  return flush_all(ledger_.mutex_, WhenBusy::Throw, {});
}

void GroupCommit::flush_finally(std::optional<Instant> deadline) {
  const MutexLock lock(ledger_.mutex_);
  flush_all(ledger_.mutex_, WhenBusy::Spill, deadline);
}

bool GroupCommit::wait_until_recorded(Instant deadline) {
  const MutexLock lock(ledger_.mutex_);
  return wait_until_done(ledger_.mutex_, deadline);
}

void GroupCommit::stop_waiting() {
  const MutexLock lock(ledger_.mutex_);
  stopping_ = true;
  notify();
}

void GroupCommit::give_up_letters() noexcept {
  std::vector<DeadLetter> letters;
  {
    const MutexLock lock(ledger_.mutex_);
    letters = ledger_.next_.take_letters();
  }
  const auto outcomes = patiently([&] {
    return std::vector<LetterOutcome>(
        letters.size(),
        {LetterOutcome::Place::Unsaved, 0,
         "neither the database nor the spill file took it; its event is still in the journal"});
  });
  letters_.report(letters, outcomes);
}

void GroupCommit::wake_when_settled() {
  {
    const MutexLock lock(ledger_.mutex_);
    if (committing()) {
      wake_after_commit_ = true;
      return;
    }
    if (ledger_.ids_.wake_after_placing()) return;
    if (ledger_.next_.requests() == 0 && !ledger_.ids_.reserved().empty()) return;
  }
  ledger_.wake_();
}

std::size_t GroupCommit::pending_letters() const {
  const MutexLock lock(ledger_.mutex_);
  return ledger_.next_.letters().size() + letters_in_commit_;
}

}  // namespace tidings::detail
