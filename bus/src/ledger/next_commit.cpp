#include "ledger/next_commit.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxGroup = 4096;

/// Moves `first` to the front of `all`. Changes nothing when it throws.
template <class Element>
void put_before(std::vector<Element>& all, std::vector<Element>& first) {
  static_assert(std::is_nothrow_move_constructible_v<Element>);
  first.reserve(first.size() + all.size());
  std::move(all.begin(), all.end(), std::back_inserter(first));
  all.swap(first);
  first.clear();
}

/// What the commit writes of an event: only its end, once all its deliveries are done.
void describe_event(OwedEvent& event, JournalBatch& batch) {
  if (event.parts_open == 0) {
    batch.finished.push_back(event.id);
    return;
  }
  for (std::size_t index = 0; index < event.parts.size(); ++index) {
    if (!std::exchange(event.parts[index].changed, false)) continue;
    batch.changed.push_back(event.row_of(index));
  }
}

}  // namespace

std::size_t CommitGroup::batches() const noexcept {
  const auto ends = [](const AppendRequest* request) { return !request->batch_goes_on; };
  return static_cast<std::size_t>(std::count_if(requests.begin(), requests.end(), ends));
}

/// The letters of its deliveries come first, then those of what it appends, request by request.
void CommitGroup::describe() {
  batch.synced = synced;
  batch.appended.reserve(requests.size());
  for (const AppendRequest* request : requests) {
    batch.appended.push_back(request->append);
    batch.synced = batch.synced || request->synced;
  }
  batch.changed = facts;
  for (const auto& event : events) describe_event(*event, batch);
  for (const DeadLetter& letter : letters) batch.letters.push_back(&letter);
  for (const AppendRequest* request : requests) {
    for (const DeadLetter& letter : request->letters) batch.letters.push_back(&letter);
  }
}

void NextCommit::add(const std::shared_ptr<OwedEvent>& event) {
  if (!event->dirty) patiently([&] { events_.push_back(event); });
  ++tickets_;
  event->dirty = true;
}

void NextCommit::add(DeadLetter letter) {
  patiently([&] { letters_.push_back(std::move(letter)); });
}

void NextCommit::add(JournalDelivery fact) {
  patiently([&] { facts_.push_back(std::move(fact)); });
  ++tickets_;
}

std::size_t NextCommit::next_requests() const noexcept {
  const std::size_t enough = alone_ > 0 ? 1 : kMaxGroup;
  std::size_t count = std::min(requests_.size(), enough);
  while (count < requests_.size() && requests_[count - 1]->batch_goes_on) ++count;
  return count;
}

void NextCommit::take(CommitGroup& group) {
  const auto count = static_cast<std::ptrdiff_t>(next_requests());
  group.requests.assign(requests_.begin(), requests_.begin() + count);  // nothing below throws
  if (alone_ > 0) --alone_;
  requests_.erase(requests_.begin(), requests_.begin() + count);
  group.events.swap(events_);
  group.synced = std::exchange(synced_, false);
  group.letters.swap(letters_);
  group.facts.swap(facts_);
  group.ticket = tickets_;
  for (const auto& event : group.events) {
    event->dirty = false;
    event->in_commit = true;
  }
}

void NextCommit::put_back(CommitGroup& group) {
  synced_ = synced_ || group.synced;
  for (const auto& event : group.events) {
    event->in_commit = false;
    for (OwedEvent::Part& part : event->parts) part.changed = part.done || part.attempts_made > 0;
    if (!event->dirty) patiently([&] { events_.push_back(event); });
    event->dirty = true;
  }
  patiently([&] { put_before(letters_, group.letters); });
  patiently([&] { put_before(facts_, group.facts); });
}

void NextCommit::put_back_each(CommitGroup& group) {
  alone_ = group.batches();
  patiently([&] { put_before(requests_, group.requests); });
  put_back(group);
}

}  // namespace tidings::detail
