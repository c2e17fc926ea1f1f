#include "letters/letter_writer.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/redactor.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <iterator>
#include <new>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxBatch = 256;
constexpr std::size_t kMaxWaiting = 4096;
constexpr std::size_t kMaxWaitingBytes = 64U * 1024 * 1024;
constexpr std::chrono::milliseconds kFlushWithin{50};
constexpr std::chrono::milliseconds kFirstBusyBackoff{100};
constexpr std::chrono::milliseconds kMaxBusyBackoff{5000};

std::size_t size_of(const DeadLetter& letter) {
  std::size_t bytes = sizeof(DeadLetter) + letter.data.bytes.size();
  for (const Attempt& attempt : letter.attempts) bytes += sizeof(Attempt) + attempt.error_message.size();
  return bytes;
}

void write_all(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void write_to_stderr(const DeadLetter& letter, std::string_view problem) noexcept {
  try {
    Json line = {{"level", "critical"},
                 {"event", "dead_letter_unsaved"},
                 {"problem", logging::default_redactor()->redact_text(problem)},
                 {"advice", "keep this line: dead-letters import takes it"}};
    std::string text = line.dump(-1, ' ', true, Json::error_handler_t::replace);
    text.pop_back();
    write_all(text + ",\"letter\":" + to_json_line(letter) + "}\n");
  } catch (...) {
    write_all("{\"level\":\"critical\",\"event\":\"dead_letter_unsaved\",\"problem\":\"out of memory\"}\n");
  }
}

bool have_one_key(const DeadLetter& one, const DeadLetter& other) noexcept {
  return one.ordering_key == other.ordering_key && one.handler == other.handler &&
         one.event_type == other.event_type;
}

bool LetterWriter::full() const {
  const bool many = waiting_.size() + in_commit_ >= kMaxWaiting;
  return many || (waiting_bytes_ >= kMaxWaitingBytes && !waiting_.empty());
}

void LetterWriter::append(DeadLetter letter) {
  const std::size_t bytes = size_of(letter);
  patiently([&] {
    mutex_.assert_held();
    waiting_.push_back(std::move(letter));
  });  // a deque moves it once it has the memory
  waiting_bytes_ += bytes;
  ++appended_;
}

void LetterWriter::make_room() {
  while (full()) wait_or_commit(mutex_);
}

bool LetterWriter::store(DeadLetter letter) {
  const MutexLock lock(mutex_);
  make_room();
  append(std::move(letter));
  const std::uint64_t ticket = appended_;
  return wait_reported(mutex_, ticket) || committed() >= ticket;  // by another, just now
}

void LetterWriter::store_soon(DeadLetter letter, WhenTooMany when_too_many) {
  bool first = false;
  {
    const MutexLock lock(mutex_);
    if (when_too_many == WhenTooMany::Wait) make_room();
    append(std::move(letter));
    if (!due_) {
      due_ = clock_->monotonic_now() + kFlushWithin;
      first = true;
    }
  }
  if (first) wake_();
}

std::optional<Instant> LetterWriter::due() const {
  const MutexLock lock(mutex_);
  return due_;
}

void LetterWriter::flush_if_due(Instant now) {
  const MutexLock lock(mutex_);
  if (!due_ || now < *due_) return;
  due_.reset();
  busy_ = false;
  if (!commit_a_turn() && !due_) due_ = now;
}

bool LetterWriter::flush_a_turn() {
  const MutexLock lock(mutex_);
  return commit_a_turn();
}

bool LetterWriter::commit_a_turn() {
  for (const std::uint64_t end = committed() + kMaxWaiting;
       (!waiting_.empty() || committing()) && committed() < end;) {
    if (committing()) {
      wait(mutex_);
    } else if (commit(WhenBusy::Throw) != CommitProgress::Committed) {
      return false;
    }
  }
  return waiting_.empty() && !committing();
}

void LetterWriter::keep_before(const DeadLetter& letter) {
  const MutexLock lock(mutex_);
  const auto last = std::find_if(waiting_.rbegin(), waiting_.rend(),
                                 [&](const DeadLetter& each) { return have_one_key(each, letter); });
  const auto up_to_last = static_cast<std::uint64_t>(waiting_.rend() - last);
  static_cast<void>(wait_committed(mutex_, committed() + in_commit_ + up_to_last));
}

bool LetterWriter::flush() {
  const MutexLock lock(mutex_);
  return flush_all(mutex_, WhenBusy::Throw, {});
}

void LetterWriter::flush_finally(std::optional<Instant> deadline) {
  const MutexLock lock(mutex_);
  flush_all(mutex_, WhenBusy::Spill, deadline);
}

bool LetterWriter::wait_until_kept(Instant deadline) {
  const MutexLock lock(mutex_);
  return wait_until_done(mutex_, deadline);
}

LetterWriter::Batch LetterWriter::take_batch() {
  const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMaxBatch));
  Batch batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  for (const DeadLetter& letter : batch) waiting_bytes_ -= size_of(letter);
  in_commit_ = batch.size();
  return batch;
}

