#pragma once

#include "connection.hpp"
#include "prepared.hpp"

#include <tidings/journal.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// What is written to the journal's tables, inside the caller's transaction. Keeps its statements prepared;
/// goes before the database it was made for. Members throw SQLite::Exception.
class JournalWriter {
 public:
  explicit JournalWriter(SQLite::Database& database);

  /// The id of the event published before under the same idempotency key; otherwise appends. Throws
  /// Error(NotEncodable) for an event that no row can hold.
  std::optional<EventId> append(const JournalAppend& event, std::string_view service);
  void change(const JournalDelivery& delivery);
  /// Nearly always no delivery has a row, and nothing is looked for that is not there. So this object must go
  /// when a transaction that it wrote in was not committed.
  void finish(std::span<const std::int64_t> journal_ids);

  /// True: there are more.
  bool forget_keys(Timestamp published_before);
  void report_unserved(std::span<const OwedTotal> handlers);

 private:
  [[nodiscard]] std::optional<EventId> claim_key(const JournalAppend& event, std::string_view event_id);
  void insert(const JournalAppend& event, std::string_view event_id, std::string_view service);
  void bind_context(const Metadata& metadata, std::string_view event_id);
  /// How many rows went.
  int remove(Prepared& statement, std::int64_t first, std::int64_t last);
  void bind_chain(const Metadata& metadata);

  SQLite::Database& database_;
  Prepared insert_;
  Prepared claim_key_;
  Prepared find_key_;
  Prepared change_;
  Prepared finish_events_;
  Prepared finish_deliveries_;
  bool has_deliveries_;
  // What a row has in another form than the event; kept for its memory.
  std::string attributes_;
  std::string correlation_id_;
  std::string causation_id_;
  std::string traceparent_;
};

}  // namespace tidings::deadletter
