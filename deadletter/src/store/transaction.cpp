#include <tidings/deadletter/transaction.hpp>

#include "store/store_transaction.hpp"
#include "store/user_transaction.hpp"

#include <tidings/error.hpp>

namespace tidings::deadletter {

sqlite3* Transaction::connection() const {
  if (const auto connection = connection_.lock()) return connection.get();
  throw Error(ErrorCode::InvalidArgument,
              "this transaction ended when its handler returned; ask for transaction(context) in each run of "
              "the handler, and keep neither it nor its connection");
}

Transaction transaction(const EventContext& context) {
  auto* const own = dynamic_cast<StoreTransaction*>(&tidings::detail::open_transaction(context));
  if (own != nullptr) return Transaction(own->handle());
  throw Error(ErrorCode::NoJournal,
              "the store of this bus is not a tidings::deadletter::Store, whose transactions these are");
}

PublishResult detail::publish_in(sqlite3* connection, Bus& bus, const tidings::detail::Payload& payload,
                                 const PublishOptions& options) {
  UserTransaction transaction(connection);
  return tidings::detail::publish_in(bus, transaction, payload, options);
}

}  // namespace tidings::deadletter
