#pragma once

#include "letters/letter_insert.hpp"
#include "sqlite/prepared.hpp"

#include <tidings/journal.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Appends events to the journal of a connection's main database, inside the caller's transaction. Must be
/// destroyed before the connection. Members throw SQLite::Exception.
class JournalAppender {
 public:
  explicit JournalAppender(sqlite3* connection);

  /// Prepares now what is otherwise prepared for the first event with an idempotency key.
  void prepare_idempotency_keys();
  /// The number of the journal's owner: see OwnerNumber.
  [[nodiscard]] std::int64_t owner_number();
  /// Returns the id of the event published before under the same idempotency key; otherwise appends the
  /// event, if it is owed to any handler, and returns nullopt. Throws Error(NotEncodable) for an event that
  /// no row can hold.
  std::optional<EventId> append(const JournalAppend& event, std::string_view service);
  /// Appends all of them or, if it throws, none; the transaction stays open if SQLite permits.
  [[nodiscard]] std::vector<std::optional<EventId>> append_all(std::span<const JournalAppend> events,
                                                               std::string_view service);

 private:
  struct IdempotencyKeys {
    explicit IdempotencyKeys(sqlite3* connection);
    Prepared claim;
    Prepared find;
  };

  [[nodiscard]] std::optional<EventId> claim_key(const JournalAppend& event, std::string_view event_id);
  void insert(const JournalAppend& event, std::string_view event_id, std::string_view service);
  void execute(const char* sql);

  sqlite3* connection_;
  Prepared insert_;
  Prepared owner_number_;
  std::optional<IdempotencyKeys> idempotency_keys_;
  // What a row has in another form than the event; kept for its memory.
  std::string attributes_;
  ChainTexts chain_;
};

}  // namespace tidings::deadletter
