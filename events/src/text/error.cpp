#include <tidings/error.hpp>

namespace tidings {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return "invalid_argument";
    case ErrorCode::DuplicateHandler:
      return "duplicate_handler";
    case ErrorCode::NotEncodable:
      return "not_encodable";
    case ErrorCode::NotDecodable:
      return "not_decodable";
    case ErrorCode::QueueFull:
      return "queue_full";
    case ErrorCode::BusStopped:
      return "bus_stopped";
    case ErrorCode::ForkedChild:
      return "forked_child";
    case ErrorCode::CalledInHandler:
      return "called_in_handler";
    case ErrorCode::DatabaseBusy:
      return "database_busy";
    case ErrorCode::DatabaseUnusable:
      return "database_unusable";
    case ErrorCode::ForeignDatabase:
      return "foreign_database";
    case ErrorCode::NewerSchema:
      return "newer_schema";
    case ErrorCode::NoJournal:
      return "no_journal";
    case ErrorCode::JournalOwned:
      return "journal_owned";
    case ErrorCode::NoThreads:
      return "no_threads";
    case ErrorCode::InDoubt:
      return "in_doubt";
  }
  return "unknown";
}

}  // namespace tidings