void LetterWriter::put_back(Batch batch, bool short_of_memory) {
  busy_ = true;
  if (!short_of_memory) busy_backoff_ = std::clamp(busy_backoff_ * 2, kFirstBusyBackoff, kMaxBusyBackoff);
  due_ = clock_->monotonic_now() + (short_of_memory ? kAgainWithoutMemory : busy_backoff_);
  // One by one: each is moved once there is the memory for it.
  for (auto letter = batch.rbegin(); letter != batch.rend(); ++letter) {
    waiting_bytes_ += size_of(*letter);
    patiently([&] {
      mutex_.assert_held();
      waiting_.push_front(std::move(*letter));
    });
  }
}

/// The one place where a batch is taken, handed over and settled. Whatever happens on the way, it is kept or
/// put back, and whoever waits is woken: it throws nothing itself.
CommitProgress LetterWriter::commit(WhenBusy when_busy) noexcept {
  Batch batch = patiently([&] {
    mutex_.assert_held();
    return take_batch();
  });
  begin_commit();
  mutex_.unlock();
  std::vector<LetterOutcome> outcomes;
  std::optional<Error> busy;
  bool short_of_memory = false;
  try {
    outcomes = hand_over(batch, when_busy);
  } catch (const Error& error) {
    busy = error;
  } catch (const std::bad_alloc&) {
    short_of_memory = true;
  }
  mutex_.lock();
  end_commit();
  in_commit_ = 0;
  if (busy || short_of_memory) {
    put_back(std::move(batch), short_of_memory);
  } else {
    const std::uint64_t ticket = committed() + batch.size();
    set_committed(ticket);
    busy_ = false;
    busy_backoff_ = std::chrono::milliseconds(0);
    report_without(mutex_, [&] { report(batch, outcomes); });
    set_reported(ticket);
  }
  notify();
  if (short_of_memory) wake_();  // which takes no mutex that its caller holds
  if (short_of_memory) return CommitProgress::ShortOfMemory;
  if (!busy) return CommitProgress::Committed;
  const std::size_t waiting = waiting_.size();
  const std::chrono::milliseconds backoff = busy_backoff_;
  mutex_.unlock();
  wake_();
  log_.database_busy(waiting, backoff, busy->what());
  mutex_.lock();
  return CommitProgress::Refused;
}

/// Throws Error when the database is busy, and only if `when_busy` allows it; and std::bad_alloc: then the
/// letters may be kept or not, and are to be handed over again, which keeps each once.
std::vector<LetterOutcome> LetterWriter::hand_over(const Batch& batch, WhenBusy when_busy) {
  const auto unsaved = [&](const char* problem) {
    return patiently([&] {
      return std::vector<LetterOutcome>(
          batch.size(), {LetterOutcome::Place::Unsaved, 0, problem != nullptr ? problem : ""});
    });
  };
  if (!sink_) return unsaved("");
  try {
    const StorageCounts::Timing timing(counts_);
    std::vector<LetterOutcome> outcomes = sink_->store(batch, when_busy);
    return outcomes.size() == batch.size() ? outcomes : unsaved("the letter sink broke its contract");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::DatabaseBusy && when_busy == WhenBusy::Throw) throw;
    return unsaved(what_of(error));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return unsaved(what_of(error));
  } catch (...) {
    return unsaved("the letter sink threw something that is not a std::exception");
  }
}

std::vector<LetterOutcome> LetterWriter::keep_now(const Batch& batch) noexcept {
  if (batch.empty()) return {};
  const MutexLock lock(mutex_);
  while (committing()) wait(mutex_);
  begin_commit();
  mutex_.unlock();
  std::vector<LetterOutcome> outcomes = patiently([&] { return hand_over(batch, WhenBusy::Spill); });
  mutex_.lock();
  end_commit();
  notify();
  return outcomes;
}

void LetterWriter::report(std::span<const DeadLetter> letters,
                          std::span<const LetterOutcome> outcomes) noexcept {
  if (sink_) observing_.letters_kept(letters, outcomes);
  for (std::size_t index = 0; index < letters.size(); ++index) {
    const DeadLetter& letter = letters[index];
    const LetterOutcome& outcome = outcomes[index];
    if (!sink_) {
      log_.dropped(letter);
      continue;
    }
    switch (outcome.place) {
      case LetterOutcome::Place::Stored:
      case LetterOutcome::Place::AlreadyStored:
        log_.stored(letter, outcome.id);
        break;
      case LetterOutcome::Place::Spilled:
        counts_.spilled.fetch_add(1, std::memory_order_relaxed);
        log_.spilled(letter, outcome.problem);
        break;
      case LetterOutcome::Place::Unsaved:
        counts_.unsaved.fetch_add(1, std::memory_order_relaxed);
        write_to_stderr(letter, outcome.problem);
        log_.unsaved(letter, outcome.problem);
        break;
      case LetterOutcome::Place::Repeat:
        break;
    }
  }
}

std::size_t LetterWriter::pending() const {
  const MutexLock lock(mutex_);
  return waiting_.size() + in_commit_;
}

}  // namespace tidings::detail
