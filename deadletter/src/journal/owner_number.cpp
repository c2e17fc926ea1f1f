#include "journal/owner_number.hpp"

#include "schema/schema.hpp"

#include <tidings/error.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace tidings::deadletter {

namespace {

/// Random, not the next number: another database that was copied over this one may have reached the same
/// count.
std::int64_t draw_another(std::int64_t number) {
  std::int64_t drawn = 0;
  while (drawn == 0 || drawn == number) {
    sqlite3_randomness(sizeof drawn, &drawn);
    drawn &= INT64_MAX;
  }
  return drawn;
}

}  // namespace

void OwnerNumber::take(Connection& connection) {
  const std::int64_t number = draw_another(connection.integer(kOwnerNumber));
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
