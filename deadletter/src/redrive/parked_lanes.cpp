#include "redrive/parked_lanes.hpp"

namespace tidings::deadletter {
namespace {

constexpr const char* kNoteParking =
    "INSERT OR IGNORE INTO tidings_meta SELECT 'parks.' || json_array(service, event_type, handler), '1'"
    " FROM dead_letters WHERE id = ?";
constexpr const char* kNoteGoingOn =
    "DELETE FROM tidings_meta WHERE key ="
    " (SELECT 'parks.' || json_array(service, event_type, handler) FROM dead_letters WHERE id = ?)";
constexpr const char* kParks =
    "SELECT 1 FROM tidings_meta WHERE key = (SELECT 'parks.' || json_array(service, event_type, handler)"
    " FROM dead_letters WHERE id = ? AND ordering_key IS NOT NULL)";
constexpr const char* kWithdrawBehind =
    "UPDATE dead_letters SET redrive_requested_at = NULL, redrive_id = NULL, claimed_by = NULL,"
    " claimed_until = NULL WHERE id IN"
    " (SELECT later.id FROM dead_letters AS first CROSS JOIN dead_letters AS later"
    "  INDEXED BY dead_letters_unresolved_keys WHERE first.id = ?1 AND first.ordering_key IS NOT NULL"
    "  AND later.service = first.service AND later.event_type = first.event_type"
    "  AND later.handler = first.handler AND later.ordering_key = first.ordering_key AND later.id > ?1"
    "  AND later.reprocessed_at IS NULL AND later.ordering_key IS NOT NULL"
    "  AND later.redrive_requested_at IS NOT NULL AND (later.claimed_by IS NULL"
    "       OR (later.claimed_by = ?2 AND later.redrive_started_at IS NULL)))";

}  // namespace

ParkedLanes::ParkedLanes(RedriveConnection& connection)
    : note_parking_(connection.database(), kNoteParking),
      note_going_on_(connection.database(), kNoteGoingOn),
      parks_(connection.database(), kParks),
      withdraw_behind_(connection.database(), kWithdrawBehind) {}

void ParkedLanes::note(std::int64_t letter, bool parks) {
  run(parks ? note_parking_ : note_going_on_, letter);
}

bool ParkedLanes::parks(std::int64_t letter) {
  const StatementUse use(parks_);
  parks_.bind(1, letter);
  return parks_.executeStep();
}

void ParkedLanes::withdraw_behind(std::int64_t letter, const std::string& dead) {
  run(withdraw_behind_, letter, dead);
}

}  // namespace tidings::deadletter
