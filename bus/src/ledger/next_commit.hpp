#pragma once

#include "queue/owed_event.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/ids.hpp>
#include <tidings/journal.hpp>
#include <tidings/letter_sink.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tidings::detail {

/// One event on its way into the journal, on its publisher's stack.
struct AppendRequest {
  JournalAppend append;  // but for its id
  std::shared_ptr<OwedEvent> owed;
  bool synced = false;
  /// The next request is of the same batch: one commit takes both, or none.
  bool batch_goes_on = false;
  /// Letters of deliveries that are dead from the start: they are stored in the commit that appends the
  /// event, which then is owed to no handler.
  std::vector<DeadLetter> letters = {};
  /// Set by the commit: the earlier event with the same idempotency key, if there is one.
  std::optional<EventId> repeat = {};
  /// Set by the commit: what became of `letters`.
  std::vector<LetterOutcome> outcomes = {};

 private:
  friend class GroupCommit;
  bool settled_ = false;
  /// Error, or std::bad_alloc.
  std::exception_ptr error_ = {};
};

/// What one commit writes, and whom its result concerns.
struct CommitGroup {
  std::vector<AppendRequest*> requests;
  std::vector<std::shared_ptr<OwedEvent>> events;
  std::vector<DeadLetter> letters;
  std::vector<JournalDelivery> facts;
  bool synced = false;  // because of `events`
  JournalBatch batch;
  std::uint64_t ticket = 0;
  /// Reserved before the commit began, and so settled by it: it had the write lock.
  std::vector<std::int64_t> reserved;

  /// How many batches its requests are of: they are refused and repeated as a whole.
  [[nodiscard]] std::size_t batches() const noexcept;
  /// Makes `batch`, under the mutex that guards what is known of events; may throw std::bad_alloc half-way,
  /// before the group is put back.
  void describe();
};

/// What the next commit takes. A part of OwedLedger, guarded by its mutex.
class NextCommit {
 public:
  void add(AppendRequest& request) { requests_.push_back(&request); }
  void remove(const AppendRequest& request) noexcept { std::erase(requests_, &request); }
  /// The event, or one of its deliveries, has changed.
  void add(const std::shared_ptr<OwedEvent>& event);
  /// Has memory for one more event.
  void prepare_for_event() { events_.reserve(events_.size() + 1); }
  void add(DeadLetter letter);
  void add(JournalDelivery fact);
  /// The next commit is to survive a power cut.
  void sync() noexcept { synced_ = true; }

  /// Stands for all that was added so far: it is committed when a commit took it with this ticket or a later.
  [[nodiscard]] std::uint64_t ticket() const noexcept { return tickets_; }
  /// Whether there is anything that no publisher waits for.
  [[nodiscard]] bool anything_waits() const noexcept {
    return !events_.empty() || !letters_.empty() || !facts_.empty();
  }
  [[nodiscard]] std::size_t requests() const noexcept { return requests_.size(); }
  [[nodiscard]] std::optional<std::int64_t> first_request() const noexcept {
    if (requests_.empty()) return std::nullopt;
    return requests_.front()->append.id;
  }
  [[nodiscard]] const std::vector<DeadLetter>& letters() const noexcept { return letters_; }
  [[nodiscard]] std::vector<DeadLetter> take_letters() noexcept { return std::exchange(letters_, {}); }

  /// Takes what waits, all or, when memory is short, nothing.
  void take(CommitGroup& group);
  /// Puts all of a group back but its requests.
  void put_back(CommitGroup& group);
  /// Puts a group back whose batches are to be tried each by itself.
  void put_back_each(CommitGroup& group);

 private:
  /// How many requests the next commit takes: batches as a whole.
  [[nodiscard]] std::size_t next_requests() const noexcept;

  std::vector<AppendRequest*> requests_;
  std::vector<std::shared_ptr<OwedEvent>> events_;
  std::vector<DeadLetter> letters_;
  std::vector<JournalDelivery> facts_;
  /// Something in events_ is to be synced.
  bool synced_ = false;
  /// So many of the next batches are committed each by itself: an event was too large.
  std::size_t alone_ = 0;
  std::uint64_t tickets_ = 0;
};

}  // namespace tidings::detail
