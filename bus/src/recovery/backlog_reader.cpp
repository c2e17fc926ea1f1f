#include "recovery/backlog_reader.hpp"

#include <tidings/detail/kill_point.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tidings::detail {

void BacklogReader::begin(Subscriber& subscriber) {
  if (journal_) journal_->owed.begin_backlog(subscriber.backlog);
}

void BacklogReader::end(Subscriber& subscriber) {
  if (journal_) journal_->owed.close_backlog(subscriber.backlog);
}

void BacklogReader::refill() {
  if (!refill_.take() || gate_.durable_held()) return;
  for (const auto& subscriber : topics_.all()) {
    while (gate_.is_open() && subscriber->backlog.active() && refill(subscriber)) {
    }
  }
}

/// Reads the next chunk of a subscriber's backlog. False: for now there is no more to do.
bool BacklogReader::refill(const std::shared_ptr<Subscriber>& subscriber) {
  const std::size_t room = subscriber->queue.room();
  if (room == 0 || subscriber->state.load() != SubscriberState::Open) return false;
  const auto [next, until] = journal_->owed.unread_of(subscriber->backlog);
  const std::int64_t up_to = std::min(journal_->owed.settled_up_to(), until - 1);
  const std::size_t limit = std::min(room, kBacklogChunk);
  journal_->owed.begin_reading();
  std::vector<OwedDelivery> rows;
  try {
    rows = journal_.port->owed(
        {subscriber->queried_type(), subscriber->identity.handler, next - 1, up_to, limit});
    kill_point("recover.read");
    readmission_.queue(subscriber, rows);
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
bool BacklogReader::advance(Subscriber& subscriber, std::int64_t next, bool caught_up) {
  const auto reached = journal_->owed.advance(subscriber.backlog, next, caught_up);
  if (reached == Backlog::Reached::AllThatIsCommitted) {
    refill_.request_quietly();
    journal_->commits.wake_when_settled();
  }
  return reached == Backlog::Reached::Chunk;
}

}  // namespace tidings::detail
