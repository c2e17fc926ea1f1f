#include "recovery/backlog_reader.hpp"

#include <tidings/detail/kill_point.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tidings::detail {

void BacklogReader::begin(Subscriber& subscriber) {
  if (bus_.journal) bus_.journal.ledger->begin_backlog(subscriber.backlog);
}

void BacklogReader::end(Subscriber& subscriber) {
  if (bus_.journal) bus_.journal.ledger->close_backlog(subscriber.backlog);
}

void BacklogReader::refill() {
  if (!bus_.refill.take() || bus_.gate.durable_held()) return;
  for (const auto& subscriber : bus_.topics.all()) {
    while (bus_.gate.is_open() && subscriber->backlog.active() && refill(subscriber)) {
    }
  }
}

/// Reads the next chunk of a subscriber's backlog. False: for now there is no more to do.
bool BacklogReader::refill(const std::shared_ptr<Subscriber>& subscriber) {
  const std::size_t room = subscriber->queue.room();
  if (room == 0 || subscriber->state.load() != SubscriberState::Open) return false;
  const auto [next, until] = bus_.journal.ledger->unread_of(subscriber->backlog);
  const std::int64_t up_to = std::min(bus_.journal.ledger->settled_up_to(), until - 1);
  const std::size_t limit = std::min(room, kBacklogChunk);
  bus_.journal.ledger->begin_reading();
  std::vector<OwedDelivery> rows;
  try {
    rows = bus_.journal.port->owed(
        {subscriber->queried_type(), subscriber->identity.handler, next - 1, up_to, limit});
    kill_point("recover.read");
    readmission_.queue(subscriber, rows);
    kill_point("recover.queued");
  } catch (...) {
    bus_.journal.ledger->end_reading();
    throw;
  }
  bus_.journal.ledger->end_reading();
  const bool caught_up = rows.size() < limit;
  return advance(*subscriber, caught_up ? std::max(next, up_to + 1) : rows.back().journal_id + 1, caught_up);
}

/// Notes how far the backlog was read. True: there may be more to read at once.
bool BacklogReader::advance(Subscriber& subscriber, std::int64_t next, bool caught_up) {
  const auto reached = bus_.journal.ledger->advance(subscriber.backlog, next, caught_up);
  if (reached == Backlog::Reached::AllThatIsCommitted) {
    bus_.refill.request_quietly();
    bus_.journal.commits->wake_when_settled();
  }
  return reached == Backlog::Reached::Chunk;
}

}  // namespace tidings::detail
