#include "owner_number.hpp"

#include "schema.hpp"

#include <tidings/error.hpp>

#include <string>

namespace tidings::deadletter {

void OwnerNumber::take(Connection& connection) {
  const std::int64_t number = connection.integer(kOwnerNumber) + 1;
  write_meta(connection, meta::kJournalOwner, std::to_string(number));
  lost_ = false;
  number_ = number;
}

void OwnerNumber::give_up() noexcept {
  number_ = 0;
  lost_ = false;
}

void OwnerNumber::require(std::int64_t found) {
  if (found != number_) lost_ = true;
  require_not_lost();
}

void OwnerNumber::require_not_lost() const {
  if (!lost_) return;
  throw Error(ErrorCode::JournalOwned,
              "another bus has taken the journal over (its .owner file was removed, or is not shared), or a "
              "backup was put in the place of the running database: this bus writes nothing more to the "
              "journal and delivers nothing from it; find the other service, and restart this one");
}

}  // namespace tidings::deadletter
