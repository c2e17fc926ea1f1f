#pragma once

#include <tidings/clock.hpp>
#include <tidings/ids.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// Durable events that are still owed to a handler.
struct JournalBacklog {
  /// Exact up to 10,000; above that, an upper bound.
  std::int64_t events = 0;
  bool exact = true;
  /// When the first of them was published.
  std::optional<Timestamp> oldest_published_at;
};

/// Payloads that are encrypted with one key.
struct KeyUse {
  /// Empty: they are damaged, and name no key.
  std::string key_id;
  std::int64_t letters = 0;
  std::int64_t journal_events = 0;
  /// One of them, to try whether a key opens it, and what it is bound to. No bytes if it is larger than 1
  /// MiB.
  std::string sample = {};
  std::string event_type = {};
  std::optional<EventId> event_id = {};
};

/// A delivery that the journal owes.
struct OwedToHandler {
  EventId event_id;
  std::string event_type;
  std::string correlation_id;
  std::optional<EventId> causation_id;
  Timestamp published_at{};
  std::string service;
  std::string handler;
};

/// A handler to which events are owed and that has not been subscribed for a while.
struct UnservedHandler {
  std::string service;
  std::string event_type;
  /// Empty for events whose rows in the journal are damaged and do not say.
  std::string handler;
  std::int64_t owed = 0;
  Timestamp since{};

  friend bool operator==(const UnservedHandler&, const UnservedHandler&) = default;
};

/// A service that does not claim the letters that are marked for it.
struct IdleService {
  std::string service;
  /// Exact up to 10,000; above that, a lower bound.
  std::int64_t letters = 0;
  bool exact = true;
  /// When the first of them was marked.
  Timestamp since{};
};

/// A request to deliver letters again: a row of tidings_redrives.
struct RedriveState {
  std::int64_t id = 0;
  Timestamp requested_at;
  std::string requested_by;
  std::optional<std::int64_t> canary;
  std::optional<double> rate;
  std::optional<std::int64_t> stop_after;
  std::int64_t letters = 0;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  /// `open`, `stopped` (by its canary or stop_after) or `finished`. In the last two none of its letters is
  /// marked or claimed any more.
  std::string state;
};

/// What somebody changed: a row of tidings_audit.
struct AuditEntry {
  std::int64_t id = 0;
  Timestamp at;
  std::string user;
  std::string host;
  std::string verb;
  /// JSON: which filters were given, without personal values.
  std::string filter;
  std::int64_t letters = 0;
  std::string note;
};

/// Whether a -wal file is larger than writing explains: above 64 MiB (`threshold`) and the size of the
/// database, or above 1 GiB (16 times that). The cause is then a program that has been reading an old state
/// of the database for long; without it SQLite would reuse the file from its beginning.
inline constexpr std::uint64_t kLargeWal = 64ULL * 1024 * 1024;
[[nodiscard]] constexpr bool is_wal_large(std::uint64_t wal_bytes, std::uint64_t database_bytes,
                                          std::uint64_t threshold = kLargeWal) noexcept {
  return (wal_bytes > threshold && wal_bytes > database_bytes) || wal_bytes > 16 * threshold;
}

struct FileSizes {
  std::uint64_t database = 0;
  std::uint64_t wal = 0;
};

/// The state of a database, for its operators.
struct Examination {
  /// Letters that are marked for redrive and that no bus has claimed.
  struct Waiting {
    std::string service;
    std::string event_type;
    std::string handler;
    std::int64_t letters = 0;
    Timestamp since;
    /// A bus of that service holds other letters, or some of its letters were delivered or failed in the last
    /// ten seconds; it may still claim these.
    bool service_is_at_work = false;
  };
  struct Spill {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
  };
  struct Files {
    std::uint64_t database_bytes = 0;
    std::uint64_t wal_bytes = 0;
    /// Space in the database file that no page in use takes.
    std::uint64_t free_bytes = 0;
    /// The file system that the database is on, when that may be shared with other machines; else empty.
    std::string network_file_system;
    /// Only spill files that hold letters.
    std::vector<Spill> spills;
  };
  struct Claims {
    /// Letters that a bus holds, as far as can be determined. Filter::running finds those whose handler is
    /// running.
    std::int64_t live = 0;
    /// Expired claims of processes that are gone; a running bus releases their letters.
    std::int64_t stale = 0;
  };
  int schema_version = 0;
  /// What tells this database from others: docs/schema.md. Empty before version 3.
  std::string database_id = {};
  /// Whether an application keeps its own tables in the file.
  bool adopted = false;
  /// What is wrong with the file, at most 100 findings; empty: nothing.
  std::vector<std::string> damage;
  /// Whether the counts that triggers keep (tidings_causes) are those of the letters.
  bool counts_agree = true;
  Files files;
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;
  std::optional<Timestamp> oldest_unresolved;
  /// Events in the journal that are still owed to handlers.
  std::int64_t journal_events = 0;
  Claims claims;
  std::vector<Waiting> waiting;
  /// Those with most events first, at most 10,000.
  std::vector<UnservedHandler> unserved;
  std::vector<RedriveState> open_redrives;
  /// Newest first, at most 5.
  std::vector<AuditEntry> recent_changes;
};

}  // namespace tidings::deadletter
