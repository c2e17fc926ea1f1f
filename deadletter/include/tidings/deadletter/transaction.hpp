#pragma once

#include <tidings/bus.hpp>
#include <tidings/event.hpp>
#include <tidings/event_context.hpp>

#include <concepts>
#include <memory>
#include <string_view>
#include <utility>

/// SQLite's connection, of <sqlite3.h>.
struct sqlite3;

// Events and data that are committed together, in one database: the Store's, which may be the application's
// own (StoreOptions::adopt).
//
// Outbound: publish_in() publishes in a transaction of the application's, so that its change and the event
// happen or do not happen together. Inbound: transaction() gives a handler the transaction in which its
// delivery ends, so that what it writes there is written exactly once.

namespace tidings::deadletter {

/// The database transaction of one run of a handler, from transaction(). A copy may be kept, but has no use
/// once the handler has returned.
class Transaction {
 public:
  /// The connection to write through, with <sqlite3.h> or a wrapper of it. Use it only on the handler's
  /// thread and during this run of the handler: other handlers use the same connection later. Throws
  /// Error(InvalidArgument) once the handler has returned.
  [[nodiscard]] sqlite3* connection() const;

 private:
  friend Transaction transaction(const EventContext& context);
  explicit Transaction(std::weak_ptr<sqlite3> connection) noexcept : connection_(std::move(connection)) {}

  std::weak_ptr<sqlite3> connection_;
};

/// The transaction in which the delivery of `context` will end: for a durable event with the handler's
/// completion, for a redrive with its letter's resolution. If the handler returns, its writes are committed
/// (and synced) together with that end. If it throws, or the process dies, neither is committed. The writes
/// therefore happen exactly once, through retries, restarts and redrives.
///
/// It begins at first use, with BEGIN IMMEDIATE: from there until the handler has returned no other writer
/// gets the database, durable publishers of all threads included, so call it late and return soon. The log
/// records `transaction_waited` and `transaction_held` name handlers that waited for it, or kept others
/// waiting, for more than 100 ms.
///
/// - A durable publish of this thread on this bus joins it: the event is there if the transaction is
///   committed, and is delivered then, by workers. Other publishes are not part of it.
/// - COMMIT is refused by SQLite, and a handler that ends the transaction otherwise (ROLLBACK, or an error
///   after which SQLite has rolled back) has failed when it returns; nothing it wrote is kept. SAVEPOINT may
///   be used.
/// - Statements that still run when the handler returns are reset; what they have done is committed. Later
///   runs get the same connection, so finalize yours, and undo what you set or attach.
/// - Writes of another thread, or of this one through another connection, wait meanwhile, and fail as busy
///   after the store's busy timeout; `Bus::redrive` inside it is refused. The connection has SQLite's
///   defaults: foreign keys are not enforced unless SQLite was built so.
///
/// Throws Error: NoJournal (the delivery is neither durable nor a redrive, or its bus has no Store),
/// DatabaseBusy (another writer had the database for longer than the busy timeout), DatabaseUnusable,
/// InvalidArgument (not the thread that the handler runs on). If the handler lets it escape, the attempt has
/// failed and is retried by its policy.
[[nodiscard]] Transaction transaction(const EventContext& context);

namespace detail {
PublishResult publish_in(sqlite3* connection, Bus& bus, const tidings::detail::Payload& payload,
                         const PublishOptions& options);
}  // namespace detail

/// Publishes in the open transaction of a connection of the application's, whose main database is the file of
/// the bus's Store. The event exists if and when that transaction is committed. It is then delivered, on
/// workers, to the handlers that are subscribed now: at once if `bus.notify()` is called after the commit,
/// otherwise within half a second. After a rollback, also to a savepoint, the event never existed.
///
/// The result counts deliveries as scheduled. An idempotency key is used up with the commit; a duplicate is
/// reported as by Bus::publish. The transaction takes the database's write lock here, if it does not have it:
/// from then until it ends, nobody else can publish durably (they fail as busy after their busy timeout), and
/// a durable Bus::publish on this thread would wait for itself. Begin with BEGIN IMMEDIATE, and keep it
/// short. The bus writes to the same file, so give the connection a busy timeout: SQLite's default is none.
///
/// Only the calling thread may use `connection` meanwhile. The bus must live until the call returns, not
/// until the commit: a successor, also after a restart, delivers the event.
///
/// Throws Error, and then nothing was published and the transaction goes on, unless SQLite itself has ended
/// it (a full disk, an I/O error): InvalidArgument (no connection, no open transaction, another main
/// database, a `synchronous` below FULL for a PowerLoss event, options as for Bus::publish), NoJournal,
/// NotEncodable, DatabaseBusy, DatabaseUnusable, BusStopped, ForkedChild.
template <class E>
requires(!std::convertible_to<const E&, std::string_view>) PublishResult
    publish_in(sqlite3* connection, Bus& bus, const E& event,
               const PublishOptions& options = kNoPublishOptions) {
  require_event<E>();
  return detail::publish_in(
      connection, bus, {&event, &tidings::detail::kPayloadType<E>, E::event_type, schema_version_of<E>()},
      options);
}

/// The same by type name.
inline PublishResult publish_in(sqlite3* connection, Bus& bus, std::string_view event_type, const Json& data,
                                const PublishOptions& options = kNoPublishOptions, int schema_version = 1) {
  return detail::publish_in(
      connection, bus, {&data, &tidings::detail::kPayloadType<Json>, event_type, schema_version}, options);
}

}  // namespace tidings::deadletter
