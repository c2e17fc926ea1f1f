#pragma once

#include "redrive/redrive_connection.hpp"

#include <cstdint>
#include <string>

namespace tidings::deadletter {

/// The letters that wait behind one of their ordering key which was not redriven with success, of handlers
/// that park them (AfterDeath::Park). Which do is a row of tidings_meta,
/// `parks.["service","type","handler"]`: it is needed to end the claim of a dead process. Must be destroyed
/// before the connection. Throws SQLite::Exception.
class ParkedLanes {
 public:
  explicit ParkedLanes(RedriveConnection& connection);

  /// Records, with the claim of a letter that has an ordering key, whether its handler parks.
  void note(std::int64_t letter, bool parks);
  /// Whether the letter has an ordering key, and its handler parked when it last claimed one.
  [[nodiscard]] bool parks(std::int64_t letter);
  /// Removes the marks of letters behind this one that no bus holds, or that a dead claimant held and had not
  /// begun; `dead` is empty if there is none.
  void withdraw_behind(std::int64_t letter, const std::string& dead);

 private:
  SQLite::Statement note_parking_;
  SQLite::Statement note_going_on_;
  SQLite::Statement parks_;
  SQLite::Statement withdraw_behind_;
};

}  // namespace tidings::deadletter
